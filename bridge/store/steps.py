"""Notices that the clock was set while we run, so that queued messages do not age by it."""

import time
from collections.abc import Callable

_LEAST = 60.0
"""Seconds: smaller steps are ignored; no decision about a message's age depends on them."""


def since_boot() -> float:
    """Seconds by a clock that is never set, and goes on while the machine sleeps (Linux; elsewhere it may stop)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Steps:
    """Measures how far `clock` was set, compared with `steady`, both in seconds. Example: a machine without a clock
    battery starts in 1970, and jumps by half a century a minute later."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._taken = clock() - steady()

    def step(self) -> float:
        """Seconds by which the clock was set, forward or back, and not `taken` yet; 0 if it was not set."""
        step = self._clock() - self._steady() - self._taken
        return step if abs(step) >= _LEAST else 0.0

    def taken(self, step: float) -> None:
        self._taken += step
