"""Reads the store without a lease, and without opening it for writing: a daemon may be running on it."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from bridge.store.contract import StoreError
from bridge.store.schema import read_only


def deliveries(path: Path, states: Collection[str], most: int) -> Sequence[str]:
    """The ids of at most `most` deliveries in one of these `states`, the newest first. Raises `Unusable`, StoreError."""
    wanted = ", ".join("?" * len(states))
    query = f"SELECT id FROM deliveries WHERE state IN ({wanted}) ORDER BY seq DESC LIMIT ?"  # noqa: S608
    with closing(read_only(path)) as sql:
        try:
            return [each for (each,) in sql.execute(query, (*states, most)).fetchall()]
        except sqlite3.Error as error:
            raise StoreError(f"{path}: the store cannot be read ({error})") from error


def memory_of(path: Path, network: str) -> Mapping[str, str]:
    """What that network remembers (see `Lease.recall`). Raises `Unusable` if the store is missing, damaged or of a
    newer version."""
    with closing(read_only(path)) as sql:
        try:
            return dict(sql.execute("SELECT key, value FROM memory WHERE network = ?", (network,)).fetchall())
        except sqlite3.Error as error:
            raise StoreError(f"{path}: the store cannot be read ({error})") from error
