"""Waiting for a store that is full or out of reach."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import structlog

from bridge.store.contract import Full, Unavailable

log = structlog.get_logger()

P = ParamSpec("P")
Result = TypeVar("Result")

_PAUSE = 1.0  # seconds between tries


async def stored(verb: Callable[P, Awaitable[Result]], *args: P.args, **kwargs: P.kwargs) -> Result:
    """What `verb` of a store gives. A store that cannot right now is waited for: nothing is acknowledged meanwhile."""
    while True:
        try:
            return await verb(*args, **kwargs)
        except (Full, Unavailable) as error:
            log.error("store_unavailable", reason=str(error), hint="free some disk space; nothing is lost meanwhile")
            await asyncio.sleep(_PAUSE)
