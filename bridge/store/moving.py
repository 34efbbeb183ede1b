"""Moves all that a store holds into another, empty one, of the same engine or another; all or nothing."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.lib.files import make_folders, sync_folder
from bridge.store.contract import StoreError, Unusable
from bridge.store.peek import Place
from bridge.store.schema import connect, make_private
from bridge.store.sqlite import lock

_AT_ONCE = 2_000
"""Rows that are in memory at the same time."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table with its columns, of which the first `key` are its key."""

    name: str
    columns: tuple[str, ...]
    key: int = 1


def _table(name: str, columns: str, key: int = 1) -> _Table:
    return _Table(name, tuple(columns.split()), key)


TABLES = (
    _table("networks", "name cursor"),
    _table("memory", "network key value", 2),
    _table("events", "seq network room id body type origin sender target excerpt thread removed kind"),
    _table("deliveries", "seq id event network room state since done reason behind said size held"),
    _table("posts", "network room part id deliveries payload", 3),
    _table("rooms", "network room until attempts reason", 2),
    _table("sent", "delivery part remote network room", 2),
    _table("tallies", "minute network room what reason number", 5),
    _table("losses", "network room reason number since until", 3),
    _table("media", "handle event kind name size mime source until text"),
    _table("traffic", "day what number bytes", 2),
    _table("outages", "seq network room began ended reason"),
    _table("runs", "seq began ended version"),
)
"""Everything, parents first. Who holds a lease is not moved: nobody does."""


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table has, and their checksum, whatever their order."""

    rows: int
    checksum: int


def move(source: Place, target: Place, also: Callable[[Any], None] = lambda _: None) -> Mapping[str, int]:
    """Copy all rows from `source` to `target`, which must be empty, and compare both; returns how many rows of each
    table. `also` gets the connection to the target, before anything is committed: what it raises undoes all. Raises
    `Unusable` if one cannot be used, StoreError if they differ; the source is never changed."""
    with _from(source) as old, _to(target) as new:
        for table in TABLES:
            if new.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone():  # noqa: S608
                raise Unusable(
                    f"the store to move to has something in its table {table.name} already: give an empty one"
                )
        before = {table.name: _copy(old, new, table) for table in TABLES}
        after = {table.name: _content(new, table) for table in TABLES}
        if wrong := [name for name, content in before.items() if after[name] != content]:
            raise StoreError(f"the copy differs in {', '.join(wrong)}: nothing was moved")
        also(new)
    return {name: content.rows for name, content in before.items()}


def _copy(old: Any, new: Any, table: _Table) -> Content:
    marks = ", ".join("?" * len(table.columns))
    insert = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})"  # noqa: S608
    total = Content(0, 0)
    for rows in _batches(old, table):
        new.executemany(insert, rows)
        total = _added(total, rows)
    return total


def _content(sql: Any, table: _Table) -> Content:
    total = Content(0, 0)
    for rows in _batches(sql, table):
        total = _added(total, rows)
    return total


def _batches(sql: Any, table: _Table) -> Iterator[Sequence[tuple[Any, ...]]]:
    """All rows of `table`, in the order of its key."""
    key = ", ".join(table.columns[: table.key])
    marks = ", ".join("?" * table.key)
    query = f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608
    rows = sql.execute(f"{query} ORDER BY {key} LIMIT ?", (_AT_ONCE,)).fetchall()
    while rows:
        yield rows
        last = rows[-1][: table.key]
        rows = sql.execute(f"{query} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?", (*last, _AT_ONCE)).fetchall()


def _added(total: Content, rows: Sequence[tuple[Any, ...]]) -> Content:
    checksum = total.checksum
    for row in rows:
        text = json.dumps([float(each) if isinstance(each, int) else each for each in row])
        checksum = (checksum + int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")) % 2**256
    return Content(total.rows + len(rows), checksum)


@contextmanager
def _from(place: Place) -> Iterator[Any]:
    """The store to move from; no daemon runs on it meanwhile."""
    if isinstance(place, str):
        from bridge.store.postgres.moving import moving_from  # only with the extra

        with moving_from(place) as sql:
            yield sql
        return
    if not place.exists():
        raise Unusable(f"{place}: there is no store")
    held = lock(place)
    try:
        with closing(connect(place, upgrade=True)) as sql:
            yield sql
    finally:
        os.close(held)


@contextmanager
def _to(place: Place) -> Iterator[Any]:
    """The store to move to; what is written is there at the end of the context, or nothing is."""
    if isinstance(place, str):
        from bridge.store.postgres.moving import moving_to  # only with the extra

        with moving_to(place) as sql:
            yield sql
        return
    if place.exists():
        raise Unusable(f"{place}: there is a file already: name a new one, or move it away")
    make_folders(place.parent)
    part = place.with_name(f".{place.name}.part")
    _remove(part)
    make_private(part)
    try:
        with closing(connect(part, upgrade=True)) as sql:
            sql.execute("BEGIN")
            yield sql
            sql.execute("COMMIT")
            sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        part.rename(place)
        sync_folder(place.parent)
    except sqlite3.Error as error:
        raise StoreError(f"{place}: nothing was moved ({error})") from error
    finally:
        _remove(part)


def _remove(part: Path) -> None:
    for each in (part, *(part.with_name(f"{part.name}{ending}") for ending in ("-wal", "-shm"))):
        each.unlink(missing_ok=True)
