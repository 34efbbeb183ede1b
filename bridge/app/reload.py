"""When the configuration is read again: on SIGHUP, and once its file has changed and stays as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.lib.files import Stamp, stamp

_LOOK = 1.0
"""Seconds between looks at the file. It must be the same for one of them: an editor may still be writing."""


class Watch:
    """Looks at the file at `path`, of which `seen` is the stamp that it had before it was read; `now` asks for a reload
    without a change."""

    def __init__(self, path: Path, seen: Stamp | None) -> None:
        self.path = path
        self._asked = asyncio.Event()
        self._seen = seen

    def now(self) -> None:
        self._asked.set()

    async def each(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Call `reload` whenever it is time to, one after the other, for ever."""
        before = self._seen
        while True:
            asked = await self._asked_within(_LOOK)
            now = stamp(self.path)
            settled = now is not None and now == before
            before = now
            if asked or (settled and now != self._seen):
                self._seen = now
                await reload()

    async def _asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True
