"""Runs what bots do without a question, each in a task of its own, begun again when it fails."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

from bridge.lib.backoff import Backoff

log = structlog.get_logger()

_PAUSES = Backoff(1.0, 600.0)
Work = Callable[[], Coroutine[Any, Any, None]]


class Working:
    """`use` names the bots; those that have a `run` are run while `run` of this runs."""

    def __init__(self) -> None:
        self._wanted: dict[int, object] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def use(self, bots: Iterable[object]) -> None:
        """Run these, and no others."""
        self._wanted = {id(bot): bot for bot in bots if hasattr(bot, "run")}
        self._changed.set()

    async def run(self) -> None:
        """Run them, until cancelled."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                self._change()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._tasks.clear()

    def _change(self) -> None:
        for key in [key for key in self._tasks if key not in self._wanted]:
            self._tasks.pop(key).cancel()
        for key, bot in self._wanted.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(for_ever(str(getattr(bot, "name", "")), bot.run))  # type: ignore[attr-defined]


async def for_ever(name: str, work: Work) -> None:
    """Begin it again, after a growing pause, when it fails; return when it ends."""
    failures = 0
    while True:
        try:
            return await work()
        except Exception as error:  # a bot is foreign code: its errors must not stop the bridge
            log.error("bot_failed", bot=name, hint="what it does by itself is begun again", exc_info=error)
        await asyncio.sleep(_PAUSES.plain(failures))
        failures += 1
