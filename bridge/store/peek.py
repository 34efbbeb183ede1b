"""Reads the store without a lease, and without opening it for writing: a daemon may be running on it."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bridge.model.event import Room
from bridge.store.contract import StoreError
from bridge.store.schema import read_only
from bridge.store.tables.bodies import load_sender
from bridge.store.tables.networks import waiting

Place = Path | str
"""The file of a store, or the address of its database."""

_CARRIED = 100
"""Most messages that `carried` lists: the last ones."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A message of the user `user` ('': of no user) that a room has confirmed. `seconds`: from when we took it."""

    source: Room
    target: Room
    user: str
    seconds: float


@contextmanager
def reading(place: Place) -> Iterator[Any]:
    """A connection that only reads, for SQL as in the tables. Raises `Unusable`, and StoreError."""
    if isinstance(place, str):
        from bridge.store.opening import check_library

        check_library(place)
        from bridge.store.postgres.reading import reading as there

        with there(place) as sql:
            yield sql
        return
    with closing(read_only(place)) as sql:
        try:
            yield sql
        except sqlite3.Error as error:
            raise StoreError(f"{place}: the store cannot be read ({error})") from error


def _redis(place: Place) -> Any:
    """What looks into a store on Redis, if this is one; else None."""
    from bridge.store.opening import check_library, is_redis

    if not isinstance(place, str) or not is_redis(place):
        return None
    check_library(place)
    return import_module("bridge.store.redis.peek")


def networks_of(place: Place) -> Mapping[str, int]:
    """The networks in the store, each with how many deliveries wait for it. A daemon may be running. Raises `Unusable`
    if the store is missing, damaged or of a newer version."""
    if (redis := _redis(place)) is not None:
        by_network: Mapping[str, int] = redis.networks(place)
        return by_network
    with reading(place) as sql:
        return waiting(sql)


def delivery_ids(place: Place, states: Collection[str], most: int) -> Sequence[str]:
    """The ids of `most` deliveries in one of these `states`, the newest first. Raises `Unusable`, and StoreError."""
    wanted = ", ".join("?" * len(states))
    query = f"SELECT id FROM deliveries WHERE state IN ({wanted}) ORDER BY seq DESC LIMIT ?"  # noqa: S608
    if (redis := _redis(place)) is not None:
        ids: Sequence[str] = redis.delivery_ids(place, states, most)
        return ids
    with reading(place) as sql:
        return [each for (each,) in sql.execute(query, (*states, most)).fetchall()]


def memory_of(place: Place, network: str) -> Mapping[str, str]:
    """What that network remembers (see `Lease.recall`). Raises `Unusable` if the store is missing, damaged or of a
    newer version."""
    if (redis := _redis(place)) is not None:
        kept: Mapping[str, str] = redis.memory(place, network)
        return kept
    with reading(place) as sql:
        return dict(sql.execute("SELECT key, value FROM memory WHERE network = ?", (network,)).fetchall())


def deliveries(place: Place) -> Mapping[str, tuple[int, float]]:
    """How many deliveries there are by state (`queued`, `dead`, ...), and since when the oldest (seconds since the
    epoch). Raises `Unusable`, StoreError."""
    if (redis := _redis(place)) is not None:
        counts: Mapping[str, tuple[int, float]] = redis.deliveries(place)
        return counts
    with reading(place) as sql:
        rows = sql.execute("SELECT state, count(*), min(since) FROM deliveries GROUP BY state").fetchall()
    return {state: (number, since) for state, number, since in rows}


def carried(place: Place) -> Sequence[Carried]:
    """The last messages that arrived in another room, oldest first; empty if there is no store yet."""
    if isinstance(place, Path) and not place.exists():
        return ()
    with reading(place) as sql:
        rows = sql.execute(
            "SELECT events.network, events.room, sender, deliveries.network, deliveries.room, done - since"
            " FROM deliveries JOIN events ON events.seq = deliveries.event WHERE state = 'sent'"
            " AND type = 'message' ORDER BY deliveries.seq DESC LIMIT ?",
            (_CARRIED,),
        ).fetchall()
    return [_carried(row) for row in reversed(rows)]


def _carried(row: tuple[str, str, str, str, str, float]) -> Carried:
    network, room, sender, there, target, seconds = row
    user = load_sender(sender).user or ""
    return Carried(Room(network, room), Room(there, target), user, max(0.0, seconds))
