"""Whether this process works: its event loop turns, its tasks live, and the store can be written. Never asks a network:
if a homeserver is away, starting the bridge again does not bring it back."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from bridge.store import StoreError

_LOOK_S = 1.0
_LONGEST_S = 5.0
"""Seconds that the loop may be late, or that writing to the store may take."""


class Liveness:
    """Tries every second whether `write`, one transaction, is done in time."""

    def __init__(self, write: Callable[[], Awaitable[object]]) -> None:
        self._write = write
        self._begun: float | None = None
        self._looked: float | None = None
        self.lag = 0.0
        """How late the event loop was at the last look, in seconds."""

    def problem(self) -> str:
        """Why the process does not work any more; '' if it does. No I/O."""
        now = asyncio.get_running_loop().time()
        if self._begun is not None and now - self._begun > _LONGEST_S:
            return f"the store could not be written for {now - self._begun:.0f} s"
        if self._looked is not None and now - self._looked > _LOOK_S + _LONGEST_S:
            return f"the event loop was stuck for {now - self._looked:.0f} s"
        return ""

    async def keep(self) -> None:
        """Look every second, for ever."""
        loop = asyncio.get_running_loop()
        writing: asyncio.Task[None] | None = None
        try:
            while True:
                self._looked = loop.time()
                if writing is None or writing.done():
                    writing = asyncio.create_task(self._try_write(), name="try to write")
                await asyncio.sleep(_LOOK_S)
                self.lag = max(0.0, loop.time() - self._looked - _LOOK_S)
        finally:
            if writing is not None:
                writing.cancel()

    async def _try_write(self) -> None:
        self._begun = asyncio.get_running_loop().time()
        with contextlib.suppress(StoreError):  # an answer, if no good one: it is told elsewhere, and tried again
            await self._write()
        self._begun = None
