"""What was heard and is not taken yet: the bounded buffer between the socket and who asks for the next batch."""

import asyncio
from collections import deque

from bridge.model import Message
from bridge.network import Batch

_FULL, _ROOM_AGAIN = 5000, 2500
"""Messages that wait before the socket is read no more, and when it is again. Until then PINGs are answered: that is
minutes of the busiest channel, and some megabytes."""
_BATCH = 100
"""Events of one batch: they are stored in one transaction."""


class Intake:
    """One producer and one consumer, in one event loop."""

    def __init__(self) -> None:
        self._heard: deque[tuple[Message, str]] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        return not self._room.is_set()

    def put(self, message: Message, cursor: str) -> None:
        """Never refused: the producer asks for `room` between what it reads at once."""
        self._heard.append((message, cursor))
        self._news.set()
        if len(self._heard) >= _FULL:
            self._room.clear()

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._room.wait()

    def wake(self) -> None:
        """Make `take` return, with nothing if need be."""
        self._news.set()

    async def take(self) -> Batch | None:
        """What came together, in order; None where there is nothing and `wake` was called."""
        await self._news.wait()
        batch = [self._heard.popleft() for _ in range(min(_BATCH, len(self._heard)))]
        if not self._heard:
            self._news.clear()
        if len(self._heard) <= _ROOM_AGAIN:
            self._room.set()
        return Batch(tuple(message for message, _ in batch), batch[-1][1]) if batch else None
