"""The inbox: a bounded buffer of what was heard, between the socket and the consumer of batches."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.irc.effects import CaughtUp, Heard, Typed
from bridge.irc.hearing.cursor import Cursor
from bridge.lib.lru import LruDict
from bridge.lib.waiting import is_set_within
from bridge.model.event import Event, Message, Room
from bridge.model.people import Sender
from bridge.network import Batch, Gap, News, Typing

_FULL, _ROOM_AGAIN = 5000, 2500
"""Waiting messages at which we stop reading the socket, and at which we resume. Until we stop, PINGs are answered: that
is minutes of the busiest channel, and some megabytes."""
_HEAVY = 8_000_000
"""Characters of waiting messages at which we stop, too: ordinary ones have a tenth, but a line may have 16 KB."""
_BATCH = 100
"""Most items in one batch; it is stored in one transaction."""
_MOST_TYPING = 100
"""Most signals that somebody types that wait: of more, the oldest is forgotten."""
_MOST_NEWS = 100
"""Most pieces of news that wait to be told to people."""
_IDLE_S = 30.0
"""Seconds of silence after which the cursor moves all the same: until then we surely heard all."""


@dataclass(frozen=True, slots=True)
class _Put:
    """`at`: the time (seconds since the epoch) until which we had surely heard all, when `what` was put."""

    what: Heard | CaughtUp
    at: float


class Inbox:
    """One producer and one consumer, in one event loop. `cursor` is the position after what was taken, `heard` after
    all that was put. `until` is when the server last said anything (seconds since the epoch): all that was said before
    has been put; since then, a silent connection may have missed something. `remembers`: whether the network has a
    memory."""

    def __init__(self, cursor: Cursor, *, remembers: bool = False) -> None:
        self.cursor, self.heard = cursor, cursor.copy()
        self._remembers = remembers
        self.present: set[Room] = set()
        """The rooms in which we currently hear all that is said."""
        self.until = 0.0
        self._heard: deque[_Put] = deque()
        self._typing: LruDict[tuple[Room, str], Typing] = LruDict(_MOST_TYPING)
        self._changes: dict[str, str | None] = {}
        self._told: list[News] = []
        self._weight = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        return not self._room.is_set()

    def put(self, heard: Heard | CaughtUp | Typed) -> None:
        """Add an item. Never refuses: the producer waits for `room` between its reads. Only the newest signal that
        somebody types is kept of each person in a room, until the next batch."""
        if isinstance(heard, Typed):
            self._typing[_typist(heard.signal.room, heard.signal.sender)] = heard.signal
            self._news.set()
            return
        put = _Put(heard, self.until)
        _advance(self.heard, put)
        self._heard.append(put)
        self._news.set()
        self._weight += _weight(put)
        if len(self._heard) >= _FULL or self._weight >= _HEAVY:
            self._room.clear()

    def remember(self, changes: Mapping[str, str | None]) -> None:
        """Have the network remember these, with the next batch."""
        if changes:
            self._changes.update(changes)
            self._news.set()

    def tell(self, news: News) -> None:
        """Have people told, with the next batch. Of too much, the last is left out."""
        if len(self._told) < _MOST_NEWS:
            self._told.append(news)
            self._news.set()

    def leave(self, *rooms: Room) -> None:
        """We no longer hear these rooms."""
        left = [room for room in rooms if room in self.present]
        for room in left:
            self.heard.reached(room.id, self.until)
        self.cursor.left([room.id for room in left])
        self.present.difference_update(left)

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self._room.wait()

    def wake(self) -> None:
        """Make `take` return now, even if nothing waits."""
        self._news.set()

    async def take(self) -> Batch | None:
        """The next waiting items, in order, with all signals; None if `wake` was called and nothing waits. After
        `_IDLE_S` of silence: an empty batch that moves the cursor, or None if we are in no room."""
        if not await is_set_within(self._news, _IDLE_S):
            return self._batch(()) if self.present else None
        taken = [self._heard.popleft() for _ in range(min(_BATCH, len(self._heard)))]
        if not self._heard:
            self._news.clear()
        self._weight -= sum(map(_weight, taken))
        if len(self._heard) <= _ROOM_AGAIN and self._weight <= _HEAVY / 2:
            self._room.set()
        signals = tuple(self._typing.values())
        self._typing = LruDict(_MOST_TYPING)
        if taken or self._changes or self._told:
            return self._batch(taken, signals)
        # there is nothing to store, so the cursor stays as it was told last
        return Batch((), self.cursor.dump(), signals=signals) if signals else None

    def last(self) -> Batch | None:
        """When no more will be put and all is taken: the position until which we heard all, if it was not told yet."""
        has_moved = self.cursor.follow(self.heard)
        return self._of(()) if has_moved or self._changes or self._told else None

    def _batch(self, taken: Sequence[_Put], signals: tuple[Typing, ...] = ()) -> Batch:
        gaps = []
        for put in taken:
            _advance(self.cursor, put)
            if isinstance(put.what, CaughtUp) and put.what.since is not None:
                gaps.append(Gap(put.what.room, put.what.since, put.at))
        if not self._heard:
            self.cursor.present([room.id for room in self.present], self.until)
        return self._of(tuple(put.what.event for put in taken if isinstance(put.what, Heard)), tuple(gaps), signals)

    def _of(self, events: tuple[Event, ...], gaps: tuple[Gap, ...] = (), signals: tuple[Typing, ...] = ()) -> Batch:
        changes, self._changes = self._changes, {}
        news, self._told = tuple(self._told), []
        if self._remembers:
            changes |= self.cursor.spilled()
        return Batch(events, self.cursor.dump(), gaps, signals=signals, changes=changes, news=news)


def _weight(put: _Put) -> int:
    return sum(len(span.text) for span in put.what.event.text) if isinstance(put.what, Heard) else 0


def _typist(room: Room, sender: Sender) -> tuple[Room, str]:
    return room, sender.casemapping.fold(sender.address)


def _advance(cursor: Cursor, put: _Put) -> None:
    if not isinstance(put.what, Heard):
        cursor.caught_up(put.what.room.id, put.what.time, put.what.server, put.at)
    elif put.what.event.private:
        return
    elif not isinstance(put.what.event.body, Message):  # a history has none of these by which it could be resumed
        cursor.reached(put.what.event.room.id, put.at)
    else:
        cursor.heard(put.what.event.room.id, put.what.event.time, put.what.msgid, put.at)
