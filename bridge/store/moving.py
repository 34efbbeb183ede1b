"""Moves all that a store holds into another, empty one, of the same engine or another; all or nothing."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bridge.lib.files import make_folders, sync_folder
from bridge.store.contract import StoreError, Unusable
from bridge.store.peek import Place
from bridge.store.schema import connect, make_private
from bridge.store.sqlite import lock

_AT_ONCE = 2_000
"""Rows that are in memory at the same time."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its columns, of which the first `key` are its key."""

    name: str
    columns: tuple[str, ...]
    key: int = 1


def _table(name: str, columns: str, key: int = 1) -> Table:
    return Table(name, tuple(columns.split()), key)


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

Row = tuple[Any, ...]


class Rows(Protocol):
    """What a store holds, as rows of `TABLES`."""

    def batches(self, table: Table) -> Iterator[Sequence[Row]]:
        """All rows of `table`, some at a time."""
        ...

    def confirm(self) -> None:
        """Raises StoreError if the store may have been changed since it was opened."""
        ...


class Target(Rows, Protocol):
    """A store that is being filled."""

    def is_empty(self, table: Table) -> bool: ...

    def insert(self, table: Table, rows: Sequence[Row]) -> None: ...

    def take_users(self, text: str | None, lines: Sequence[str]) -> None:
        """Put the users and their audit log there, too. Raises `Unusable` if there are some."""
        ...


class SqlRows:
    """The rows of a database. Begins and ends no transaction."""

    def __init__(self, sql: Any) -> None:
        self.sql = sql

    def batches(self, table: Table) -> Iterator[Sequence[Row]]:
        """In the order of the key."""
        key = ", ".join(table.columns[: table.key])
        marks = ", ".join("?" * table.key)
        query = f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608
        rows = self.sql.execute(f"{query} ORDER BY {key} LIMIT ?", (_AT_ONCE,)).fetchall()
        while rows:
            yield rows
            last = rows[-1][: table.key]
            after = f"{query} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?"
            rows = self.sql.execute(after, (*last, _AT_ONCE)).fetchall()

    def confirm(self) -> None:
        """It is locked."""

    def is_empty(self, table: Table) -> bool:
        return not self.sql.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone()  # noqa: S608

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(table.columns))
        insert = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})"  # noqa: S608
        self.sql.executemany(insert, rows)

    def take_users(self, text: str | None, lines: Sequence[str]) -> None:
        """Beside a file, the users have files of their own."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table has, and their checksum, whatever their order."""

    rows: int
    checksum: int


def move(source: Place, target: Place, also: Callable[[Target], None] = lambda _: None) -> Mapping[str, int]:
    """Copy all rows from `source` to `target`, which must be empty, and compare both; returns how many rows of each
    table. `also` gets the target, before that is valid: what it raises undoes all. Raises `Unusable` if one cannot be
    used, StoreError if they differ; the source is never changed."""
    with _from(source) as old, _to(target) as new:
        rows = copy(old, new)
        also(new)
        old.confirm()
    return rows


def copy(old: Rows, new: Target) -> Mapping[str, int]:
    """Copy all rows to `new`, which must be empty, and compare both; returns how many rows of each table."""
    for table in TABLES:
        if not new.is_empty(table):
            raise Unusable(f"the store to move to has something in its table {table.name} already: give an empty one")
    before = {table.name: _copied(old, new, table) for table in TABLES}
    after = {table.name: content(new, table) for table in TABLES}
    if wrong := [name for name, found in before.items() if after[name] != found]:
        raise StoreError(f"the copy differs in {', '.join(wrong)}: nothing was moved")
    return {name: found.rows for name, found in before.items()}


def _copied(old: Rows, new: Target, table: Table) -> Content:
    total = Content(0, 0)
    for rows in old.batches(table):
        new.insert(table, rows)
        total = _added(total, rows)
    return total


def content(there: Rows, table: Table) -> Content:
    """What `table` has there."""
    total = Content(0, 0)
    for rows in there.batches(table):
        total = _added(total, rows)
    return total


def _added(total: Content, rows: Sequence[Row]) -> Content:
    checksum = total.checksum
    for row in rows:
        text = json.dumps([float(each) if isinstance(each, int) else each for each in row])
        checksum = (checksum + int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")) % 2**256
    return Content(total.rows + len(rows), checksum)


@contextmanager
def reading(path: Path) -> Iterator[SqlRows]:
    """The file to move from; no daemon runs on it meanwhile."""
    if not path.exists():
        raise Unusable(f"{path}: there is no store")
    held = lock(path)
    try:
        with closing(connect(path, upgrade=True)) as sql:
            yield SqlRows(sql)
    finally:
        os.close(held)


@contextmanager
def writing(path: Path) -> Iterator[SqlRows]:
    """The file to move to; what is written is there at the end of the context, or nothing is."""
    if path.exists():
        raise Unusable(f"{path}: there is a file already: name a new one, or move it away")
    make_folders(path.parent)
    part = path.with_name(f".{path.name}.part")
    _remove(part)
    make_private(part)
    try:
        with closing(connect(part, upgrade=True)) as sql:
            sql.execute("BEGIN")
            yield SqlRows(sql)
            sql.execute("COMMIT")
            sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        part.rename(path)
        sync_folder(path.parent)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: nothing was moved ({error})") from error
    finally:
        _remove(part)


def _from(place: Place) -> AbstractContextManager[Rows]:
    """The store to move from; no daemon runs on it meanwhile."""
    if isinstance(place, Path):
        return reading(place)
    from bridge.store.opening import is_redis

    if is_redis(place):
        from bridge.store.redis.moving import moving_from as redis  # only with the extra

        return redis(place)
    from bridge.store.postgres.moving import moving_from as postgres  # only with the extra

    return postgres(place)


def _to(place: Place) -> AbstractContextManager[Target]:
    """The store to move to; what is written is there at the end of the context, or nothing is."""
    if isinstance(place, Path):
        return writing(place)
    from bridge.store.opening import is_redis

    if is_redis(place):
        from bridge.store.redis.moving import moving_to as redis  # only with the extra

        return redis(place)
    from bridge.store.postgres.moving import moving_to as postgres  # only with the extra

    return postgres(place)


def _remove(part: Path) -> None:
    for each in (part, *(part.with_name(f"{part.name}{ending}") for ending in ("-wal", "-shm"))):
        each.unlink(missing_ok=True)
