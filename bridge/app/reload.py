"""When the configuration is read again: on SIGHUP, and once its file has changed and stays as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

_LOOK = 1.0
"""Seconds between looks at the file. It must be the same for one of them: an editor may still be writing."""

Stamp = tuple[int, int, int] | None


class Watch:
    """Looks at the file at `path`; `now` asks for a reload without a change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asked = asyncio.Event()
        self._seen = self._stamp()

    def now(self) -> None:
        self._asked.set()

    async def each(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Call `reload` whenever it is time to, one after the other, for ever."""
        before = self._seen
        while True:
            asked = await self._asked_within(_LOOK)
            stamp = self._stamp()
            settled = stamp is not None and stamp == before
            before = stamp
            if asked or (settled and stamp != self._seen):
                self._seen = stamp
                await reload()

    async def _asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    def _stamp(self) -> Stamp:
        """What differs once the file has been written again; None while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
