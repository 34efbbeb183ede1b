"""The engines that the contract of stores is checked on."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.store import Lease, Store
from bridge.store.sqlite import SqliteStore
from tests.fakes.store import MemoryStore

ENGINES = ("sqlite", "memory")


@asynccontextmanager
async def opened(engine: str, folder: Path, clock: Callable[[], float]) -> AsyncGenerator[Store, None]:
    """A new, empty store of that engine."""
    store: Store
    match engine:
        case "sqlite":
            store = SqliteStore.open(folder / "store.sqlite", clock)
        case "memory":
            store = MemoryStore(clock)
        case _:
            raise ValueError(engine)
    try:
        yield store
    finally:
        await store.aclose()


async def lease_of(store: Store, network: str) -> Lease:
    """The lease of `network`, taken from whoever has it."""
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease
