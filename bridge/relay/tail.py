"""Tells those who watch what is carried, line by line. While nobody watches, nothing is done."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from bridge.model.event import BOTS, Edit, Event, Message, Room
from bridge.model.health import rfc3339
from bridge.model.text import one_line, plain
from bridge.relay.checks import told
from bridge.rules.case import Aside, Verdict

MOST = 4
"""Watchers at a time."""
_BEHIND = 1_000
"""Lines that wait for a watcher who reads slowly, at most: then the oldest are lost, and counted."""
_WORDS = 300
"""Characters shown of a message."""

Line = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a post: it is `sent`, with the id that the network has given it (`remote`), `postponed`, or
    `dead`, for that `reason`."""

    what: Literal["sent", "postponed", "dead"]
    is_private: bool
    remote: str = ""
    reason: str = ""


class TooMany(Exception):
    """All places of watchers are taken."""


class Watcher:
    """Gets the lines of a `Tail`. `words`: with who said it, and what, unless it was private."""

    def __init__(self, *, words: bool) -> None:
        self.words = words
        self._lines: deque[Line] = deque()
        self._missed = 0
        self._more = asyncio.Event()

    def add(self, line: Line) -> None:
        if len(self._lines) >= _BEHIND:
            self._lines.popleft()
            self._missed += 1
        self._lines.append(line)
        self._more.set()

    async def take(self) -> Sequence[Line]:
        """All lines that wait, once there are some. A first line may tell how many were `missed`."""
        await self._more.wait()
        self._more.clear()
        lines, self._lines = [*self._lines], deque()
        missed, self._missed = self._missed, 0
        return [{"missed": missed}, *lines] if missed else lines


class Tail:
    """Passes on to all watchers what happens. Ask `is_watched` before making anything of it."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    @contextmanager
    def watching(self, *, words: bool) -> Iterator[Watcher]:
        """Watch until the end of the context. Raises TooMany."""
        if len(self._watchers) >= MOST:
            raise TooMany
        watcher = Watcher(words=words)
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(watcher)

    def heard(self, verdict: Verdict, now: float) -> None:
        """An event was heard and decided upon, at `now` (seconds since the epoch)."""
        event, refusal = verdict.case.event, verdict.refusal
        line: Line = {
            "time": rfc3339(now),
            "what": "refused" if refusal is not None else "heard",
            "type": str(event.body.type),
            "id": event.id,
            "room": _named(event.room, is_private=event.private),
            "to": [_named(room, is_private=event.private) for room in verdict.audience],
            "reason": told(refusal.reason) if refusal is not None else "",
        }
        self._tell(line, {} if event.private or verdict.aside is not Aside.NONE else _words(event))

    def posted(self, outcome: Posted, room: Room, deliveries: Sequence[str], now: float) -> None:
        """`deliveries` to `room` were sent, or not, at `now` (seconds since the epoch)."""
        line: Line = {
            "time": rfc3339(now),
            "what": outcome.what,
            "room": _named(room, is_private=outcome.is_private),
            "deliveries": [*deliveries],
            "reason": told(outcome.reason),
        }
        self._tell(line if not outcome.remote else {**line, "id": outcome.remote}, {})

    def _tell(self, line: Line, words: Line) -> None:
        for watcher in self._watchers:
            watcher.add({**line, **words} if watcher.words else line)


def _words(event: Event) -> Line:
    said = plain(event.body.text) if isinstance(event.body, Message | Edit) else ""
    return {"who": one_line(event.sender.name), "words": one_line(said, _WORDS)}


def _named(room: Room, *, is_private: bool) -> str:
    """The room, without the name of a person who talks to us in private. Bots have ears in rooms: their name counts."""
    if room.network == BOTS:
        return f"{BOTS}/{room.id.partition('@')[0]}"
    return f"{room.network}/(private)" if is_private else str(room)
