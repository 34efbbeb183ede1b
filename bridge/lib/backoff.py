"""Exponential backoff: how long to pause before the next try, longer with each failure, with jitter. Pure."""

import random
from dataclasses import dataclass

_DOUBLINGS = 30
"""Doublings at most: 2.0**1024 overflows. No sensible pause is doubled so often."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential pause: `first_s` seconds, doubled with each failure, up to `longest_s`. The caller counts failures in
    a row, from 0 again after a success.

    Jitter multiplies a pause by a random number from `least` to `most`, so that clients of a lost server do not all
    come back at once.
    """

    first_s: float
    longest_s: float
    least: float = 0.5
    most: float = 1.0

    def after(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after a failure; `failures`: how many came before it in a row."""
        return self.plain(failures) * rng.uniform(self.least, self.most)

    def plain(self, failures: int) -> float:
        """The same without jitter."""
        return min(self.longest_s, self.first_s * 2.0 ** min(max(failures, 0), _DOUBLINGS))
