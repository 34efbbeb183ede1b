"""Waiting for an event with a time limit, and for the next of a generator while something lives; a small event."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal, TypeVar

_T = TypeVar("_T")


class Flag:
    """An `asyncio.Event` that takes a seventh of the memory: for those of which there is one for each of many rooms."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        """Wake all who wait, even if it is cleared right after."""
        self._is_set = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> Literal[True]:
        """Return once it is set."""
        if not self._is_set:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            finally:
                self._waiting.remove(waiter)
        return True


async def is_set_within(event: asyncio.Event | Flag, seconds: float) -> bool:
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
