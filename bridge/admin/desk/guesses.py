"""Wrong guesses at a secret: each makes the next one wait longer. Pure."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_FIRST, _LONGEST = 2.0, 900.0
"""Seconds: doubled with every further wrong guess."""
_LONGEST_FOR_ALL = 60.0
"""Seconds that others' wrong guesses may keep somebody from logging in: a guess a minute finds no password."""
_FORGOTTEN = 3600.0
"""Seconds without a wrong guess after which it is as if there had been none."""
_MOST = 10_000
"""Guessers that are remembered; who has not guessed for longest is forgotten."""


@dataclass(slots=True)
class _Guesser:
    wrong: int
    last: float


class By(Enum):
    """What guesses are counted by, and how many wrong ones cost nothing: people mistype, and share a host."""

    SENDER = 2
    USER = 4
    HOST = 10


Key = tuple[By, str]


class Guesses:
    """Counted under several keys at once: who guesses, from where, and at whose secret. Times are seconds of one
    clock."""

    def __init__(self) -> None:
        self._guessers: OrderedDict[Key, _Guesser] = OrderedDict()

    def wait(self, keys: Iterable[Key], now: float) -> float:
        """Seconds until one may guess again under all of `keys`; 0: now."""
        return max((self._wait(key, now) for key in keys), default=0.0)

    def wrong(self, keys: Iterable[Key], now: float) -> None:
        for key in keys:
            guesser = self._known(key, now) or _Guesser(0, now)
            self._guessers[key] = _Guesser(guesser.wrong + 1, now)
            self._guessers.move_to_end(key)
        while len(self._guessers) > _MOST:
            self._guessers.popitem(last=False)

    def right(self, keys: Iterable[Key]) -> None:
        """Whose secret it is has shown up. Who guessed stays known: they may be guessing at others'."""
        for key in keys:
            if key[0] is By.USER:
                self._guessers.pop(key, None)

    def _wait(self, key: Key, now: float) -> float:
        guesser = self._known(key, now)
        free = key[0].value
        if guesser is None or guesser.wrong <= free:
            return 0.0
        longest = _LONGEST_FOR_ALL if key[0] is By.USER else _LONGEST
        pause = min(longest, _FIRST * 2.0 ** min(guesser.wrong - free - 1, 20))
        return max(0.0, guesser.last + pause - now)

    def _known(self, key: Key, now: float) -> _Guesser | None:
        guesser = self._guessers.get(key)
        return guesser if guesser is not None and now - guesser.last < _FORGOTTEN else None
