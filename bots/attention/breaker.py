"""Breaks circles of bots that answer each other, also of those that do not say that they are bots. Pure.

A program answers sooner than a person can read and type. If somebody's messages come so quickly after the bot's own
words three times in a row, the bot is silent towards them for ten minutes.
"""

import zlib
from dataclasses import dataclass, field

from bridge.lib.lru import LruDict

IN_A_ROW = 3
"""So many answers are given to what came too quickly."""
BREAK_S = 600.0
_QUICK_S = 3.0
_TYPED_PER_S = 20.0
"""Characters: nobody types so fast. A bot that thinks for some seconds writes long answers."""
_THINKING_S = 20.0
"""What comes later than that may have been pasted."""
_BETWEEN_S = 60.0
"""Seconds between two answers of a circle at most."""
_LIMIT = 32
"""Askers that are remembered in one place: only those who were answered lately matter."""
GUESTS = "guests"
"""All askers who are no members together: they may change their names."""


@dataclass(slots=True)
class Chain:
    """Answers in a row to one asker: how many, when the last was due, and to what words, as a hash. Answers to words
    of guests that are not quick but the same as before count half: people may roll the same dice again."""

    count: float
    last: float
    words: int = 0


@dataclass(slots=True)
class Breaker:
    """The breaker of one place. `spoke`: when the bot said something there last; `runs`: answers in a row by asker;
    `broken`: until when it is silent towards an asker. Askers are short keys."""

    spoke: float | None = None
    runs: LruDict[str, Chain] = field(default_factory=lambda: LruDict(_LIMIT))
    broken: LruDict[str, float] = field(default_factory=lambda: LruDict(_LIMIT))

    def objects(self, asker: str, text: str, now: float, *, member: bool, called: bool) -> bool:
        """Whether the bot must not answer `text`, which comes at `now`. If it would be one answer too many in a row, a
        break begins. In a break only members are answered who call the bot; those who were in a circle themselves
        must not do so too quickly."""
        for key in _keys(asker, member=member):
            if self._count(key, text, now, member=member) > IN_A_ROW:
                self.broken[key] = now + BREAK_S
                self.runs.pop(key)
        if member and called:
            return self._is_silent(asker, now) and self._is_quick(text, now)
        return self.is_on(now)

    def note_answer(self, asker: str, text: str, now: float, *, member: bool) -> None:
        """The bot answers `text`, which came at `now`."""
        for key in _keys(asker, member=member):
            self.runs[key] = Chain(self._count(key, text, now, member=member), now, _words(text))

    def is_on(self, now: float) -> bool:
        """Whether the bot is silent towards anybody."""
        return any(self._is_silent(key, now) for key in self.broken)

    def mend(self) -> None:
        """Speak to everybody again: a member has said so."""
        for key in self.broken:
            self.broken.pop(key)

    def _count(self, key: str, text: str, now: float, *, member: bool) -> float:
        """How many answers in a row an answer to `text` makes, which came at `now`."""
        run = self.runs.peek(key)
        if run is None or not 0 <= now - run.last <= _BETWEEN_S:
            return 1
        if self._is_quick(text, now):  # guests who all answer the same words of the bot are a crowd, and no circle
            return run.count if key == GUESTS and not self._spoke_since(run.last) else run.count + 1
        if now - run.last <= _QUICK_S:  # the next line of one long message ends no circle
            return run.count
        repeats = not member and key != GUESTS and run.words == _words(text)
        return run.count + 0.5 if repeats else 1

    def _spoke_since(self, time: float) -> bool:
        return self.spoke is not None and self.spoke >= time

    def _is_silent(self, key: str, now: float) -> bool:
        until = self.broken.peek(key)
        return until is not None and now < until <= now + BREAK_S

    def _is_quick(self, text: str, now: float) -> bool:
        if self.spoke is None:
            return False
        gap = max(0.0, now - self.spoke)
        return gap <= _QUICK_S or (gap <= _THINKING_S and len(text) > gap * _TYPED_PER_S)


def _keys(asker: str, *, member: bool) -> tuple[str, ...]:
    return (asker,) if member else (asker, GUESTS)


def _words(text: str) -> int:
    return zlib.crc32(text.encode(errors="replace"))
