"""Reads the store without a lease, and without opening it for writing: a daemon may be running on it."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from bridge.store.contract import StoreError
from bridge.store.schema import read_only


def memory_of(path: Path, network: str) -> Mapping[str, str]:
    """What that network remembers (see `Lease.recall`). Raises `Unusable` if the store is missing, damaged or of a
    newer version."""
    with closing(read_only(path)) as sql:
        try:
            return dict(sql.execute("SELECT key, value FROM memory WHERE network = ?", (network,)).fetchall())
        except sqlite3.Error as error:
            raise StoreError(f"{path}: the store cannot be read ({error})") from error


def deliveries(path: Path) -> Mapping[str, tuple[int, float]]:
    """How many deliveries there are by state (`queued`, `dead`, ...), and since when the oldest (seconds since the
    epoch). Raises `Unusable`, StoreError."""
    with closing(read_only(path)) as sql:
        try:
            rows = sql.execute("SELECT state, count(*), min(since) FROM deliveries GROUP BY state").fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{path}: the store cannot be read ({error})") from error
    return {state: (number, since) for state, number, since in rows}
