"""Waiting for a store that is full or unavailable."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import structlog

from bridge.store.contract import Full, Unavailable

log = structlog.get_logger()

P = ParamSpec("P")
Result = TypeVar("Result")

_PAUSE = 1.0  # seconds between tries
_HINT = "free some disk space; messages wait meanwhile, and none is lost"


async def stored(verb: Callable[P, Awaitable[Result]], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Call a store's `verb` until it succeeds: waits while the store is full or unavailable. Returns its result."""
    while True:
        try:
            return await verb(*args, **kwargs)
        except (Full, Unavailable) as error:
            log.error("store_unavailable", reason=str(error), hint=_HINT)
            await asyncio.sleep(_PAUSE)
