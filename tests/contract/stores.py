"""The engines that the contract of stores is checked on."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bridge.store import Lease, Store
from bridge.store.postgres.store import PostgresStore
from bridge.store.redis import RedisStore
from bridge.store.sqlite import SqliteStore
from tests.conftest import need
from tests.fakes.redis import RedisServer, shared, unique
from tests.fakes.redis import run_out as redis_run_out
from tests.fakes.store import MemoryStore
from tests.postgres import Postgres

ENGINES = (
    "sqlite",
    "memory",
    pytest.param("postgres", marks=pytest.mark.servers),
    pytest.param("redis", marks=pytest.mark.servers),
)


@dataclass(frozen=True, slots=True)
class Engine:
    """What a store is kept in; `server` is the database server, if it needs one of the fixtures."""

    name: str
    server: Postgres | None = None


def engine_of(request: pytest.FixtureRequest) -> Engine:
    """The engine that is the parameter of the fixture which asks; its server runs."""
    if request.param == "redis":
        need(RedisServer)
    return Engine(request.param, request.getfixturevalue("postgres") if request.param == "postgres" else None)


@asynccontextmanager
async def opened(engine: Engine, folder: Path, clock: Callable[[], float]) -> AsyncGenerator[Store, None]:
    """A new, empty store."""
    store: Store
    match engine.name:
        case "postgres":
            assert engine.server is not None
            engine.server.empty()
            store = await PostgresStore.open(engine.server.url, clock)
        case "redis":
            store = await RedisStore.open(shared().url(unique()), clock)
        case "sqlite":
            store = SqliteStore.open(folder / "store.sqlite", clock)
        case _:
            store = MemoryStore(clock)
    try:
        yield store
    finally:
        await store.aclose()


async def lease_of(store: Store, network: str) -> Lease:
    """The lease of `network`, taken from whoever has it."""
    if isinstance(store, PostgresStore):
        await run_out(store)
    elif isinstance(store, RedisStore):
        await redis_run_out(store, network)
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease


async def run_out(store: PostgresStore) -> None:
    """All leases run out, as if their workers had been gone for long."""

    def later(core: Any) -> None:
        core._sql.execute("UPDATE networks SET until = 0")

    await store.writer.write(later, lambda _: None)
