"""The health of the bridge: what is well, since when, and why not."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from bridge.model.event import BOTS, Room
from bridge.model.health import Lines, Queue, Status
from bridge.network import Comparison, EncryptionState, Network, Vitals
from bridge.relay import checks
from bridge.relay.health import Around, Board, summary
from bridge.relay.lines import LastLines
from bridge.relay.outages import Outages
from bridge.rules.gate import Gate
from bridge.rules.link import Link
from bridge.rules.routing import Links
from tests.events import HOME, LIBERA, OFTC


class _Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class _Reporting:
    """A network that tells how it is."""

    def __init__(self) -> None:
        self.problem = ""
        self.absences: dict[Room, str] = {}
        self.outside: set[Room] = set()

    def vitals(self) -> Vitals:
        return Vitals(self.problem, 990.0)

    def joined(self, room: Room) -> bool:
        return room not in self.outside

    def absence(self, room: Room) -> str | None:
        return self.absences.get(room)


class _Silent:
    """A network that does not."""

    def absence(self, _room: Room) -> str | None:
        return None


class _Sealed(_Silent):
    """A network with encryption."""

    problem = ""

    def encryption(self) -> EncryptionState:
        return EncryptionState(self.problem, rooms=(HOME,))

    def comparisons(self) -> tuple[Comparison, ...]:
        return ()

    async def _unused(self) -> None:
        raise AssertionError("the board asks nothing of the kind")

    answer_comparison = sign_device = new_recovery_key = recovery_key_shown = _unused


class _Links:
    """A gate with links, as the board uses it."""

    def __init__(self) -> None:
        self.links = Links([Link("pond", (HOME, LIBERA)), Link("lake", (OFTC,))])


class _World:
    """A board with networks, and a clock that nobody sets but the test."""

    def __init__(self) -> None:
        self.clock, self.steady = _Clock(), _Clock()
        self.outages, self.lines, self.gate = Outages(), LastLines(self.clock), _Links()
        self.libera = _Reporting()
        self.networks: dict[str, Any] = {"home": _Silent(), "libera": self.libera, "oftc": _Silent()}
        self.types = {"home": "matrix", "libera": "irc", "oftc": "irc"}
        gate = cast("Gate", self.gate)
        self.board = Board(gate, self.outages, self.lines, "here", self.clock, self.steady)
        self.look()

    def look(self, around: Around | None = None, *, after: float = 0.0) -> None:
        self.clock.now += after
        self.steady.now += after
        self.board.look(cast("Mapping[str, Network]", self.networks), self.types, around or Around())

    def wrong(self) -> Mapping[str, tuple[float, str]]:
        """Each check that is not well: since when, and why."""
        checks = self.board.now.checks().items()
        return {name: (check.since, check.reason) for name, (check, _) in checks if not check.ok}

    def room(self, room: Room) -> tuple[bool, bool]:
        """Whether we have joined it, and may speak."""
        (found,) = (each for each in self.board.now.rooms if each.room == room)
        return found.joined, found.may_speak


@pytest.fixture
def world() -> _World:
    return _World()


def test_all_is_well_since_the_start(world: _World) -> None:
    world.look(after=100.0)
    health = world.board.now
    assert (health.status, world.wrong()) == (Status.OK, {})
    assert [*health.checks()] == [
        "network:home",
        "network:libera",
        "network:oftc",
        *(f"room:{room}" for room in (HOME, LIBERA, OFTC)),
        *("link:pond", "link:lake", "outbox", "disk", "clock", "loop"),
    ]
    assert {check.since for check, _ in health.checks().values()} == {1_000.0}
    assert health.networks["libera"].heard == 990.0


def test_a_network_that_is_not_well_makes_its_rooms_and_their_links_not_well(world: _World) -> None:
    world.libera.problem = "the server does not answer"
    world.look(after=10.0)
    world.look(after=10.0)
    why = "the server does not answer"
    assert world.wrong() == {
        "network:libera": (1_010.0, why),
        f"room:{LIBERA}": (1_010.0, why),
        "link:pond": (1_010.0, f"{LIBERA}: {why}"),
    }
    assert world.board.now.status is Status.DEGRADED
    world.libera.problem = ""
    world.look(after=5.0)
    assert (world.wrong(), world.board.now.networks["libera"].check.since) == ({}, 1_025.0)


def test_a_room_that_is_away_is_not_well_though_its_network_is_up(world: _World) -> None:
    world.libera.absences[LIBERA] = "kicked by mallory (I hate \x02you)"
    world.libera.outside.add(LIBERA)
    world.look()
    assert world.wrong()[f"room:{LIBERA}"] == (1_000.0, "kicked"), "neither who, nor what they said"
    assert world.room(LIBERA) == (False, False)
    assert world.board.now.networks["libera"].check.ok


def test_a_room_that_is_not_joined_yet_is_not_well(world: _World) -> None:
    world.libera.outside.add(LIBERA)
    world.look()
    assert world.wrong()[f"room:{LIBERA}"] == (1_000.0, "not joined yet")


def test_a_room_where_we_may_not_speak_is_not_well(world: _World) -> None:
    world.outages.silenced(LIBERA, "the channel is moderated")
    world.look()
    assert world.wrong()[f"room:{LIBERA}"][1] == "the channel is moderated"
    assert world.room(LIBERA) == (True, False)
    world.outages.spoke(LIBERA)
    world.look()
    assert world.wrong() == {}


def test_an_encrypted_room_that_we_cannot_read_is_not_well(world: _World) -> None:
    world.networks["home"] = sealed = _Sealed()
    world.look()
    assert world.wrong() == {}
    sealed.problem = "it is off"
    world.look()
    assert world.wrong()[f"room:{HOME}"][1] == "it is encrypted, and we cannot read it"


def test_a_network_that_does_not_run_is_not_well_and_without_any_the_bridge_is_down(world: _World) -> None:
    world.networks.clear()
    world.look()
    assert world.wrong()["network:home"] == (1_000.0, "it does not run")
    assert world.wrong()[f"room:{HOME}"] == (1_000.0, "it does not run")
    assert world.board.now.status is Status.DOWN


def test_an_outbox_whose_oldest_message_waits_too_long_is_not_well(world: _World) -> None:
    queues = {"libera": Queue(3, 1, 900.0), "oftc": Queue(1, 0, 950.0), "gone": Queue(9, 0, 1.0)}
    world.look(Around(queues))
    assert world.wrong() == {}, "nobody waits for a network that the config does not name"
    world.look(Around(queues), after=201.0)
    assert world.wrong() == {"outbox": (1_201.0, "messages for libera have waited for 5 minutes")}
    world.board.ready_max_age = 600.0
    world.look(Around(queues))
    assert world.wrong() == {}
    world.look(Around({BOTS: Queue(1, 0, 1.0)}))
    assert "outbox" in world.wrong(), "a bot that never answers is not well"
    assert summary(world.board.now) == "3/3 networks up, 2 links, outbox 1 (oldest 1200 s)"


@pytest.mark.parametrize(
    ("around", "name", "why"),
    [
        (Around(free=checks.LEAST_FREE), "disk", ""),
        (Around(free=checks.LEAST_FREE - 1), "disk", "only 64 MB are left on the disk of the store"),
        (
            Around(free=10**12, full="quota"),
            "disk",
            "the disk of the store is full: what is said waits at the servers until there is space",
        ),
        (Around(lag=2.0), "loop", ""),
        (Around(lag=2.5), "loop", "the process is late by 2.5 s: this machine is too busy"),
    ],
)
def test_the_disk_and_the_loop_are_watched(world: _World, around: Around, name: str, why: str) -> None:
    world.look(around)
    assert world.wrong() == ({name: (1_000.0, why)} if why else {})


def test_a_clock_that_was_set_is_told_for_five_minutes_and_what_was_known_keeps_its_age(world: _World) -> None:
    world.libera.problem = "frozen"
    world.look(after=10.0)
    world.clock.now += 86_400.0
    world.look(after=5.0)
    wrong = world.wrong()
    assert wrong["clock"] == (87_415.0, "the clock of this machine was set forward by 1 day")
    assert wrong["network:libera"] == (87_410.0, "frozen")
    world.look(after=299.0)
    assert "clock" in world.wrong()
    world.look(after=2.0)
    assert "clock" not in world.wrong()
    world.clock.now -= 7_200.0
    world.look()
    assert world.wrong()["clock"][1] == "the clock of this machine was set back by 2 hours"


def test_a_reason_is_one_short_line(world: _World) -> None:
    world.libera.problem = "bad\n" + "x" * 1_000
    world.look()
    reason = world.board.now.networks["libera"].check.reason
    assert (len(reason), "\n" in reason) == (200, False)


def test_a_room_that_the_config_names_no_more_is_forgotten(world: _World) -> None:
    world.libera.problem = "frozen"
    world.look()
    world.gate.links = Links([Link("lake", (OFTC,))])
    world.look(after=10.0)
    world.gate.links = Links([Link("pond", (HOME, LIBERA))])
    world.look(after=10.0)
    assert world.wrong()[f"room:{LIBERA}"][0] == 1_020.0


def test_the_last_line_each_way_is_told_also_of_an_earlier_run(world: _World) -> None:
    world.lines.recall({LIBERA: Lines(500.0, 600.0)})
    world.lines.note_heard(LIBERA)
    world.lines.note_heard(Room("libera", "somebody"))
    world.look()
    (found,) = (each for each in world.board.now.rooms if each.room == LIBERA)
    assert (found.heard, found.said) == (1_000.0, 600.0)
    world.lines.keep(frozenset({HOME}))
    assert world.lines.of(LIBERA) == Lines(500.0, 600.0)
    assert world.lines.of(Room("libera", "somebody")) == Lines()


def test_what_has_not_changed_is_the_same_value_as_before() -> None:
    """There may be thousands of rooms, and a look each second."""
    world = _World()
    before = world.board.now.rooms
    world.look(after=1.0)
    assert all(now is then for now, then in zip(world.board.now.rooms, before, strict=True))
    world.libera.absences[LIBERA] = "kicked"
    world.look(after=1.0)
    assert [now is then for now, then in zip(world.board.now.rooms, before, strict=True)] == [True, False, True]
