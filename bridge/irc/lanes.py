"""Keeps the posts to each room in order while several are on their way at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bridge.model.event import Room
from bridge.network import InDoubt, TransientError


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    broken: bool = False
    flying: int = 0
    landed: asyncio.Event = field(default_factory=asyncio.Event)


class Turn:
    """The turn of one post in its lane."""

    def __init__(self, lane: _Lane) -> None:
        self._lane = lane
        self.is_over = False

    def go_on(self) -> None:
        """End the turn early: the post is out, the next may follow."""
        self.is_over = True
        self._lane.flying += 1
        self._lane.lock.release()

    async def alone(self) -> None:
        """Wait until the fate of all posts before this one is known. Raises TransientError if one of them failed, and
        may be tried again."""
        while self._lane.flying:
            self._lane.landed.clear()
            await self._lane.landed.wait()
        if self._lane.broken:
            raise TransientError("an earlier message to this room is not sent yet")

    def landed(self) -> None:
        """The fate of the post is known, whose turn has ended before."""
        self._lane.flying -= 1
        self._lane.landed.set()


class Lanes:
    """Posts to one room take turns, first come, first served. If one fails and may be tried again, those that still
    wait behind it fail too: they must not overtake it."""

    def __init__(self) -> None:
        self._lanes: dict[Room, _Lane] = {}

    @asynccontextmanager
    async def turn(self, room: Room) -> AsyncGenerator[Turn, None]:
        lane = self._lanes.setdefault(room, _Lane())
        lane.users += 1
        try:
            await asyncio.sleep(0)  # let those come in that were begun together: if the first fails, they must too
            await lane.lock.acquire()
            turn = Turn(lane)
            try:
                if lane.broken:
                    raise TransientError("an earlier message to this room is not sent yet")
                yield turn
            except (TransientError, InDoubt):
                self._close(room, lane)
                raise
            finally:
                if turn.is_over:
                    turn.landed()
                else:
                    lane.lock.release()
        finally:
            lane.users -= 1
            if not lane.users:
                self._drop(room, lane)

    def _close(self, room: Room, lane: _Lane) -> None:
        lane.broken = True
        self._drop(room, lane)

    def _drop(self, room: Room, lane: _Lane) -> None:
        if self._lanes.get(room) is lane:
            del self._lanes[room]
