"""Clocks that are set while we run: what waits does not grow older by that."""

import time
from collections.abc import Callable

_LEAST = 60.0
"""Seconds: less changes nothing that is decided by the age of a message."""


def since_boot() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine sleeps (Linux; elsewhere it may stop)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Steps:
    """How far `clock` was set, by comparison with `steady`, both in seconds. A machine without a battery for its clock
    starts in 1970, and is half a century older a minute later."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._taken = clock() - steady()

    def step(self) -> float:
        """Seconds that were not `taken` yet, forward or back; 0 where the clock only went on."""
        step = self._clock() - self._steady() - self._taken
        return step if abs(step) >= _LEAST else 0.0

    def taken(self, step: float) -> None:
        self._taken += step
