"""The order of what goes out to each room, while several posts are on their way at once."""

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


class Turn:
    """It is the turn of one post."""

    def __init__(self, lane: _Lane) -> None:
        self._lane = lane
        self.is_over = False

    def go_on(self) -> None:
        """It is out: the next may follow."""
        self.is_over = True
        self._lane.lock.release()


class Lanes:
    """Posts of one room take turns, first come, first served. Once one has failed and may be tried again, those that
    came behind it and have not had their turn fail too: they may not overtake it."""

    def __init__(self) -> None:
        self._lanes: dict[Room, _Lane] = {}

    @asynccontextmanager
    async def turn(self, room: Room) -> AsyncGenerator[Turn, None]:
        lane = self._lanes.setdefault(room, _Lane())
        lane.users += 1
        try:
            await lane.lock.acquire()
            turn = Turn(lane)
            try:
                if lane.broken:
                    raise TransientError("what was said before it is not out yet")
                yield turn
            except (TransientError, InDoubt):
                self._close(room, lane)
                raise
            finally:
                if not turn.is_over:
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
