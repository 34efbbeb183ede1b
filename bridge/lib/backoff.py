"""Exponential pauses: a first one, doubled with each failure up to a longest one, with jitter."""

import random
from dataclasses import dataclass

_DOUBLINGS = 30
"""2.0 ** 1024 overflows. No pause that anybody wants is doubled so often."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first` and `longest` in seconds. Jitter multiplies a pause by a number between `least` and `most`, so that not
    all clients of a server that was down come back at once."""

    first: float
    longest: float
    least: float = 0.5
    most: float = 1.0

    def after(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after so many earlier failures in a row (0: the first)."""
        return self.plain(failures) * rng.uniform(self.least, self.most)

    def plain(self, failures: int) -> float:
        """The same without jitter."""
        return min(self.longest, self.first * 2.0 ** min(max(failures, 0), _DOUBLINGS))
