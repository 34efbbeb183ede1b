"""Read receipts: shows the people in a room how far their words have arrived elsewhere."""

import asyncio
from contextlib import suppress

from bridge.lib.lru import LruDict
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.rooms.joined import Rooms
from bridge.model.event import EventKey, Room
from bridge.network import Refused

_APART_S = 5.0
"""Seconds between two rounds: in each, a room gets the newest receipt that it is owed."""
_ROOMS = 1000
"""Most rooms that wait for a receipt."""


class Receipts:
    """`online` is set while the homeserver answers. A receipt that cannot be sent is dropped: a later one says more."""

    def __init__(self, rooms: Rooms, homeserver: Homeserver, online: asyncio.Event) -> None:
        self._rooms = rooms
        self._homeserver = homeserver
        self._online = online
        self._due: LruDict[Room, str] = LruDict(_ROOMS)
        self._more = asyncio.Event()

    def read(self, event: EventKey) -> None:
        """Show soon that we have read `event`, and with it all before it in its room."""
        self._due[event.room] = event.id
        self._more.set()

    async def hold(self) -> None:
        """Send the receipts that are due. Does not return."""
        while True:
            await self._more.wait()
            self._more.clear()
            for room in self._due:
                if event_id := self._due.pop(room):
                    await self._show(room, event_id)
            await asyncio.sleep(_APART_S)

    async def _show(self, room: Room, event_id: str) -> None:
        joined = self._rooms.of(room)
        if joined is None or not joined.inside or not self._online.is_set():
            return
        with suppress(ApiError, Unreachable, Refused):
            await self._homeserver.post("rooms", joined.id, "receipt", "m.read", event_id)
