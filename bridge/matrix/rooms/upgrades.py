"""Follows upgraded rooms that are configured by id: an id never names the room that replaces it."""

import structlog

from bridge.matrix.dialect.fields import table, word
from bridge.matrix.dialect.sync import Replacement
from bridge.matrix.http.homeserver import ApiError, Homeserver, expected
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Room
from bridge.network import Memory

log = structlog.get_logger()

_MOVED = "moved "


class Upgrades:
    """Where the rooms that are configured by id are now; kept in `memory`."""

    def __init__(self, homeserver: Homeserver, memory: Memory) -> None:
        self._homeserver = homeserver
        self._memory = memory
        self._moved: dict[str, str] = {}

    async def recall(self) -> None:
        """Load what earlier runs followed."""
        kept = await self._memory.recall()
        self._moved = {key.removeprefix(_MOVED): now for key, now in kept.items() if key.startswith(_MOVED)}

    def place(self, room: Room) -> str:
        """The id or the alias by which `room` is found now."""
        return self._moved.get(room.id, room.id)

    async def follow(self, joined: JoinedRoom, new: Replacement) -> bool:
        """Join the room that replaces `joined`; whether that worked. A room that does not name `joined` as its
        predecessor (spec, `m.room.create`) is left again: anybody could claim to replace it. Raises ApiError or
        Unreachable if it does not let us in."""
        room = joined.room
        via = {"server_name": new.via, "via": new.via} if new.via else None
        expected(await self._homeserver.post("join", new.id, query=via), "room_id")
        created = await self._homeserver.get("rooms", new.id, "state", "m.room.create", "")
        if word(table(created, "predecessor"), "room_id") != joined.id:
            joined.replacement = None
            await self._leave(new.id)
            hint = "the new room does not name this one as the one that it replaces; the bridge stays here"
            log.warning("room_not_followed", network=room.network, room=str(room), new=new.id, hint=hint)
            return False
        await self._memory.remember({_MOVED + room.id: new.id})
        self._moved[room.id] = new.id
        hint = f"the room was upgraded, and the bridge goes on in the new one: put {new.id} into the configuration"
        log.warning("room_followed", network=room.network, room=str(room), new=new.id, hint=hint)
        return True

    async def _leave(self, room_id: str) -> None:
        try:
            await self._homeserver.post("rooms", room_id, "leave")
        except ApiError as error:
            if error.passes:
                raise
