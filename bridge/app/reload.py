"""Watches the configuration file: reload on SIGHUP, and once the file has changed and stays as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.lib.files import Stamp, stamp
from bridge.lib.waiting import is_set_within

_LOOK_EVERY_S = 1.0
"""Seconds. The file must be the same in two looks: an editor may still be writing."""


class Watch:
    """Looks at the file at `path` once a second. `seen` is the stamp that it had before it was read; `now` asks for a
    reload without a change."""

    def __init__(self, path: Path, seen: Stamp | None) -> None:
        self.path = path
        self._asked = asyncio.Event()
        self._seen = seen

    def now(self) -> None:
        self._asked.set()

    async def each(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Call `reload` whenever one is due, one after the other, for ever."""
        before = self._seen
        while True:
            asked = await is_set_within(self._asked, _LOOK_EVERY_S)
            if asked:
                self._asked.clear()
            now = stamp(self.path)
            settled = now is not None and now == before
            before = now
            if asked or (settled and now != self._seen):
                self._seen = now
                await reload()
