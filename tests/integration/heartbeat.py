"""Has a daemon of the tests log how long its event loop is blocked: `Daemon(folder, BEFORE)`.

A line `loop_blocked` tells each second of the longest step in it: `ms` of time, and `cpu_ms` of this thread's work,
which other programs on the machine do not change.
"""

import asyncio
import time
from unittest.mock import patch

import structlog

BEFORE = f"{__name__}:measure"

_EACH_S = 0.005
_LOG_EACH_S = 1.0

log = structlog.get_logger()


class _Heartbeat:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._begin()
        loop.call_later(_EACH_S, self._beat)

    def _begin(self) -> None:
        self._ms = self._cpu_ms = 0.0
        self._since = self._at = self._loop.time()
        self._cpu_at = time.thread_time()

    def _beat(self) -> None:
        now, cpu = self._loop.time(), time.thread_time()
        self._ms = max(self._ms, (now - self._at - _EACH_S) * 1000)
        self._cpu_ms = max(self._cpu_ms, (cpu - self._cpu_at) * 1000)
        self._at, self._cpu_at = now, cpu
        if now - self._since >= _LOG_EACH_S:
            # Lines that differ in `post` are not folded
            log.info("loop_blocked", post=round(now, 1), ms=round(self._ms, 1), cpu_ms=round(self._cpu_ms, 1))
            self._begin()
        self._loop.call_later(_EACH_S, self._beat)


def measure() -> None:
    """To be called in the process of the daemon, before it begins."""
    run_forever = asyncio.BaseEventLoop.run_forever

    def measured(loop: asyncio.BaseEventLoop) -> None:
        _Heartbeat(loop)
        run_forever(loop)

    patch.object(asyncio.BaseEventLoop, "run_forever", measured).start()
