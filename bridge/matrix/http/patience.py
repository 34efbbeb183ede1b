"""Retries requests to the homeserver: the one retry loop of the Matrix adapter."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bridge.lib.backoff import Backoff
from bridge.matrix.http.homeserver import ApiError, Unreachable

log = structlog.get_logger()

Result = TypeVar("Result")

_BACKOFF = Backoff(first_s=1.0, longest_s=10.0)
"""A homeserver that comes back, after however long, is noticed within `longest_s`."""


class Patience:
    """Exponential pauses between the tries, with jitter; reset by a success."""

    def __init__(
        self, network: str, rng: random.Random, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._network = network
        self._rng = rng
        self._sleep = sleep
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0

    async def bear(self, error: ApiError | Unreachable) -> None:
        """Log the error, and wait before the next try."""
        pause = _BACKOFF.after(self._failures, self._rng)
        if isinstance(error, ApiError) and error.retry_after is not None:
            pause = error.retry_after
        self._failures += 1
        hint = {"hint": error.hint} if isinstance(error, Unreachable) and error.hint else {}
        log.warning("homeserver_trouble", network=self._network, reason=str(error), retry_in_s=round(pause, 1), **hint)
        await self._sleep(pause)

    async def ask(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat `request` until it succeeds, and return its result. Raises an ApiError that does not pass."""
        while True:
            try:
                result = await request()
            except ApiError as error:
                if not error.passes:
                    raise
                await self.bear(error)
            except Unreachable as error:
                await self.bear(error)
            else:
                self.succeeded()
                return result
