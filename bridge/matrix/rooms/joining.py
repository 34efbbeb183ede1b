"""Joins the configured rooms and keeps us in them: each on its own, tried again with growing pauses."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from bridge.lib.backoff import Backoff
from bridge.lib.waiting import is_set_within
from bridge.matrix.account import Account
from bridge.matrix.dialect.sync import Replacement
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable, expected
from bridge.matrix.rooms.joined import JoinedRoom, Rooms, Stage
from bridge.matrix.rooms.upgrades import Upgrades
from bridge.model.event import Room
from bridge.network import Memory, Refused

log = structlog.get_logger()

_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0
_SOON = 1.0
"""First pause in seconds after an error that passes."""
_AT_ONCE = 5
"""Most rooms being joined at a time: homeservers limit the rate."""
_MOVES = Backoff(first_s=1.0, longest_s=600.0)
"""Pauses between looks for where an upgraded room is found now: its alias may follow later."""
_HEARD = "heard "
_BY_ITSELF = "nothing to do: the bridge tries again"
_HINTS: Mapping[str, str] = {
    "M_FORBIDDEN": "invite {us} to the room, or let everybody join it; lift its ban if there is one",
    "M_NOT_FOUND": "check the room's name in the configuration",
    "M_UNKNOWN": "the homeserver could not reach the room's server; check the room's name in the configuration",
    "M_LIMIT_EXCEEDED": "nothing to do: the homeserver limits how fast rooms are joined, the bridge tries again",
    "M_INVALID_PARAM": "check the room's name in the configuration",
}


class _NotJoined(Exception):
    """A join failed. `pause`: seconds to the next try; if 0, pauses grow from `first` seconds."""

    def __init__(self, reason: str, hint: str, pause: float = 0.0, first: float = _FIRST_PAUSE) -> None:
        super().__init__(reason)
        self.hint = hint
        self.pause = pause
        self.first = first


class Joining:
    """`wanted` are the configured rooms. `complete` is set once each has been joined."""

    def __init__(
        self,
        wanted: Sequence[Room],
        rooms: Rooms,
        homeserver: Homeserver,
        account: Account,
        memory: Memory,
        rng: random.Random,
    ) -> None:
        self.complete = asyncio.Event()
        self._rooms = rooms
        self._homeserver = homeserver
        self._account = account
        self._memory = memory
        self._rng = rng
        self._tried = {room: asyncio.Event() for room in wanted}
        self._missing = set(wanted)
        self._stirs = {room: asyncio.Event() for room in wanted}
        self._late: set[Room] = set()
        self._holding: dict[Room, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._ids: dict[Room, str] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._upgrades = Upgrades(homeserver, memory)

    async def hold(self) -> None:
        """Join every room, and rejoin it whenever we are not in it any more. Does not return."""
        self._note()
        try:
            async with asyncio.TaskGroup() as self._group:
                for room in self._stirs:
                    self._begin(room)
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._holding.clear()

    def use(self, rooms: Sequence[Room]) -> None:
        """Replace the wanted rooms. We stay in rooms that are no longer wanted, but ignore them: had we left an
        invite-only room, we might not get back in."""
        for room in [room for room in self._stirs if room not in rooms]:
            self._forget(room)
        for room in rooms:
            if room not in self._stirs:
                self._tried[room], self._stirs[room] = asyncio.Event(), asyncio.Event()
                self._missing.add(room)
                self._late.add(room)
                self._begin(room)
        if self._missing:
            self.complete.clear()
        self._note()

    def wants(self, room: Room) -> bool:
        return room in self._stirs

    async def recall(self) -> None:
        """Hear the rooms that we were in from the start, even if their homeservers are away. Forget those that are not
        wanted any more, or were not for a while: they are new when wanted again."""
        await self._upgrades.recall()
        kept = {key: name for key, name in (await self._memory.recall()).items() if key.startswith(_HEARD)}
        stayed = [room for room in self._stirs if room not in self._late]
        for room in stayed:
            for key in [key for key, name in kept.items() if name == room.id]:
                self._ids[room] = key.removeprefix(_HEARD)
                self._rooms.add(self._ids[room], room).recall()
        names = {room.id for room in stayed}
        if gone := {key: None for key, name in kept.items() if name not in names}:
            await self._memory.remember(gone)

    async def tried(self, *rooms: Room) -> None:
        """Return when the join of each of `rooms` (none: of all) has been tried. Rooms removed meanwhile do not
        count."""
        for room in rooms or [*self._tried]:
            if room in self._tried:
                await self._tried[room].wait()

    async def settle(self, joined: JoinedRoom, *, inside: bool) -> None:
        """Return once it is known which messages of a room in a sync are new. `inside` is whether the homeserver says
        that we are in it: if we thought otherwise, we join now."""
        if inside:
            joined.arrive()
        tried = self._tried.get(joined.room)
        if joined.stage is Stage.ARRIVING and tried is not None and tried.is_set():
            self._stir(joined.room)  # now, so that the others do not wait for its next try
        await joined.settled()

    async def left(self, joined: JoinedRoom, reason: str) -> None:
        """We were removed from the room."""
        joined.leave(reason)
        await self._memory.remember({_HEARD + joined.id: None})
        self._stir(joined.room)

    def replaced(self, joined: JoinedRoom, new: Replacement) -> None:
        """The room was upgraded. We go on in the new one: once the configured alias names it, or at once if the old one
        is configured by its id."""
        if joined.closed or joined.replacement == new:
            return
        joined.replacement = new
        hint = f"the bridge goes on in the new room once {joined.room.id} is its alias"
        if not _is_alias(joined.room):
            hint = "put the new room into the configuration; the bridge goes there by itself, if it is let in"
        log.warning("room_replaced", network=joined.room.network, room=str(joined.room), new=new.id, hint=hint)
        self._stir(joined.room)

    async def invited(self, room_id: str) -> bool:
        """Join the room now if it is a configured one, or replaces one; whether it does."""
        room = self._known_as(room_id) or self._replaced_by(room_id) or await self._resolved_to(room_id)
        if room is None:
            return False
        self._stir(room)
        return True

    async def heard(self, joined: JoinedRoom) -> None:
        """What was said since we came has been stored: from now on the cursor tells what is new."""
        joined.hear()
        if not joined.private and not joined.closed:
            self._late.discard(joined.room)
            await self._memory.remember({_HEARD + joined.id: joined.room.id})

    def _begin(self, room: Room) -> None:
        if self._group is not None:
            self._holding[room] = self._group.create_task(self._hold(room), name=f"join {room}")

    def _forget(self, room: Room) -> None:
        if (task := self._holding.pop(room, None)) is not None:
            task.cancel()
        self._tried.pop(room).set()  # nothing has to wait for it any more
        del self._stirs[room]
        self._missing.discard(room)
        self._late.discard(room)
        self._ids.pop(room, None)
        if (joined := self._rooms.of(room)) is None:
            return
        self._rooms.remove(joined)
        if self._group is not None:
            self._group.create_task(self._memory.remember({_HEARD + joined.id: None}), name=f"forget {room}")
        if (other := self._known_as(joined.id)) is not None:  # the same room is configured under another name too
            self._stir(other)

    async def _hold(self, room: Room) -> None:
        stir, failures = self._stirs[room], 0
        while True:
            stir.clear()
            try:
                async with self._turn:
                    joined = await self._join(room)
            except _NotJoined as trouble:
                pause = trouble.pause or Backoff(trouble.first, _LONGEST_PAUSE).plain(failures)
                failures += 1
                self._lament(room, trouble, pause)
                self._tried[room].set()
                await is_set_within(stir, pause * self._rng.uniform(1.0, 1.2))
                continue
            failures = 0
            log.info("joined", network=room.network, room=str(room))
            self._missing.discard(room)
            self._tried[room].set()
            self._note()
            await self._stay(joined, stir)
            if joined.inside or joined.closed:
                continue
            stir.clear()
            self._lament(room, _NotJoined(joined.absence, "invite {us} again, or lift its ban"), _FIRST_PAUSE)
            await is_set_within(stir, _FIRST_PAUSE)

    async def _stay(self, joined: JoinedRoom, stir: asyncio.Event) -> None:
        """Return when the room, or another in its place, has to be joined: it is stirred, or was upgraded and is found
        elsewhere now."""
        looks = 0
        while not stir.is_set() or (joined.inside and joined.replacement is not None):
            if not joined.inside or joined.replacement is None:
                await stir.wait()
                continue
            stir.clear()
            if await self._has_moved(joined, joined.replacement):
                return
            await is_set_within(stir, _MOVES.plain(looks))
            looks += 1

    async def _has_moved(self, joined: JoinedRoom, new: Replacement) -> bool:
        """Whether the room is found in another place than `joined` now. A place that does not let us in yet is tried
        again later, and when we are invited."""
        try:
            if not _is_alias(joined.room) and not await self._upgrades.follow(joined, new):
                return False
            return await self._resolve(joined.room) != joined.id
        except (ApiError, Unreachable, Refused) as error:
            if joined.warns_of("tombstone"):
                room, reason = joined.room, str(error)
                hint = "invite the bridge's account to the new room; until then it stays in the old one"
                log.warning(
                    "room_not_followed", network=room.network, room=str(room), new=new.id, reason=reason, hint=hint
                )
            return False

    async def _join(self, room: Room) -> JoinedRoom:
        try:
            joined = self._rooms.add(await self._resolve(room), room)
            try:
                await self._arrive(joined)
            except ApiError as error:
                if not error.passes:
                    joined.refuse()
                raise
        except Refused as error:
            raise _NotJoined(str(error), "the bridge has to be logged in first") from None
        except ApiError as error:
            hint, first = _HINTS.get(error.code, _BY_ITSELF), _SOON if error.passes else _FIRST_PAUSE
            raise _NotJoined(str(error), hint, error.retry_after or 0.0, first) from None
        except Unreachable as error:
            raise _NotJoined(str(error), _BY_ITSELF, _SOON) from None
        except ValueError as error:
            raise _NotJoined(str(error), "configure each room only once", _LONGEST_PAUSE) from None
        return joined

    async def _arrive(self, joined: JoinedRoom) -> None:
        joined.arrive()  # nothing of it is heard before we know what is old
        us = self._account.us.user
        stayed = joined.room in self._late and await look.is_member(self._homeserver, joined.id, us)
        if not stayed:
            self._late.discard(joined.room)  # if the next try finds us in it, we came by this one
        expected(await self._homeserver.post("join", self._upgrades.place(joined.room)), "room_id")
        past: frozenset[str] = frozenset()
        if not joined.heard:
            past = await look.past(self._homeserver, joined.id, us, () if stayed else ("join",))
        if await look.is_encrypted(self._homeserver, joined.id):  # a sync may set it too; encryption never ends
            joined.encrypted = True
        joined.replacement = joined.replacement or await look.replacement(self._homeserver, joined.id)
        joined.enter(past)

    async def _resolve(self, room: Room) -> str:
        room_id = self._upgrades.place(room)
        if _is_alias(room):
            room_id = expected(await self._homeserver.get("directory", "room", room.id), "room_id")
        if not self.wants(room):  # it was removed while we asked
            return room_id
        self._ids[room] = room_id
        old = self._rooms.of(room)
        if old is not None and old.id != room_id:  # the alias is another room's now
            self._rooms.remove(old)
            await self._memory.remember({_HEARD + old.id: None})
        return room_id

    async def _resolved_to(self, room_id: str) -> Room | None:
        """The configured room whose alias is this room's now. Resolves all aliases again: they may have moved since our
        last look."""
        for room in [room for room in self._stirs if _is_alias(room)]:
            with suppress(ApiError, Unreachable):
                if await self._resolve(room) == room_id:
                    return self._known_as(room_id)
        return None

    def _replaced_by(self, room_id: str) -> Room | None:
        """The configured room that the room with this id replaces."""
        replacements = ((joined.room, joined.replacement) for joined in self._rooms if not joined.private)
        return next((room for room, new in replacements if new is not None and new.id == room_id), None)

    def _known_as(self, room_id: str) -> Room | None:
        return next((room for room, known in self._ids.items() if known == room_id), None)

    def _lament(self, room: Room, trouble: _NotJoined, pause: float) -> None:
        reason, us = str(trouble), self._account.us.user
        hint = f"{trouble.hint.replace('{us}', us)}; messages for it wait"
        log.error("not_joined", network=room.network, room=str(room), reason=reason, hint=hint, retry_in_s=round(pause))

    def _stir(self, room: Room) -> None:
        if room in self._stirs:
            self._stirs[room].set()

    def _note(self) -> None:
        if not self._missing:
            self.complete.set()


def _is_alias(room: Room) -> bool:
    return room.id.startswith("#")
