"""Joins the configured rooms and keeps us in them: each on its own, tried again with growing pauses."""

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from bridge.lib.backoff import Backoff
from bridge.lib.waiting import Flag, is_set_within
from bridge.matrix.account import Account
from bridge.matrix.dialect.fields import values
from bridge.matrix.dialect.sync import Replacement
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable, expected
from bridge.matrix.rooms.joined import JoinedRoom, Rooms, Stage
from bridge.matrix.rooms.upgrades import HEARD, RENAMED, UPGRADED, NotFollowed, Upgrades
from bridge.model.event import Room
from bridge.network import Memory, Refused

log = structlog.get_logger()

_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0
_SOON = 1.0
"""First pause in seconds after an error that passes."""
_AT_ONCE = 5
"""Most rooms being joined at a time: homeservers limit the rate."""
_MOVES = Backoff(first_s=1.0, longest_s=240.0)
"""Pauses between tries to follow an upgraded room: the new one may let us in later."""
_LOOK_EVERY = 240.0
"""Seconds between looks for the room that an alias names, give or take a fifth: admins move aliases by hand."""
_LOOK_APART = 1.0
"""Least seconds between looks for all aliases because of invitations: anybody may send those."""
_ELSEWHERE = "elsewhere"
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
        self._tried = {room: Flag() for room in wanted}
        self._missing = set(wanted)
        self._stirs = {room: Flag() for room in wanted}
        self._late: set[Room] = set()
        self._troubles: dict[Room, str] = {}
        self._holding: dict[Room, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._ids: dict[Room, str] = {}  # where each is, or was when its alias was looked up
        self._named: dict[Room, str] = {}  # the rooms that the aliases named then
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._upgrades = Upgrades(rooms, homeserver, memory)
        self._looking = asyncio.Lock()
        self._looked = -math.inf  # when the last look for all aliases began
        self._stayed: set[str] = set()  # rooms that we were in when this run began, and have not joined again

    async def hold(self) -> None:
        """Join every room, and rejoin it whenever we are not in it any more. Does not return."""
        self._note()
        self._stayed = await self._still_in()
        self._resume()
        try:
            async with asyncio.TaskGroup() as self._group:
                for room in self._stirs:
                    self._begin(room)
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._holding.clear()

    async def _still_in(self) -> set[str]:
        """The rooms that we are in. Asked if an earlier run was in more than a few: joining each of a thousand again
        costs the homeserver most of the time of a restart."""
        if sum(joined.heard for joined in self._rooms) <= _AT_ONCE:
            return set()
        try:
            found = await self._homeserver.get("joined_rooms")
        except (ApiError, Unreachable, Refused):
            return set()
        return {each for each in values(found, "joined_rooms") if isinstance(each, str)}

    def _resume(self) -> None:
        """Go on in the rooms that an earlier run was in, and we still are: nothing has to wait until the homeserver has
        told what changed in each of a thousand. We ask that afterwards."""
        for room in self._stirs:
            joined = self._rooms.of(room)
            if joined is not None and joined.heard and joined.id in self._stayed:
                joined.resume()
                self._tried[room].set()
                self._missing.discard(room)
        self._note()

    def use(self, rooms: Sequence[Room]) -> None:
        """Replace the wanted rooms. We stay in rooms that are no longer wanted, but ignore them: had we left an
        invite-only room, we might not get back in."""
        for room in [room for room in self._stirs if room not in rooms]:
            self._forget(room)
        for room in rooms:
            if room not in self._stirs:
                self._tried[room], self._stirs[room] = Flag(), Flag()
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
        kept = {key: name for key, name in (await self._memory.recall()).items() if key.startswith(HEARD)}
        stayed = [room for room in self._stirs if room not in self._late]
        for room in stayed:
            for key in [key for key, name in kept.items() if name == room.id]:
                self._ids[room] = key.removeprefix(HEARD)
                self._rooms.add(self._ids[room], room).recall()
        names = {room.id for room in stayed}
        if gone := {key: None for key, name in kept.items() if name not in names}:
            await self._memory.remember(gone)
        await self._upgrades.recall({room.id: room for room in stayed})

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
        await self._memory.remember({HEARD + joined.id: None})
        self._stir(joined.room)

    def replaced(self, joined: JoinedRoom, new: Replacement) -> None:
        """The room was upgraded. We go on in the new one once it lets us in."""
        if joined.closed or new in (joined.replacement, joined.refused):
            return
        joined.replacement = new
        joined.is_over(_ELSEWHERE)
        hint = "the bridge goes on in the new room by itself, if it is let in"
        log.warning("room_replaced", network=joined.room.network, room=str(joined.room), new=new.id, hint=hint)
        self._stir(joined.room)

    async def invited(self, room_id: str, noted: float = math.inf, predecessor: str = "") -> bool:
        """Join the room now if it is a configured one, or replaces one; whether it does. `noted`: when the homeserver
        had told us of the invitation (event loop time). An invitation to a room that claims to replace one of ours (its
        `predecessor`) stays open: what that one says of it may come later."""
        room = self._known_as(room_id) or self._replaced_by(room_id) or await self._named_now(room_id, noted)
        if room is None and (old := self._rooms.by_id(predecessor)) is not None and not old.private:
            return True
        if room is None:
            return False
        self._stir(room)
        return True

    async def heard(self, joined: JoinedRoom) -> None:
        """What was said since we came has been stored: from now on the cursor tells what is new."""
        joined.hear()
        if not joined.private and not joined.closed:
            self._late.discard(joined.room)
            await self._memory.remember({HEARD + joined.id: joined.room.id, **self._upgrades.changes(joined)})
            joined.moved = ""

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
        self._troubles.pop(room, None)
        self._ids.pop(room, None)
        self._named.pop(room, None)
        gone = dict(self._upgrades.dropped(room))
        joined = self._rooms.of(room)
        if joined is not None:
            self._rooms.remove(joined)
            gone |= {HEARD + joined.id: None, **self._upgrades.changes(joined)}
        if gone and self._group is not None:
            self._group.create_task(self._memory.remember(gone), name=f"forget {room}")
        if joined is None:
            return
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
                self._troubles[room] = f"it could not be joined: {trouble}"
                if trouble.first != _SOON:
                    await self._upgrades.give_up(room)
                self._tried[room].set()
                await is_set_within(stir, pause * self._rng.uniform(1.0, 1.2))
                continue
            failures = 0
            self._troubles.pop(room, None)
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

    async def _stay(self, joined: JoinedRoom, stir: Flag) -> None:
        """Return when the room, or another in its place, has to be joined: it is stirred, or we have gone elsewhere."""
        looks, room = 0, joined.room
        while joined.inside:
            woken = stir.is_set()
            again = woken and joined.replacement is None
            stir.clear()
            known = joined.replacement is not None or self._upgrades.coming(room)
            elsewhere = known or self._ids.get(room, joined.id) != joined.id
            if (woken or looks or elsewhere) and await self._has_moved(joined):
                return
            if again:
                return
            pause = _LOOK_EVERY * self._rng.uniform(0.8, 1.2) if _is_alias(room) else math.inf
            if joined.replacement is not None or self._upgrades.coming(room):
                pause = min(pause, _MOVES.plain(looks))
            await is_set_within(stir, pause)
            looks += 1

    async def _has_moved(self, joined: JoinedRoom) -> bool:
        """Whether we have gone to another room that takes the place of `joined`. One that does not let us in yet is
        tried again later, and when we are invited."""
        room, new = joined.room, joined.replacement
        with suppress(ApiError, Unreachable, Refused):
            await self._look_up(room)
        place = self._ids.get(room, joined.id)
        try:
            if place != joined.id:
                why = UPGRADED if new is not None and new.id == place else RENAMED
                await self._upgrades.go(joined, place, room.id if self._named.get(room) == place else place, why)
            elif new is not None:
                await self._upgrades.follow(joined, new)
            else:
                joined.is_over(_ELSEWHERE)
                await self._upgrades.give_up(room)
                return False
        except NotFollowed as error:
            self._stays(joined, place, str(error), "the bridge stays in the old room")
            if place == joined.id and joined.replacement == new:
                joined.replacement, joined.refused = None, new
            return False
        except (ApiError, Unreachable, Refused) as error:
            hint = f"invite {self._account.us.user} to the new room; until then it stays in the old one"
            self._stays(joined, place, str(error), hint)
            return False
        return True

    def _stays(self, joined: JoinedRoom, place: str, reason: str, hint: str) -> None:
        """Warn, once, that we do not go elsewhere."""
        room, new = joined.room, joined.replacement
        if place == joined.id and new is not None:
            place = new.id
        if joined.warns_of(_ELSEWHERE):
            log.warning("room_not_followed", network=room.network, room=str(room), new=place, reason=reason, hint=hint)

    async def _join(self, room: Room) -> JoinedRoom:
        try:
            return await self._enter(room)
        except Refused as error:
            raise _NotJoined(str(error), "the bridge has to be logged in first") from None
        except ApiError as error:
            hint, first = _HINTS.get(error.code, _BY_ITSELF), _SOON if error.passes else _FIRST_PAUSE
            raise _NotJoined(str(error), hint, error.retry_after or 0.0, first) from None
        except Unreachable as error:
            raise _NotJoined(str(error), _BY_ITSELF, _SOON) from None
        except ValueError as error:
            raise _NotJoined(str(error), "configure each room only once", _LONGEST_PAUSE) from None

    async def _enter(self, room: Room) -> JoinedRoom:
        """Join `room` where it is found now. If we are in another place of it, stay there: `_stay` goes on from there,
        so that we lose no room for one that does not let us in."""
        old = self._rooms.of(room)
        place = await self._found(room, old)
        if old is not None and old.id != place:
            if old.heard and await self._is_let_in(old):
                return old
            self._rooms.remove(old)
            await self._memory.remember({HEARD + old.id: None})
        joined = self._rooms.add(place, room)
        try:
            await self._arrive(joined)
        except ApiError as error:
            if not error.passes:
                joined.refuse()
            raise
        return joined

    async def _found(self, room: Room, old: JoinedRoom | None) -> str:
        """The id of `room`: of the `old` one, if we are in it and its alias is gone."""
        try:
            return await self._look_up(room)
        except ApiError as error:
            if error.passes or error.logged_out or old is None or not old.heard:
                raise
            if old.warns_of("alias"):
                hint = "the bridge stays in the room that had this alias; put one that it has into the configuration"
                log.warning("alias_gone", network=room.network, room=str(room), id=old.id, reason=str(error), hint=hint)
            return old.id

    async def _is_let_in(self, joined: JoinedRoom) -> bool:
        try:
            await self._arrive(joined)
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            return False
        return True

    async def _arrive(self, joined: JoinedRoom) -> None:
        joined.arrive()  # nothing of it is heard before we know what is old
        us = self._account.us.user
        stayed = joined.room in self._late and await look.is_member(self._homeserver, joined.id, us)
        if not stayed:
            self._late.discard(joined.room)  # if the next try finds us in it, we came by this one
        if not (joined.heard and joined.id in self._stayed):
            by = (
                joined.room.id if self._named.get(joined.room) == joined.id else joined.id
            )  # an alias knows more servers
            expected(await self._homeserver.post("join", by), "room_id")
        self._stayed.discard(joined.id)  # from now on only what we hear tells whether we are in it
        past: frozenset[str] = frozenset()
        if not joined.heard:
            past = await look.past(self._homeserver, joined.id, us, () if stayed else ("join",))
        if (how := await look.encryption(self._homeserver, joined.id)) is not None:
            self._rooms.encrypt(joined, how)
        if (new := await look.replacement(self._homeserver, joined.id)) != joined.refused:
            joined.replacement = joined.replacement or new
        joined.enter(past)

    async def _look_up(self, room: Room) -> str:
        """The id of the room where `room` is found now."""
        room_id = room.id
        if _is_alias(room):
            room_id = expected(await self._homeserver.get("directory", "room", room.id), "room_id")
        place = self._upgrades.latest(room_id)
        if self.wants(room):  # it may have been removed while we asked
            self._ids[room], self._named[room] = place, room_id
        return place

    async def _named_now(self, room_id: str, noted: float) -> Room | None:
        """The configured room that is found in this one since `noted`. All aliases are looked up once for all that was
        noted before."""
        async with self._looking:
            if self._looked < noted:
                clock = asyncio.get_running_loop().time
                await asyncio.sleep(max(0.0, self._looked + _LOOK_APART - clock()))
                self._looked = clock()
                for room in [room for room in self._stirs if _is_alias(room)]:
                    with suppress(ApiError, Unreachable):
                        await self._look_up(room)
        return self._known_as(room_id)

    def _replaced_by(self, room_id: str) -> Room | None:
        """The configured room that the room with this id replaces."""
        replacements = ((joined.room, joined.replacement) for joined in self._rooms if not joined.private)
        return next((room for room, new in replacements if new is not None and new.id == room_id), None)

    def _known_as(self, room_id: str) -> Room | None:
        return next((room for room, known in self._ids.items() if known == room_id), None)

    def trouble(self, room: Room) -> str:
        """Why we are not in a configured room; empty if we are, or it is none."""
        return self._troubles.get(room, "not joined yet" if room in self._missing else "")

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
