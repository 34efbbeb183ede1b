"""Opens the store that the settings name: a file of its own, or a database that several workers share."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.lib.files import make_folders
from bridge.store.contract import Store, Unusable
from bridge.store.core import EXCERPT
from bridge.store.sqlite import SqliteStore, lock

if TYPE_CHECKING:
    from bridge.store.postgres.store import PostgresStore


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
    engine = _postgres()
    make_folders(path.parent)
    held = lock(path)
    try:
        store = await engine.open(url, clock, excerpt=excerpt)
        try:
            yield store
        finally:
            await store.aclose()
    finally:
        os.close(held)


@asynccontextmanager
async def attached(path: Path, url: str | None, clock: Callable[[], float]) -> AsyncGenerator[Store, None]:
    """The store beside daemons that may be running. Raises `Unusable` if there is none yet."""
    store: Store = SqliteStore.attach(path, clock) if url is None else await _postgres().attach(url, clock)
    try:
        yield store
    finally:
        await store.aclose()


def check_library() -> None:
    """Raises `Unusable` if the library for PostgreSQL is missing."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise Unusable(
            "store.url: the library for PostgreSQL is not installed: pip install 'quackbridge[postgres]'"
        ) from error


def _postgres() -> "type[PostgresStore]":
    check_library()
    from bridge.store.postgres.store import PostgresStore

    return PostgresStore
