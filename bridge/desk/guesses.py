"""Wrong guesses at a secret: each makes the next one wait longer. Pure."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

_FREE = 2
"""Wrong guesses that cost nothing: people mistype."""
_FIRST, _LONGEST = 2.0, 900.0
"""Seconds: doubled with every further wrong guess."""
_FORGOTTEN = 3600.0
"""Seconds without a wrong guess after which it is as if there had been none."""
_MOST = 10_000
"""Guessers that are remembered; who has not guessed for longest is forgotten."""


@dataclass(slots=True)
class _Guesser:
    wrong: int
    last: float


class Guesses:
    """Counted under several keys at once: who guesses, and at whose secret. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._guessers: OrderedDict[Hashable, _Guesser] = OrderedDict()

    def wait(self, keys: Iterable[Hashable], now: float) -> float:
        """Seconds until one may guess again under all of `keys`; 0: now."""
        return max((self._wait(key, now) for key in keys), default=0.0)

    def wrong(self, keys: Iterable[Hashable], now: float) -> None:
        for key in keys:
            guesser = self._known(key, now) or _Guesser(0, now)
            self._guessers[key] = _Guesser(guesser.wrong + 1, now)
            self._guessers.move_to_end(key)
        while len(self._guessers) > _MOST:
            self._guessers.popitem(last=False)

    def right(self, keys: Iterable[Hashable]) -> None:
        for key in keys:
            self._guessers.pop(key, None)

    def _wait(self, key: Hashable, now: float) -> float:
        guesser = self._known(key, now)
        if guesser is None or guesser.wrong <= _FREE:
            return 0.0
        pause = min(_LONGEST, _FIRST * 2.0 ** min(guesser.wrong - _FREE - 1, 20))
        return max(0.0, guesser.last + pause - now)

    def _known(self, key: Hashable, now: float) -> _Guesser | None:
        guesser = self._guessers.get(key)
        return guesser if guesser is not None and now - guesser.last < _FORGOTTEN else None
