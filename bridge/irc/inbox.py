"""What was heard and is not taken yet: the bounded buffer between the socket and who asks for the next batch."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.irc.effects import CaughtUp, Heard
from bridge.irc.hearing.cursor import Cursor
from bridge.lib.waiting import is_set_within
from bridge.model.event import Room
from bridge.network import Batch, Gap

_FULL, _ROOM_AGAIN = 5000, 2500
"""Messages that wait before the socket is read no more, and when it is again. Until then PINGs are answered: that is
minutes of the busiest channel, and some megabytes."""
_HEAVY = 8_000_000
"""Characters of these: ordinary messages have a tenth of that, but a server may send lines of 16 KB."""
_BATCH = 100
"""Events of one batch: they are stored in one transaction."""
_IDLE_S = 60.0
"""When nothing was said for so long, the cursor moves all the same: until then we surely heard all."""


@dataclass(frozen=True, slots=True)
class _Put:
    """`at` is until when we had surely heard all, when it was put: seconds since the epoch."""

    what: Heard | CaughtUp
    at: float


class Inbox:
    """One producer and one consumer, in one event loop. `cursor` is behind what was taken, `heard` behind all that was
    put. `until` is when the server last said anything, in seconds since the epoch: all that was said before it has been
    put, and a silent connection may not hear any more."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = self.heard = cursor
        self.present: set[Room] = set()
        """The rooms in which we hear all that is said right now."""
        self.until = 0.0
        self._heard: deque[_Put] = deque()
        self._weight = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        return not self._room.is_set()

    def put(self, heard: Heard | CaughtUp) -> None:
        """Never refused: the producer asks for `room` between what it reads at once."""
        put = _Put(heard, self.until)
        self.heard = _after(self.heard, put)
        self._heard.append(put)
        self._news.set()
        self._weight += _weight(put)
        if len(self._heard) >= _FULL or self._weight >= _HEAVY:
            self._room.clear()

    def leave(self, *rooms: Room) -> None:
        """We hear nothing of these any more."""
        left = [room for room in rooms if room in self.present]
        self.heard = self.heard.present([room.id for room in left], self.until)
        self.present.difference_update(left)

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._room.wait()

    def wake(self) -> None:
        """Make `take` return, with nothing if need be."""
        self._news.set()

    async def take(self) -> Batch | None:
        """What came together, in order; None where there is nothing and `wake` was called. After a while in which
        nothing came, an empty batch says so."""
        if not await is_set_within(self._news, _IDLE_S):
            return self._batch(()) if self.present else None
        taken = [self._heard.popleft() for _ in range(min(_BATCH, len(self._heard)))]
        if not self._heard:
            self._news.clear()
        self._weight -= sum(map(_weight, taken))
        if len(self._heard) <= _ROOM_AGAIN and self._weight <= _HEAVY / 2:
            self._room.set()
        return self._batch(taken) if taken else None

    def _batch(self, taken: Sequence[_Put]) -> Batch:
        gaps = []
        for put in taken:
            self.cursor = _after(self.cursor, put)
            if isinstance(put.what, CaughtUp) and put.what.since is not None:
                gaps.append(Gap(put.what.room, put.what.since, put.at))
        if not self._heard:
            self.cursor = self.cursor.present([room.id for room in self.present], self.until)
        events = tuple(put.what.event for put in taken if isinstance(put.what, Heard))
        return Batch(events, self.cursor.dump(), tuple(gaps))


def _weight(put: _Put) -> int:
    return sum(len(span.text) for span in put.what.event.text) if isinstance(put.what, Heard) else 0


def _after(cursor: Cursor, put: _Put) -> Cursor:
    if isinstance(put.what, Heard):
        event = put.what.event
        return cursor if event.private else cursor.heard(event.room.id, event.time, put.what.msgid, put.at)
    return cursor.caught_up(put.what.room.id, put.what.time, put.what.server, put.at)
