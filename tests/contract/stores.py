"""The engines that the contract of stores is checked on."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.store import Lease, Store
from bridge.store.redis import RedisStore
from bridge.store.sqlite import SqliteStore
from tests.conftest import need
from tests.fakes.redis import RedisServer, run_out, shared, unique
from tests.fakes.store import MemoryStore

ENGINES = ("sqlite", "memory", pytest.param("redis", marks=pytest.mark.servers))


@asynccontextmanager
async def opened(engine: str, folder: Path, clock: Callable[[], float]) -> AsyncGenerator[Store, None]:
    """A new, empty store of that engine."""
    store: Store
    match engine:
        case "sqlite":
            store = SqliteStore.open(folder / "store.sqlite", clock)
        case "memory":
            store = MemoryStore(clock)
        case "redis":
            need(RedisServer)
            store = await RedisStore.open(shared().url(unique()), clock)
        case _:
            raise ValueError(engine)
    try:
        yield store
    finally:
        await store.aclose()


async def lease_of(store: Store, network: str) -> Lease:
    """The lease of `network`, taken from whoever has it."""
    if isinstance(store, RedisStore):
        await run_out(store, network)
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease
