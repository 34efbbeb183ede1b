"""Runs a coroutine in a loop whose threads keep nobody waiting: one may wait for a silent DNS server for minutes."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Threads(ThreadPoolExecutor):
    """Threads that do not keep the loop from ending."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        super().shutdown(wait=False, cancel_futures=cancel_futures)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Like `asyncio.run`, and ends at once when `work` does, or when it is interrupted."""
    return asyncio.run(_with_threads(work))


async def _with_threads(work: Coroutine[Any, Any, Result]) -> Result:
    asyncio.get_running_loop().set_default_executor(_Threads())
    return await work
