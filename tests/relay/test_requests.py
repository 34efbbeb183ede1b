"""Who is told of requests to become members: admins once a day and bundled, the people who asked of the outcome."""

from dataclasses import dataclass, field, replace

import pytest

from bridge.model.event import Event, Origin, Room
from bridge.model.people import Identity, Proof
from bridge.model.text import plain
from bridge.relay.admins import Admins
from bridge.relay.notices import Notices
from bridge.relay.requests import RequestNews
from bridge.store import Lease
from bridge.users import MembershipRequest, Role, User
from bridge.users.requests import LASTS_S
from tests.events import LIBERA, irc, matrix, said
from tests.fakes.store import MemoryStore
from tests.fakes.users import MemoryUsers

DAY = 86_400.0
ALICE = User("alice", Role.ADMIN, (Identity(Proof.MATRIX, "", "@alice:hs"),))
IRA = User("ira", Role.ADMIN, (Identity(Proof.IRC, "libera", "ira"),))
AT_ALICE = Room("home", "@alice:hs")


@dataclass
class World:
    """Two admins, one on each network; `told` are all notices so far, of every run."""

    now: float = 1_000_000.0
    told: list[tuple[Room, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.users = MemoryUsers()
        self.users.add(ALICE, IRA, User("bob", identities=(Identity(Proof.MATRIX, "", "@bob:hs"),)))
        self.store = MemoryStore(clock=lambda: self.now)

    async def start(self) -> None:
        """Begin a run, as the daemon does."""
        self.lease: Lease = await self.store.acquire("bots", "test")
        notices = Notices(lambda: self.now)
        self.admins = Admins(self.users, notices)
        self.news = RequestNews(self.users, notices, self.admins, lambda: self.now)
        self.admins.network, self.news.networks = "home", {"home", "libera"}
        await self.news.resume(self.lease)

    def asks(self, account: str, network: str = "libera") -> MembershipRequest:
        identity = Identity(Proof.IRC, network, account)
        return self.users.ask(MembershipRequest(identity, Room(network, f"{account}_"), self.now))

    async def looks(self) -> list[tuple[Room, str]]:
        """What is told now."""
        await self.news.look(self.lease)
        before = len(self.told)
        for entry in await self.store.outbox():
            told = (entry.room, plain(entry.event.text))
            if told not in self.told:
                self.told.append(told)
            assert entry.event.private
        return self.told[before:]

    def speaks(self, event: Event) -> str:
        """What the admin ira is told when she says `event`; '' for nothing."""
        told = self.news.to_speaker(event, IRA)
        return "" if told is None else plain(told.event.text)


@pytest.fixture
async def world() -> World:
    world = World()
    await world.start()
    return world


async def test_an_admin_is_told_privately_of_all_who_ask_and_how_to_decide(world: World) -> None:
    assert await world.looks() == []
    for account in ("eve", "mat", "pat"):
        world.asks(account)
    assert await world.looks() == [
        (
            AT_ALICE,
            "3 people ask to become members: eve (libera/eve), mat (libera/mat), pat (libera/pat)."
            " Say `approve NAME`, `deny NAME`, or `requests` for the list.",
        )
    ]


async def test_of_many_who_ask_an_admin_is_told_the_number_and_the_first_five(world: World) -> None:
    for number in range(40):
        world.asks(f"{'x' * 60}{number}")
    ((_, text),) = await world.looks()
    assert "40 people ask" in text
    assert ", 35 more. Say" in text
    assert len(text) < 800


async def test_an_admin_is_told_once_a_day_and_only_of_news(world: World) -> None:
    world.asks("eve")
    assert len(await world.looks()) == 1
    world.now += 1
    world.asks("mat")
    assert await world.looks() == []
    world.now += DAY
    assert "2 people ask" in (await world.looks())[0][1]
    world.now += DAY
    assert await world.looks() == []
    world.asks("pat")
    assert "3 people ask" in (await world.looks())[0][1]


async def test_what_was_told_is_known_after_a_restart(world: World) -> None:
    world.asks("eve")
    world.asks("mat")
    world.users.deny("mat", world.now)
    assert len(await world.looks()) == 2
    await world.start()
    assert len(await world.lease.recall()) == 2
    world.asks("pat")
    await world.looks()
    assert len(world.told) == 2
    assert world.news.to_speaker(said(Room("home", "!r:hs"), matrix("alice"), "hi"), ALICE) is None


async def test_an_admin_on_irc_is_told_when_they_speak_and_once_a_day(world: World) -> None:
    world.asks("eve")
    await world.looks()
    hi = said(LIBERA, irc("ira_", "ira"), "hi")
    assert world.speaks(replace(hi, origin=Origin.REPLAYED)) == ""
    assert "1 person asks to become a member: eve (libera/eve)" in world.speaks(hi)
    assert world.speaks(hi) == ""
    await world.looks()
    await world.start()
    assert world.speaks(hi) == ""


async def test_an_admin_who_decides_or_lists_is_not_told_what_they_know_already(world: World) -> None:
    world.asks("eve")
    alone = Room("libera", "ira_")
    for text in ("requests", "approve eve", "deny eve"):
        assert world.speaks(said(alone, irc("ira_", "ira"), text, private=True)) == ""
    assert world.speaks(said(alone, irc("ira_", "ira"), "whoami", private=True)) != ""


async def test_members_are_told_nothing(world: World) -> None:
    world.asks("eve")
    assert world.news.to_speaker(said(LIBERA, irc("bob", "bob"), "hi"), world.users.get("bob")) is None
    assert {room for room, _ in await world.looks()} == {AT_ALICE}


async def test_who_asked_is_told_of_the_outcome_once_and_by_their_proven_name(world: World) -> None:
    world.asks("eve")
    world.asks("mat")
    await world.looks()
    world.users.approve("eve", "evelyn", world.now)
    world.users.deny("mat", world.now)
    assert sorted(await world.looks(), key=str) == sorted(
        [
            (
                Room("libera", "eve_"),
                "libera/eve is a member now, as evelyn: an admin has approved the request. What you say is carried.",
            ),
            (
                Room("libera", "mat_"),
                "An admin has declined the request of libera/mat. They may ask again after 1970-02-11.",
            ),
        ],
        key=str,
    )
    assert await world.looks() == []
    await world.news.look(None)  # type: ignore[arg-type]  # commits nothing, so needs no lease


async def test_nobody_is_told_on_a_network_that_is_gone(world: World) -> None:
    world.asks("eve", "oftc")
    world.users.deny("eve", world.now)
    assert await world.looks() == []


async def test_what_was_told_is_forgotten_with_the_request(world: World) -> None:
    world.asks("eve")
    world.users.deny("eve", world.now)
    await world.looks()
    assert len(await world.lease.recall()) == 1
    world.now += LASTS_S
    await world.looks()
    assert await world.lease.recall() == {}


async def test_an_admin_who_writes_to_a_puppet_is_told_by_us_and_not_by_the_puppet(world: World) -> None:
    world.asks("eve")
    for room, where in ((Room("libera", "alice>ira"), "ira"), (Room("libera", "ira"), "ira")):
        await world.start()
        told = world.news.to_speaker(said(room, irc("ira", "ira"), "hi", private=True), IRA)
        assert told is not None
        assert told.room == Room("libera", where)
