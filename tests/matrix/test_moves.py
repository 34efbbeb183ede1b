"""Going from a room to another that takes its place (bridge.matrix.rooms.upgrades), on a scripted homeserver."""

import asyncio
import json
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.sync import Replacement
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.matrix.rooms.joined import Stage
from bridge.model.event import Room
from tests.matrix import test_joining
from tests.matrix.test_joining import Doorkeeper

_ALIAS, _ID = Room("home", "#pond:hs"), Room("home", "!pond")
_NEW = Replacement("!new", "@ann:hs", "$stone")


class Estate(Doorkeeper):
    """Knows who announced a new room, and with which power; a request in `falls` makes the adapter crash there."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: Json | None = {"users": {"@ann:hs": 50}}
        self.predecessors = {"!new": "!pond", "!newer": "!new"}
        self.tombstones: dict[str, str] = {}
        self.left: list[str] = []
        self.vias: list[str] = []
        self.falls: dict[str, Exception] = {}
        self.ids |= {"!pond": "!pond", "!new": "!new", "!newer": "!newer", "!lake": "!lake"}

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
        if (error := self.falls.get(f"{method} {'/'.join(path)}")) is not None:
            raise error
        if path[0] == "directory" and path[2] not in self.ids:
            raise ApiError(404, "M_NOT_FOUND", "no such alias")
        answer = await super().once(method, path, query, body, within)
        match path:
            case ("rooms", _, "context", _):
                create = {
                    "type": "m.room.create",
                    "state_key": "",
                    "sender": "@op:hs",
                    "content": {"room_version": "11"},
                }
                levels = {"type": "m.room.power_levels", "state_key": "", "content": self.levels}
                return {"state": [create] if self.levels is None else [create, levels]}
            case ("rooms", room_id, "state", "m.room.tombstone", ""):
                if room_id not in self.tombstones:
                    raise ApiError(404, "M_NOT_FOUND", "")
                content = {"replacement_room": self.tombstones[room_id]}
                return {"sender": _NEW.sender, "event_id": _NEW.event, "content": content}
            case ("rooms", room_id, "state", "m.room.create", ""):
                return {"predecessor": {"room_id": self.predecessors.get(room_id, "")}}
            case ("rooms", room_id, "leave"):
                self.left.append(room_id)
                self.there.discard(room_id)
                return {}
            case ("join", _):
                self.vias += [query["via"]] if query else []
        return answer


class Adapter(test_joining.Adapter):
    homeserver: Estate

    def __init__(self, *wanted: Room, memory: Mapping[str, str] | None = None) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(test_joining, "Doorkeeper", Estate)
            super().__init__(*wanted)
        self.memory.kept.update(memory or {})

    def replaced(self, room: Room, new: Replacement = _NEW) -> None:
        self.homeserver.tombstones[self.at(room).id] = new.id
        self.joining.replaced(self.at(room), new)

    async def is_at(self, room: Room, room_id: str) -> None:
        async with asyncio.timeout(2000):
            while (joined := self.rooms.of(room)) is None or joined.id != room_id or not joined.inside:  # noqa: ASYNC110
                await asyncio.sleep(1)  # of simulated time

    async def follows(self, room: Room, room_id: str) -> None:
        await self.is_at(room, room_id)
        await self.joining.heard(self.at(room))


@pytest.mark.parametrize("room", [_ALIAS, _ID])
async def test_an_upgrade_is_followed_and_remembered_though_the_alias_still_names_the_old_room(room: Room) -> None:
    adapter = Adapter(room)
    async with adapter.holding():
        await adapter.complete()
        old = adapter.at(room)
        await adapter.joining.heard(old)
        adapter.replaced(room)
        await adapter.is_at(room, "!new")
        assert (old.closed, adapter.at(room).moved) == (True, "it was upgraded")
        assert adapter.homeserver.vias == ["hs"]
        await adapter.joining.heard(adapter.at(room))
        adapter.replaced(room, Replacement("!newer", "@ann:hs", "$stone"))
        await adapter.follows(room, "!newer")
        kept = {"moved !pond": "!new", "moved !new": "!newer", "heard !newer": room.id}
        assert adapter.memory.kept == kept
    again = Adapter(room, memory=kept)
    async with again.holding():
        assert again.at(room).heard
        await again.complete()
        await again.is_at(room, "!newer")
        assert again.memory.kept == kept
        assert again.at(room).moved == ""


@pytest.mark.parametrize(
    ("levels", "followed"),
    [
        ({"users": {"@ann:hs": 50}}, True),
        ({"users": {"@ann:hs": 49}}, False),
        ({"users": {"@ann:hs": 50}, "events": {"m.room.tombstone": 100}}, False),
        ({"users": {"@ann:hs": 99}, "state_default": 100, "events": {"m.room.tombstone": 99}}, True),
        (None, True),
    ],
)
@pytest.mark.parametrize("room", [_ALIAS, _ID])
async def test_an_upgrade_counts_only_from_somebody_who_had_the_power_for_it(
    room: Room, levels: Json | None, *, followed: bool
) -> None:
    adapter = Adapter(room)
    adapter.homeserver.levels = levels
    with capture_logs() as logs:
        async with adapter.holding():
            await adapter.complete()
            adapter.replaced(room)
            await asyncio.sleep(1000)
            assert adapter.at(room).id == ("!new" if followed else "!pond")
            assert adapter.at(room).inside
    refused = [line["reason"] for line in logs if line["event"] == "room_not_followed"]
    said = "@ann:hs, who announced the new room, had no power to replace this one"
    assert refused == ([] if followed else [said])
    assert ("POST join/!new" in adapter.homeserver.asked) == followed


@pytest.mark.parametrize("room", [_ALIAS, _ID])
async def test_a_room_that_names_another_predecessor_is_left_again_and_the_old_one_goes_on(room: Room) -> None:
    adapter = Adapter(room)
    adapter.homeserver.predecessors = {"!new": "!other"}
    with capture_logs() as logs:
        async with adapter.holding():
            await adapter.complete()
            adapter.replaced(room)
            await asyncio.sleep(1000)
            adapter.replaced(room)  # a sync repeats it
            assert await adapter.joining.invited("!pond")  # so that its state is looked at again
            await asyncio.sleep(1000)
            assert (adapter.at(room).id, adapter.at(room).inside) == ("!pond", True)
            assert adapter.rooms.by_id("!new") is None
    assert adapter.homeserver.left == ["!new"]
    assert [line["new"] for line in logs if line["event"] == "room_not_followed"] == ["!new"]
    assert adapter.memory.kept == {}


async def test_an_alias_that_comes_back_to_the_old_room_of_an_upgrade_does_not_take_us_there() -> None:
    adapter = Adapter(_ALIAS)
    async with adapter.holding():
        await adapter.complete()
        adapter.homeserver.ids[_ALIAS.id] = "!new"
        adapter.replaced(_ALIAS)
        await adapter.follows(_ALIAS, "!new")
        adapter.homeserver.ids[_ALIAS.id] = "!pond"
        await asyncio.sleep(1000)
        assert (adapter.at(_ALIAS).id, adapter.at(_ALIAS).inside) == ("!new", True)
        adapter.homeserver.ids[_ALIAS.id] = "!lake"
        await adapter.follows(_ALIAS, "!lake")
    assert adapter.memory.kept == {"heard !lake": _ALIAS.id, "moved !pond": "!new"}


async def test_an_alias_that_is_moved_by_hand_is_followed_within_minutes_also_by_its_people() -> None:
    adapter = Adapter(_ALIAS)
    async with adapter.holding():
        await adapter.complete()
        await adapter.joining.heard(adapter.at(_ALIAS))
        adapter.homeserver.ids[_ALIAS.id] = "!lake"
        begun = asyncio.get_running_loop().time()
        await adapter.is_at(_ALIAS, "!lake")
        assert asyncio.get_running_loop().time() - begun < 300
        assert adapter.at(_ALIAS).moved == "its alias names another room now"
        await adapter.joining.heard(adapter.at(_ALIAS))
        assert adapter.memory.kept == {"heard !lake": _ALIAS.id}
        asked = adapter.homeserver.asked.count(f"GET directory/room/{_ALIAS.id}")
        await asyncio.sleep(3600)
        assert 10 <= adapter.homeserver.asked.count(f"GET directory/room/{_ALIAS.id}") - asked <= 20


async def test_an_alias_whose_new_room_does_not_let_us_in_leaves_us_in_the_old_one_also_after_a_restart() -> None:
    adapter = Adapter(_ALIAS)
    with capture_logs() as logs:
        async with adapter.holding():
            await adapter.complete()
            await adapter.joining.heard(adapter.at(_ALIAS))
            adapter.homeserver.ids[_ALIAS.id] = "!lake"
            adapter.homeserver.shut = {_ALIAS.id}
            await asyncio.sleep(1000)
            assert (adapter.at(_ALIAS).id, adapter.at(_ALIAS).inside) == ("!pond", True)
            assert adapter.rooms.by_id("!lake") is None
    (line,) = [line for line in logs if line["event"] == "room_not_followed"]
    assert (line["new"], line["reason"]) == ("!lake", "M_FORBIDDEN: not invited")
    assert adapter.memory.kept == {"heard !pond": _ALIAS.id}
    again = Adapter(_ALIAS, memory=adapter.memory.kept)
    again.homeserver.ids[_ALIAS.id] = "!lake"
    again.homeserver.shut = {_ALIAS.id}
    async with again.holding():
        await again.complete()
        assert (again.at(_ALIAS).id, again.at(_ALIAS).inside) == ("!pond", True)
        again.homeserver.shut = set()
        assert await again.joining.invited("!lake")
        async with asyncio.timeout(5):
            await again.is_at(_ALIAS, "!lake")


async def test_an_alias_that_is_gone_leaves_us_in_its_room_also_after_a_restart() -> None:
    adapter = Adapter(_ALIAS, memory={"heard !pond": _ALIAS.id})
    del adapter.homeserver.ids[_ALIAS.id]
    with capture_logs() as logs:
        async with adapter.holding():
            await adapter.complete()
            assert adapter.at(_ALIAS).inside
            await asyncio.sleep(1000)
            assert adapter.at(_ALIAS).inside
    assert [line["id"] for line in logs if line["event"] == "alias_gone"] == ["!pond"]


async def test_an_alias_of_a_room_that_is_configured_too_is_not_followed_there() -> None:
    lake = Room("home", "!lake")
    adapter = Adapter(_ALIAS, lake)
    async with adapter.holding():
        await adapter.complete()
        adapter.homeserver.ids[_ALIAS.id] = "!lake"
        await asyncio.sleep(1000)
        assert (adapter.at(_ALIAS).id, adapter.at(lake).id) == ("!pond", "!lake")


@pytest.mark.parametrize("room", [_ALIAS, _ID])
@pytest.mark.parametrize(
    "where",
    [
        "GET rooms/!pond/context/$stone",
        "POST join/!new",
        "GET rooms/!new/state/m.room.create/",
        "GET rooms/!new/messages",
        "",
    ],
)
async def test_an_upgrade_that_a_restart_interrupts_is_followed_and_what_is_said_there_meanwhile_waits(
    room: Room, where: str
) -> None:
    adapter = Adapter(room)
    adapter.homeserver.slow[where] = asyncio.Event()
    async with adapter.holding():
        await adapter.complete()
        await adapter.joining.heard(adapter.at(room))
        adapter.replaced(room)
        await (adapter.homeserver.until(where) if where else adapter.is_at(room, "!new"))
        if where != "GET rooms/!pond/context/$stone":
            new = adapter.rooms.by_id("!new")
            assert new is not None  # a sync that shows it knows it, and waits
            assert new.stage is (Stage.NEW if not where else Stage.ARRIVING)
    again = Adapter(room, memory=adapter.memory.kept)
    again.homeserver.tombstones = {"!pond": "!new"}
    async with again.holding():
        if where != "GET rooms/!pond/context/$stone":
            new = again.rooms.by_id("!new")
            assert new is not None
            assert new.stage is Stage.ARRIVING
            async with asyncio.timeout(10):
                await again.joining.settle(new, inside=True)
            assert new.inside
        await again.is_at(room, "!new")
        assert again.at(room).moved == "it was upgraded"
        await again.joining.heard(again.at(room))
        assert again.memory.kept == {"moved !pond": "!new", "heard !new": room.id}


async def test_a_sync_does_not_wait_for_a_new_room_that_does_not_let_us_in_or_that_is_not_wanted_any_more() -> None:
    adapter = Adapter(_ID, memory={"coming !new": json.dumps(["it was upgraded", _ID.id]), "heard !pond": _ID.id})
    adapter.homeserver.tombstones = {"!pond": "!new"}
    adapter.homeserver.shut = {"!new"}
    async with adapter.holding():
        new = adapter.rooms.by_id("!new")
        assert new is not None
        async with asyncio.timeout(5):
            await new.settled()
        assert new.closed
        assert adapter.memory.kept == {"heard !pond": _ID.id}
    other = Adapter(memory={"coming !new": json.dumps(["it was upgraded", _ID.id])})
    async with other.holding():
        assert (other.rooms.by_id("!new"), other.memory.kept) == (None, {})
    gone = Adapter(_ID, memory={"coming !new": json.dumps(["it was upgraded", _ID.id]), "heard !pond": _ID.id})
    async with gone.holding():  # it is not upgraded any more
        await gone.complete()
        await asyncio.sleep(1)
        assert gone.rooms.by_id("!new") is None
        gone.joining.use([])
        await asyncio.sleep(1)
        assert gone.memory.kept == {}


async def test_a_new_room_that_cannot_be_reached_is_tried_again_soon_while_a_sync_waits_for_it() -> None:
    adapter = Adapter(_ALIAS)
    async with adapter.holding():
        await adapter.complete()
        adapter.homeserver.ids[_ALIAS.id] = "!lake"
        adapter.homeserver.falls[f"POST join/{_ALIAS.id}"] = Unreachable("away")
        assert await adapter.joining.invited("!lake")
        await asyncio.sleep(10)
        lake = adapter.rooms.by_id("!lake")
        assert lake is not None
        waiting = asyncio.ensure_future(adapter.joining.settle(lake, inside=True))
        await asyncio.sleep(1)
        adapter.homeserver.falls.clear()
        async with asyncio.timeout(60):
            await waiting
            await adapter.is_at(_ALIAS, "!lake")


async def test_strangers_invitations_cost_few_looks_for_aliases_however_many_they_are() -> None:
    adapter = Adapter(_ALIAS)
    async with adapter.holding():
        await adapter.complete()
        before, noted = len(adapter.homeserver.asked), asyncio.get_running_loop().time()
        found = await asyncio.gather(*(adapter.joining.invited(f"!{number}", noted) for number in range(1000)))
        assert not any(found)
        assert len(adapter.homeserver.asked) - before == 1
        for number in range(10):
            await asyncio.sleep(0.001)
            assert not await adapter.joining.invited(f"!{number}", asyncio.get_running_loop().time())
        assert asyncio.get_running_loop().time() - noted >= 9


async def test_an_invitation_to_a_room_that_claims_to_replace_ours_waits_for_the_upgrade() -> None:
    adapter = Adapter(_ID)
    async with adapter.holding():
        await adapter.complete()
        assert await adapter.joining.invited("!new", 0.0, "!pond")
        assert not await adapter.joining.invited("!new", 0.0, "!elsewhere")
        await asyncio.sleep(1000)
        assert "POST join/!new" not in adapter.homeserver.asked
        adapter.replaced(_ID)
        await adapter.is_at(_ID, "!new")
