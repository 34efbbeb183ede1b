"""Being in the configured rooms while they change (bridge.matrix.rooms.joining), on a scripted homeserver."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import pytest

from bridge.matrix.account import Account
from bridge.matrix.dialect.fields import Json
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms import joining
from bridge.matrix.rooms.joined import JoinedRoom, Rooms, Stage
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.upgrades import HEARD
from bridge.model.event import Room
from tests.fakes.memory import Notebook
from tests.footprint import footprint
from tests.settings import matrix_settings

_US = "@duck:hs"
_POND, _LAKE, _SEA = (Room("home", f"#{name}:hs") for name in ("pond", "lake", "sea"))


class Doorkeeper(Homeserver):
    """Lets us into every room except those in `shut`; requests in `slow` wait for their event."""

    def __init__(self) -> None:
        super().__init__("http://localhost", _US)
        self.asked: list[str] = []
        self.ids = {"#pond:hs": "!pond", "#lake:hs": "!lake", "#sea:hs": "!sea"}
        self.shut: set[str] = set()
        self.slow: dict[str, asyncio.Event] = {}
        self.there: set[str] = set()
        self.said: list[Json] = []
        """The events of every room, newest first."""
        self.troubles: list[Exception] = []
        """The errors of the next requests for events."""
        self._news = asyncio.Event()

    async def once(
        self,
        method: str,
        path: object,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        within: float = 0,
        take: object = None,
    ) -> Json:
        assert isinstance(path, tuple)
        asked = f"{method} {'/'.join(path)}"
        self.asked.append(asked)
        self._news.set()
        if asked in self.slow:
            await self.slow[asked].wait()
        match path:
            case ("directory", "room", alias):
                return {"room_id": self.ids[alias]}
            case ("joined_rooms",):
                return {"joined_rooms": sorted(self.there)}
            case ("join", alias) if alias in self.shut:
                raise ApiError(403, "M_FORBIDDEN", "not invited")
            case ("join", alias):
                self.there.add(self.ids[alias])
                return {"room_id": self.ids[alias]}
            case ("rooms", room_id, "state", "m.room.member", _):
                return {"membership": "join" if room_id in self.there else "leave"}
            case ("rooms", _, "messages"):
                if self.troubles:
                    raise self.troubles.pop()
                return {"chunk": self.said}
            case (*_, "m.room.encryption", ""):
                raise ApiError(404, "M_NOT_FOUND", "")
        return {}

    async def until(self, start: str) -> None:
        """Wait for a request that starts with `start`."""
        async with asyncio.timeout(5):
            while not any(asked.startswith(start) for asked in self.asked):
                self._news.clear()
                await self._news.wait()


class Adapter:
    """The part of the adapter that is in rooms."""

    def __init__(self, *wanted: Room) -> None:
        self.homeserver, self.rooms, self.memory = Doorkeeper(), Rooms("home"), Notebook()
        rng = random.Random(1)
        settings = matrix_settings("home", "http://localhost", _US, "x")
        account = Account(settings, self.homeserver, self.memory, Patience("home", rng))
        self.joining = Joining(wanted, self.rooms, self.homeserver, account, self.memory, rng)

    @asynccontextmanager
    async def holding(self) -> AsyncGenerator[None, None]:
        await self.joining.recall()
        task = asyncio.create_task(self.joining.hold())
        try:
            yield
        finally:
            assert not task.done(), task.exception()
            task.cancel()
            await asyncio.wait({task})

    async def complete(self) -> None:
        async with asyncio.timeout(5):
            await self.joining.complete.wait()

    def at(self, room: Room) -> JoinedRoom:
        joined = self.rooms.of(room)
        assert joined is not None
        return joined


def _said(number: int) -> Json:
    return {"type": "m.room.message", "sender": "@ann:hs", "event_id": f"${number}"}


_CAME: Json = {"type": "m.room.member", "state_key": _US, "content": {"membership": "join"}, "event_id": "$came"}


async def test_a_room_that_is_added_is_joined_and_a_room_that_stays_is_not_joined_again() -> None:
    adapter = Adapter(_POND)
    async with adapter.holding():
        await adapter.complete()
        joined = adapter.at(_POND)
        adapter.joining.use([_POND, _LAKE])
        assert not adapter.joining.complete.is_set()
        await adapter.complete()
        assert adapter.at(_LAKE).inside
        assert adapter.at(_POND) is joined
    assert adapter.homeserver.asked.count("POST join/#pond:hs") == 1


async def test_a_room_that_stays_configured_keeps_the_pause_before_its_next_join() -> None:
    adapter = Adapter(_POND)
    adapter.homeserver.shut = {_POND.id}
    async with adapter.holding():
        await adapter.joining.tried()
        adapter.joining.use([_POND, _LAKE])
        await adapter.joining.tried()
        assert adapter.at(_LAKE).inside
    assert adapter.homeserver.asked.count("POST join/#pond:hs") == 1


async def test_a_room_that_is_removed_is_forgotten_but_not_left() -> None:
    adapter = Adapter(_POND, _LAKE)
    async with adapter.holding():
        await adapter.complete()
        joined = adapter.at(_POND)
        await adapter.joining.heard(joined)
        assert adapter.memory.kept == {"heard !pond": _POND.id}
        adapter.joining.use([_LAKE, _SEA])
        assert joined.closed
        assert adapter.rooms.of(_POND) is None
        assert not adapter.joining.wants(_POND)
        await adapter.complete()
        await adapter.joining.heard(joined)  # a sync that was under way
        assert adapter.memory.kept == {}
    assert not [asked for asked in adapter.homeserver.asked if "leave" in asked]


async def test_a_room_that_is_removed_during_its_join_stays_removed() -> None:
    for door in ("GET directory/room/#lake:hs", "POST join/#lake:hs", "GET rooms/!lake/messages"):
        adapter = Adapter(_POND)
        async with adapter.holding():
            await adapter.complete()
            adapter.homeserver.slow[door] = opened = asyncio.Event()
            adapter.joining.use([_POND, _LAKE])
            await adapter.homeserver.until(door)
            waiting = asyncio.ensure_future(adapter.joining.tried())
            await asyncio.sleep(0)
            adapter.joining.use([_POND])
            opened.set()
            async with asyncio.timeout(5):
                await waiting
            adapter.joining.use([_POND, _SEA])
            await adapter.complete()
            assert [joined.id for joined in adapter.rooms] == ["!pond", "!sea"]
            assert not await adapter.joining.invited("!lake")


async def test_a_sync_does_not_wait_for_a_room_that_is_removed() -> None:
    adapter = Adapter(_POND)
    adapter.homeserver.slow["POST join/#pond:hs"] = asyncio.Event()
    async with adapter.holding():
        await adapter.homeserver.until("POST join/#pond:hs")
        joined = adapter.at(_POND)
        adapter.joining.use([])
        async with asyncio.timeout(5):
            await joined.settled()
        assert joined.closed


async def test_messages_from_while_a_room_was_removed_are_past_when_it_is_added_again() -> None:
    adapter = Adapter(_POND)
    async with adapter.holding():
        await adapter.complete()
        before = adapter.at(_POND)
        adapter.joining.use([])
        adapter.homeserver.said = [_said(3), _CAME, _said(1)]
        adapter.joining.use([_POND])
        await adapter.joining.heard(before)  # a sync that was under way
        await adapter.complete()
        assert adapter.at(_POND).past >= {"$1", "$3"}


async def test_messages_since_our_join_of_a_new_room_are_not_past_though_the_first_attempt_failed() -> None:
    adapter = Adapter(_POND)
    adapter.homeserver.said = [_said(3), _CAME, _said(1)]
    async with adapter.holding():
        await adapter.complete()
        adapter.homeserver.troubles = [Unreachable("away")]
        adapter.joining.use([_POND, _LAKE])
        await adapter.joining.tried(_LAKE)
        assert not adapter.at(_LAKE).inside
        assert await adapter.joining.invited("!lake")  # so that it is tried again now
        await adapter.complete()
        assert adapter.at(_LAKE).past == {"$1"}


async def test_a_room_that_was_removed_and_added_again_before_the_login_is_new() -> None:
    adapter = Adapter(_POND, _LAKE)
    adapter.memory.kept = {"heard !pond": _POND.id, "heard !lake": _LAKE.id}
    adapter.homeserver.there = {"!pond", "!lake"}
    adapter.joining.use([_LAKE])
    adapter.joining.use([_LAKE, _POND])
    async with adapter.holding():
        assert adapter.memory.kept == {"heard !lake": _LAKE.id}
        await adapter.complete()
        assert adapter.at(_LAKE).heard
        assert not adapter.at(_POND).heard
        await adapter.joining.heard(adapter.at(_POND))
    async with adapter.holding():  # from now on it is one like the others
        assert adapter.at(_POND).heard
        assert adapter.memory.kept == {"heard !lake": _LAKE.id, "heard !pond": _POND.id}


async def test_waiting_for_all_rooms_ends_though_the_rooms_change_meanwhile() -> None:
    adapter = Adapter(_POND, _LAKE)
    adapter.homeserver.slow["POST join/#pond:hs"] = opened = asyncio.Event()
    async with adapter.holding():
        waiting = asyncio.ensure_future(adapter.joining.tried())
        await adapter.homeserver.until("POST join/#pond:hs")
        adapter.joining.use([_POND, _LAKE, _SEA])
        opened.set()
        async with asyncio.timeout(5):
            await waiting


async def test_an_invitation_counts_only_if_its_room_is_still_configured_after_the_lookup() -> None:
    adapter = Adapter(_POND, _LAKE)
    adapter.homeserver.slow["GET directory/room/#pond:hs"] = opened = asyncio.Event()
    adapter.homeserver.slow["GET directory/room/#lake:hs"] = opened
    looking = asyncio.ensure_future(adapter.joining.invited("!pond"))
    await adapter.homeserver.until("GET directory/")
    adapter.joining.use([_SEA])
    opened.set()
    assert not await looking
    assert not await adapter.joining.invited("!pond")
    assert not await adapter.joining.invited("!lake")
    assert await adapter.joining.invited("!sea")


async def test_either_of_two_names_of_one_room_can_be_removed() -> None:
    for gone, stays in [(0, 1), (1, 0)]:
        adapter = Adapter(_POND)
        adapter.homeserver.ids["#lake:hs"] = "!pond"
        names = (_POND, _LAKE)
        async with adapter.holding():
            await adapter.complete()
            await adapter.joining.heard(adapter.at(_POND))
            adapter.joining.use(names)
            await adapter.joining.tried(_LAKE)
            assert adapter.rooms.of(_LAKE) is None  # it is the same room
            adapter.joining.use([names[stays]])
            await adapter.complete()
            assert adapter.at(names[stays]).inside
            assert adapter.rooms.of(names[gone]) is None
            await adapter.joining.heard(adapter.at(names[stays]))
            assert adapter.memory.kept == {"heard !pond": names[stays].id}


async def test_a_second_name_that_moves_to_another_room_leaves_the_first_room_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joining, "_LONGEST_PAUSE", 0.001)
    adapter = Adapter(_POND)
    adapter.homeserver.ids["#lake:hs"] = "!pond"
    async with adapter.holding():
        await adapter.complete()
        adapter.joining.use([_POND, _LAKE])
        await adapter.joining.tried(_LAKE)
        adapter.homeserver.ids["#lake:hs"] = "!lake"
        await adapter.complete()
        assert {joined.id for joined in adapter.rooms} == {"!pond", "!lake"}


async def test_a_sync_waits_for_a_room_whose_past_is_unknown_and_has_it_fetched_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joining, "_SOON", 1e9)
    adapter = Adapter(_POND)
    adapter.homeserver.said = [_said(3), _CAME, _said(1)]
    adapter.homeserver.troubles = [Unreachable("away")]
    async with adapter.holding():
        await adapter.joining.tried()
        joined = adapter.at(_POND)
        assert joined.stage is Stage.ARRIVING
        async with asyncio.timeout(5):
            await adapter.joining.settle(joined, inside=True)
        assert joined.inside
        assert joined.past == {"$1"}


async def test_a_room_that_we_are_back_in_without_asking_is_joined_when_a_sync_shows_it() -> None:
    adapter = Adapter(_POND)
    async with adapter.holding():
        await adapter.complete()
        joined = adapter.at(_POND)
        await adapter.joining.left(joined, "we were removed")
        assert (joined.inside, joined.absence) == (False, "we were removed")
        async with asyncio.timeout(5):
            await adapter.joining.settle(joined, inside=False)  # as reported in the same sync
        assert joined.stage is Stage.AWAY
        adapter.homeserver.said = [_said(3), _CAME, _said(1)]
        async with asyncio.timeout(100):
            await adapter.joining.settle(joined, inside=True)
        assert joined.inside
        assert joined.past == {"$1"}


async def test_a_sync_does_not_wait_for_a_room_that_does_not_let_us_in() -> None:
    adapter = Adapter(_POND)
    adapter.homeserver.shut = {_POND.id}
    async with adapter.holding():
        await adapter.joining.tried()
        joined = adapter.at(_POND)
        assert joined.stage is Stage.AWAY
        async with asyncio.timeout(5):
            await adapter.joining.settle(joined, inside=False)


async def test_after_a_restart_rooms_that_we_are_still_in_are_not_joined_again() -> None:
    """A thousand joins cost the homeserver half a minute."""
    rooms = [Room("home", f"#{number}:hs") for number in range(8)]
    adapter = Adapter(*rooms)
    adapter.homeserver.ids = {room.id: f"!{number}" for number, room in enumerate(rooms)}
    adapter.memory.kept = {HEARD + id_: name for name, id_ in adapter.homeserver.ids.items()}
    adapter.homeserver.there = {f"!{number}" for number in range(8) if number != 3}
    async with adapter.holding():
        await adapter.complete()
        assert all(adapter.at(room).inside for room in rooms)
        await adapter.homeserver.until("GET rooms/!7/state/m.room.tombstone")
        assert [asked for asked in adapter.homeserver.asked if "join/" in asked] == ["POST join/#3:hs"]
        adapter.homeserver.asked.clear()
        joined = adapter.at(rooms[0])
        await adapter.joining.left(joined, "removed")
        for _ in range(10):  # that is noticed
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await adapter.joining.settle(joined, inside=True)  # the homeserver says that we are back
        assert "POST join/#0:hs" in adapter.homeserver.asked


async def test_after_a_restart_nothing_waits_for_questions_about_the_rooms_that_we_are_still_in() -> None:
    """Three questions about each of a thousand rooms take seconds. Until they are answered, what is sent there asks
    whether the room is encrypted by now."""
    rooms = [Room("home", f"#{number}:hs") for number in range(8)]
    adapter = Adapter(*rooms)
    adapter.homeserver.ids = {room.id: f"!{number}" for number, room in enumerate(rooms)}
    adapter.memory.kept = {HEARD + id_: name for name, id_ in adapter.homeserver.ids.items()}
    adapter.homeserver.there = {f"!{number}" for number in range(8)}
    slow = [asyncio.Event() for _ in rooms]
    for room, answer in zip(rooms, slow, strict=True):
        adapter.homeserver.slow[f"GET directory/room/{room.id}"] = answer
    async with adapter.holding():
        await adapter.complete()
        await adapter.joining.tried()
        assert all(adapter.at(room).inside and not adapter.at(room).checked for room in rooms)
        for answer in slow:
            answer.set()
        await adapter.homeserver.until("GET rooms/!7/state/m.room.tombstone")
        assert {f"GET rooms/!{number}/state/m.room.encryption/" for number in range(8)} <= {*adapter.homeserver.asked}


async def test_after_a_restart_all_rooms_are_joined_if_the_homeserver_does_not_tell_where_we_are() -> None:
    rooms = [Room("home", f"#{number}:hs") for number in range(8)]
    adapter = Adapter(*rooms)
    adapter.homeserver.ids = {room.id: f"!{number}" for number, room in enumerate(rooms)}
    adapter.memory.kept = {HEARD + id_: name for name, id_ in adapter.homeserver.ids.items()}
    async with adapter.holding():
        await adapter.complete()
        assert len([asked for asked in adapter.homeserver.asked if "join/" in asked]) == 8


async def test_a_room_that_we_are_in_takes_little_memory() -> None:
    """It has a task that waits, which is most of it. Half as much again is for other versions of Python."""
    number = 200
    rooms = [Room("home", f"#{each}:hs") for each in range(number)]
    ids = {room.id: f"!{each}" for each, room in enumerate(rooms)}
    with footprint() as taken:
        adapter = Adapter(*rooms)
        adapter.homeserver.ids = ids
        adapter.memory.kept = {HEARD + id_: name for name, id_ in ids.items()}
        adapter.homeserver.there = {*ids.values()}
        async with adapter.holding():
            await adapter.complete()
            await adapter.homeserver.until(f"GET rooms/!{number - 1}/state/m.room.tombstone")
            for _ in range(10):
                await asyncio.sleep(0)
            adapter.homeserver.asked.clear()
            assert taken() < number * 5_500
