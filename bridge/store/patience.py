"""Waiting for a store that is full or unavailable."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec, TypeVar

import structlog

from bridge.store.contract import Full, Lease, Unavailable

log = structlog.get_logger()

P = ParamSpec("P")
Result = TypeVar("Result")

_PAUSE = 1.0  # seconds between tries
_HINT = "free some disk space; messages wait meanwhile, and none is lost"


async def stored(verb: Callable[P, Awaitable[Result]], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Call a store's `verb` until it succeeds: waits while the store is full or unavailable, and logs each reason once.
    Returns its result."""
    said = ""
    while True:
        try:
            return await verb(*args, **kwargs)
        except (Full, Unavailable) as error:
            if (reason := str(error)) != said:
                log.error("store_unavailable", reason=reason, hint=_HINT)
            said = reason
            await asyncio.sleep(_PAUSE)


class PatientMemory:
    """The memory of a lease, for a network: waits while the store is full or unavailable. What a network is about to do
    happens after that, or never; so what it sends waits in the outbox."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    async def recall(self) -> Mapping[str, str]:
        return await stored(self._lease.recall)

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        await stored(self._lease.remember, changes)
