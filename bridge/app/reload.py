"""Watches the configuration file: reload on SIGHUP, and once the file has changed and stays as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.admin.live import Json
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
        self._waiting: list[asyncio.Future[Json]] = []
        self._seen = seen

    def now(self) -> None:
        self._asked.set()

    async def outcome(self) -> Json:
        """Ask for a reload, and wait for what comes of it. It is done by who runs `each`."""
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._asked.set()
        return await waiting

    async def each(self, reload: Callable[[], Awaitable[Json]]) -> None:
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
                waiting, self._waiting = self._waiting, []
                outcome = await reload()
                for each in waiting:
                    if not each.done():  # else who asked has left
                        each.set_result(outcome)
