"""Waiting for an event with a time limit, and for the next of a generator while something lives."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

_T = TypeVar("_T")


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until `event` is set, for `seconds` at most. True if it is set, False if the time is up. If the event is set
    already, the result is True even if `seconds` is 0 or less."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await event.wait()
    except TimeoutError:
        return False


async def next_while(found: AsyncGenerator[_T, None], life: asyncio.Task[None]) -> _T:
    """The next that is `found`. If `life` ends first, raises what ended it."""
    try:
        async with asyncio.timeout(None) as waiting:

            def over(_: asyncio.Task[None]) -> None:
                waiting.reschedule(asyncio.get_running_loop().time())

            life.add_done_callback(over)
            try:
                return await anext(found)
            finally:
                life.remove_done_callback(over)
    except TimeoutError:
        if life.done():
            life.result()
        raise
