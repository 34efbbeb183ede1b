"""Readiness: from when on nothing said in the configured rooms is missed."""

import asyncio
from collections.abc import Iterable

from bridge.irc.hearing.cursor import Cursor
from bridge.model.event import Room


class Readiness:
    """Ready once every configured room has been joined, and the position to resume from is stored for each."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self._missing = {*rooms}
        self._unmarked: set[Room] = set()
        self._ready = asyncio.Event()

    def begin(self, rooms: Iterable[Room], cursor: Cursor) -> None:
        """Start over with these rooms, from `cursor`."""
        self._missing = {*rooms}
        self._unmarked = {room for room in self._missing if cursor.of(room.id) is None}
        self._ready.clear()

    def use(self, rooms: Iterable[Room], fresh: Iterable[Room]) -> None:
        """Replace the rooms; the `fresh` ones have not been joined yet."""
        self._missing = (self._missing & {*rooms}) | {*fresh}
        self._unmarked = (self._unmarked & {*rooms}) | {*fresh}
        if self._missing:
            self._ready.clear()

    def joined(self, room: Room) -> None:
        self._missing.discard(room)

    def kept(self, cursor: Cursor) -> None:
        """`cursor` is stored."""
        if self._unmarked:
            self._unmarked = {room for room in self._unmarked if cursor.of(room.id) is None}

    def note(self) -> None:
        """Check again after a change. Call only if we are or have been online."""
        if not self._missing and not self._unmarked:
            self._ready.set()

    async def wait(self) -> None:
        await self._ready.wait()
