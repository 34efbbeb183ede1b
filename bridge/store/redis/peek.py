"""Looks into a store on Redis for what `bridge.store.peek` reads of the others by SQL."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

from bridge.store.redis.store import RedisStore

Found = TypeVar("Found")


def networks(url: str) -> Mapping[str, int]:
    """See `bridge.store.peek.networks_of`."""
    return _asked(url, lambda store: store.networks())


def memory(url: str, network: str) -> Mapping[str, str]:
    """See `bridge.store.peek.memory_of`."""

    async def read(store: RedisStore) -> Mapping[str, str]:
        with store.server.translated():
            found: Mapping[Any, Any] = await store.server.client.hgetall(store.keys.name("mem", network))
        return {name.decode(): value.decode() for name, value in found.items()}

    return _asked(url, read)


def deliveries(url: str) -> Mapping[str, tuple[int, float]]:
    """See `bridge.store.peek.deliveries`; of what is queued and dead."""
    found = _asked(url, lambda store: store.queues())
    oldest = min((each.oldest for each in found.values() if each.oldest is not None), default=0.0)
    counts = (sum(each.queued for each in found.values()), oldest), (sum(each.dead for each in found.values()), 0.0)
    return {state: count for state, count in zip(("queued", "dead"), counts, strict=True) if count[0]}


def delivery_ids(url: str, states: Collection[str], most: int) -> Sequence[str]:
    """See `bridge.store.peek.delivery_ids`."""
    found = _asked(url, lambda store: store.outbox())
    return [each.delivery for each in reversed(found) if each.state in states][:most]


def _asked(url: str, ask: Callable[[RedisStore], Coroutine[Any, Any, Found]]) -> Found:
    """What the store answers; also where an event loop runs already."""

    async def run() -> Found:
        async with aclosing(await RedisStore.open(url, time.time)) as store:
            return await ask(store)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()
