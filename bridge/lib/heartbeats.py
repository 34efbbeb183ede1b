"""Heartbeats: when each of several tasks last showed that it goes on."""

import asyncio
from collections.abc import Callable


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Heartbeats:
    """A task beats whenever it begins a turn of its loop. `clock`: seconds, never set; the event loop's by default."""

    def __init__(self, clock: Callable[[], float] = _loop_time) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def beat(self, task: str) -> None:
        """`task` goes on."""
        self._last[task] = self._clock()

    def forget(self, task: str) -> None:
        """`task` has ended, and beats no more."""
        self._last.pop(task, None)

    def excuse(self) -> None:
        """All have waited for something that is known."""
        self._last = dict.fromkeys(self._last, self._clock())

    def silent(self, longest_s: float) -> tuple[str, float] | None:
        """The task that has not beaten for the longest time, and for how many seconds, if that is over `longest_s`."""
        task = min(self._last, key=self._last.__getitem__, default=None)
        if task is None:
            return None
        seconds = self._clock() - self._last[task]
        return (task, seconds) if seconds > longest_s else None
