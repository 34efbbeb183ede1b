"""Wrong guesses at a password or code: each makes the next one wait longer. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bridge.lib.backoff import Backoff
from bridge.lib.lru import LruDict

_FOR_ONE = Backoff(first_s=2.0, longest_s=900.0)
"""Pause of one guesser: 2 s, doubled with each further wrong guess, at most 15 minutes."""
_FOR_ALL = Backoff(first_s=2.0, longest_s=60.0)
"""Pause for everybody who guesses at one user's password. Short, since it may keep the user from logging in too; one
guess a minute finds no password."""
_FORGOTTEN_AFTER_S = 3600.0
"""Wrong guesses are forgotten after this time without another."""
_MOST = 10_000
"""How many guessers are remembered; the least recently seen is forgotten."""


@dataclass(slots=True)
class _Guesser:
    wrong: int
    last: float


class By(Enum):
    """What guesses are counted by; the value is how many wrong ones are free: people mistype, and share a host."""

    SENDER = 2
    USER = 4
    HOST = 10


Key = tuple[By, str]


class Guesses:
    """Counts wrong guesses under several keys at once: the guesser, their host, and the user whose password it is.
    Times are seconds of one clock."""

    def __init__(self) -> None:
        self._guessers: LruDict[Key, _Guesser] = LruDict(_MOST)

    def wait(self, keys: Iterable[Key], now: float) -> float:
        """Seconds until one may guess again under all of `keys`; 0: now."""
        return max((self._wait(key, now) for key in keys), default=0.0)

    def wrong(self, keys: Iterable[Key], now: float) -> None:
        """Count a wrong guess under all of `keys`."""
        for key in keys:
            guesser = self._known(key, now) or _Guesser(0, now)
            self._guessers[key] = _Guesser(guesser.wrong + 1, now)

    def right(self, keys: Iterable[Key]) -> None:
        """Reset the count of a user who has logged in. The guessers' counts stay: they may guess at others, too."""
        for key in keys:
            if key[0] is By.USER:
                self._guessers.pop(key)

    def _wait(self, key: Key, now: float) -> float:
        guesser = self._known(key, now)
        free = key[0].value
        if guesser is None or guesser.wrong <= free:
            return 0.0
        backoff = _FOR_ALL if key[0] is By.USER else _FOR_ONE
        pause = backoff.plain(guesser.wrong - free - 1)
        return max(0.0, guesser.last + pause - now)

    def _known(self, key: Key, now: float) -> _Guesser | None:
        guesser = self._guessers.get(key)
        return guesser if guesser is not None and now - guesser.last < _FORGOTTEN_AFTER_S else None
