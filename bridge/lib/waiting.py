"""Waiting for an event with a time limit."""

import asyncio


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until `event` is set, for `seconds` at most. True if it is set, False if the time is up. If the event is set
    already, the result is True even if `seconds` is 0 or less."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await event.wait()
    except TimeoutError:
        return False
