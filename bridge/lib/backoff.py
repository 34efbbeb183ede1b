"""Exponential backoff: how long to pause before the next try, longer with each failure, with jitter. Pure."""

import random
from dataclasses import dataclass

_DOUBLINGS = 30
"""A limit, since 2.0**1024 overflows. No pause that anybody wants is doubled so often."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential pause: `first_s` seconds, doubled with each failure, to `longest_s`. Count the failures in a row, and
    begin with 0 again after a success.

    Jitter multiplies a pause by a random number from `least` to `most`, so that clients which lost one server do not
    all come back at once.
    """

    first_s: float
    longest_s: float
    least: float = 0.5
    most: float = 1.0

    def after(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after so many earlier failures in a row (0: this is the first)."""
        return self.plain(failures) * rng.uniform(self.least, self.most)

    def plain(self, failures: int) -> float:
        """The same without jitter."""
        return min(self.longest_s, self.first_s * 2.0 ** min(max(failures, 0), _DOUBLINGS))
