"""Opens the store that the settings name: a file of its own, or a database that several workers share."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from bridge.lib.files import make_folders
from bridge.store.contract import Store, Unusable
from bridge.store.core import EXCERPT
from bridge.store.sqlite import SqliteStore, lock

REDIS = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
"""What the address of a Redis server begins with."""


@asynccontextmanager
async def opened(
    path: Path, url: str | None, clock: Callable[[], float], *, steady: Callable[[], float], excerpt: int = EXCERPT
) -> AsyncGenerator[Store, None]:
    """The store for a daemon: the database at `url`, else the file at `path`. No other daemon runs with that `path`
    meanwhile. Raises `Unusable`, with nothing changed, if it cannot be used."""
    if url is None:
        store: Store = SqliteStore.open(path, clock, steady=steady, excerpt=excerpt)
        try:
            yield store
        finally:
            await store.aclose()
        return
    make_folders(path.parent)
    held = lock(path)
    try:
        store = await _opened(url, clock, excerpt)
        try:
            yield store
        finally:
            await store.aclose()
    finally:
        os.close(held)


@asynccontextmanager
async def attached(path: Path, url: str | None, clock: Callable[[], float]) -> AsyncGenerator[Store, None]:
    """The store beside daemons that may be running. Raises `Unusable` if there is none yet."""
    store: Store = SqliteStore.attach(path, clock) if url is None else await _attached(url, clock)
    try:
        yield store
    finally:
        await store.aclose()


def is_redis(url: str) -> bool:
    """Whether `url` is of a Redis server; else it is of a PostgreSQL database."""
    return url.partition("://")[0] in REDIS


def check_library(url: str) -> None:
    """Raises `Unusable` if the library for the store at `url` is missing."""
    module, name, extra = ("redis", "Redis", "redis") if is_redis(url) else ("psycopg", "PostgreSQL", "postgres")
    try:
        import_module(module)
    except ImportError as error:
        raise Unusable(
            f"store.url: the library for {name} is not installed: pip install 'quackbridge[{extra}]'"
        ) from error


async def _opened(url: str, clock: Callable[[], float], excerpt: int) -> Store:
    check_library(url)
    if is_redis(url):
        from bridge.store.redis import RedisStore

        return await RedisStore.open(url, clock, excerpt=excerpt)
    from bridge.store.postgres.store import PostgresStore

    return await PostgresStore.open(url, clock, excerpt=excerpt)


async def _attached(url: str, clock: Callable[[], float]) -> Store:
    if is_redis(url):
        return await _opened(url, clock, EXCERPT)
    check_library(url)
    from bridge.store.postgres.store import PostgresStore

    return await PostgresStore.attach(url, clock)
