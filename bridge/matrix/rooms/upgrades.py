"""Goes from a room to another that takes its place: one that replaces it (spec, "Room upgrades"), or that its alias
names now. The way survives a restart at any moment."""

import json
from collections.abc import Mapping, Sequence

import structlog

from bridge.matrix.dialect.sync import Replacement
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, expected
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.model.event import Room
from bridge.network import Memory

log = structlog.get_logger()

HEARD = "heard "
"""Before the id of a room: the key that keeps as which configured room it is heard."""
_MOVED = "moved "
"""Before the id of a room that was left for another: the key that keeps the other's id."""
_COMING = "coming "
"""Before the id of a room that we are on our way to: the key that keeps from where, why, and for which room."""
UPGRADED = "it was upgraded"
RENAMED = "its alias names another room now"


class NotFollowed(Exception):
    """A room does not take the place of another, and never will. The text says why."""


class Upgrades:
    """`rooms` has the rooms that we are on our way to as ARRIVING: a sync that shows one of them waits."""

    def __init__(self, rooms: Rooms, homeserver: Homeserver, memory: Memory) -> None:
        self._rooms = rooms
        self._homeserver = homeserver
        self._memory = memory
        self._moved: dict[str, str] = {}

    async def recall(self, wanted: Mapping[str, Room]) -> None:
        """Load what earlier runs have followed, and where they were on their way to. `wanted`: rooms by their ids."""
        kept = await self._memory.recall()
        self._moved = {key.removeprefix(_MOVED): now for key, now in kept.items() if key.startswith(_MOVED)}
        for key, value in kept.items():
            if key.startswith(_COMING):
                why, name = json.loads(value)
                room_id = key.removeprefix(_COMING)
                if name not in wanted or self._rooms.by_id(room_id) is not None:
                    await self._memory.remember({key: None})
                else:
                    self._rooms.expect(room_id, wanted[name], why)

    def latest(self, room_id: str) -> str:
        """The id of the room in which people go on who were in this one, as far as we have followed them."""
        passed = {room_id}
        while (following := self._moved.get(room_id)) is not None and following not in passed:
            room_id = following
            passed.add(room_id)
        return room_id

    async def follow(self, joined: JoinedRoom, new: Replacement) -> None:
        """Join the room that replaces `joined`: if who says so had the power to say it, and the new room says so too.
        Raises NotFollowed otherwise, and ApiError, Unreachable or Refused if it does not let us in."""
        if new.event:
            power = await look.power(self._homeserver, joined.id, new.event)
            if new.sender and not power.may_send_state(new.sender, "m.room.tombstone"):
                raise NotFollowed(f"{new.sender}, who announced the new room, had no power to replace this one")
        await self._join(joined, new.id, UPGRADED, new.id, new.via)
        if await look.predecessor(self._homeserver, new.id) != joined.id:
            await self._leave(new.id)
            await self.give_up(joined.room)
            raise NotFollowed("the new room does not name this one as the one that it replaces")
        await self._arrived(joined, new.id)

    async def go(self, joined: JoinedRoom, room_id: str, by: str, why: str) -> None:
        """Join the room that takes the place of `joined` by the operator's own words; `by` is its alias or its id.
        Raises NotFollowed if it cannot, and ApiError, Unreachable or Refused if it does not let us in."""
        await self._join(joined, room_id, why, by)
        await self._arrived(joined, room_id)

    async def give_up(self, room: Room) -> None:
        """We do not go to any other place of `room`: a sync need not wait for one."""
        if gone := self.dropped(room):
            await self._memory.remember(gone)

    def dropped(self, room: Room) -> Mapping[str, str | None]:
        """The same; returns what to remember of it."""
        coming = self.coming(room)
        for joined in coming:
            self._rooms.remove(joined)
        return {_COMING + joined.id: None for joined in coming}

    def coming(self, room: Room) -> Sequence[JoinedRoom]:
        """Where we are on our way to, to go on there instead of where `room` is now."""
        current = self._rooms.of(room)
        return [joined for joined in self._rooms if joined.moved and joined.room == room and joined is not current]

    def changes(self, joined: JoinedRoom) -> Mapping[str, str | None]:
        """What to remember once what was said since we came to `joined` is stored."""
        return {_COMING + joined.id: None} if joined.moved else {}

    async def _join(self, joined: JoinedRoom, room_id: str, why: str, by: str, via: str = "") -> None:
        room = joined.room
        known = self._rooms.by_id(room_id)
        if known is not None and known.room != room and not known.private:
            raise NotFollowed(f"it is the same room as {known.room.id}, which is configured too")
        if any(other.id != room_id for other in self.coming(room)):
            await self.give_up(room)
        self._rooms.expect(room_id, room, why)
        await self._memory.remember({_COMING + room_id: json.dumps([why, room.id])})
        query = {"server_name": via, "via": via} if via else None
        try:
            expected(await self._homeserver.post("join", by, query=query), "room_id")
        except ApiError as error:
            if not error.passes:
                await self.give_up(room)
            raise

    async def _arrived(self, joined: JoinedRoom, room_id: str) -> None:
        """We are in the other room. After an upgrade, the alias may go on naming the old one, or again."""
        room, why = joined.room, self._rooms.expect(room_id, joined.room).moved
        changes: dict[str, str | None] = {HEARD + joined.id: None}
        if why == UPGRADED:
            changes |= {_MOVED + joined.id: room_id, _MOVED + room_id: None}
        await self._memory.remember(changes)
        if why == UPGRADED:
            self._moved.pop(room_id, None)
            self._moved[joined.id] = room_id
        self._rooms.remove(joined)
        hint = "the bridge goes on in the new room"
        if not room.id.startswith("#"):
            hint = f"{hint}: put {room_id} into the configuration"
        log.warning("room_followed", network=room.network, room=str(room), new=room_id, reason=why, hint=hint)

    async def _leave(self, room_id: str) -> None:
        try:
            await self._homeserver.post("rooms", room_id, "leave")
        except ApiError as error:
            if error.passes:
                raise
