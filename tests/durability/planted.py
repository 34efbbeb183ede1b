"""Errors that somebody could make in the store, each small: tests of the power cuts, which must find them."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.matrix.crypto.rows import PREFIX, Rows
from bridge.store import Commit, Committed, Lease, schema, sqlite
from bridge.store.sqlite import SqliteStore

CHECKPOINTS = "checkpoints"
"""No error: the store checkpoints often, as it does in a longer run."""


def _set(pragma: str) -> Callable[[], None]:
    def plant() -> None:
        def connect(path: Path, *, upgrade: bool, busy_s: float) -> sqlite3.Connection:
            sql = schema.connect(path, upgrade=upgrade, busy_s=busy_s)
            sql.execute(f"PRAGMA {pragma}")
            return sql

        _put(sqlite, "connect", connect)

    return plant


def _cursor_first() -> None:
    """The cursor is stored in a transaction of its own, before what it stands for."""
    real = Lease.commit

    async def commit(self: Lease, commit: Commit) -> Committed:
        await real(self, Commit(commit.expect, commit.cursor))
        return await real(self, replace(commit, expect=commit.cursor))

    _put(Lease, "commit", commit)


def _cursor_last() -> None:
    """As `_cursor_first`, but after it."""
    real = Lease.commit

    async def commit(self: Lease, commit: Commit) -> Committed:
        if commit.expect is None:
            return await real(self, commit)
        committed = await real(self, replace(commit, cursor=commit.expect))
        await real(self, Commit(commit.expect, commit.cursor))
        return committed

    _put(Lease, "commit", commit)


def _planned_later() -> None:
    """What a commit plans is frozen in a transaction of its own."""
    real = Lease.commit

    async def commit(self: Lease, commit: Commit) -> Committed:
        committed = await real(self, replace(commit, posts=()))
        store = self.engine
        assert isinstance(store, SqliteStore)
        for room in {post.room for post in commit.posts}:
            other = Lease(store, room.network, store._tokens[room.network])
            await other.plan(room, [post for post in commit.posts if post.room == room])
        return committed._replace(planned=frozenset(post.room for post in commit.posts))

    _put(Lease, "commit", commit)


def _told_later() -> None:
    """What is remembered of what is owed is stored in a transaction of its own."""
    real = Lease.commit

    async def commit(self: Lease, commit: Commit) -> Committed:
        committed = await real(self, replace(commit, changes={}))
        await self.remember(commit.changes)
        return committed

    _put(Lease, "commit", commit)


def _rows_later() -> None:
    """The rows of encryption are stored in a transaction of their own, after the cursor that they came with."""
    real = Lease.commit

    async def commit(self: Lease, commit: Commit) -> Committed:
        rows = {key: text for key, text in commit.changes.items() if key.startswith(PREFIX)}
        rest = {key: text for key, text in commit.changes.items() if key not in rows}
        committed = await real(self, replace(commit, changes=rest))
        await self.remember(rows)
        return committed

    _put(Lease, "commit", commit)


def _rows_not_flushed() -> None:
    """What leaves does not wait for its rows: they are stored with what comes next."""

    async def flush(_self: Rows) -> None:
        pass

    _put(Rows, "flush", flush)


def _answered_early() -> None:
    """What was done is committed with what comes next, and answered before."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql.startswith("BEGIN") and self.in_transaction:
                super().execute("COMMIT")
            return super().execute("SELECT 1" if sql == "COMMIT" else sql, *parameters)

    real = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return real(*args, **kwargs, factory=Connection)

    _put(sqlite3, "connect", connect)


def _folder_not_synced() -> None:
    """The store's folder is made, and its name may be gone after a power cut."""
    _put(sqlite, "make_folders", lambda folder: folder.mkdir(parents=True, exist_ok=True))


def _put(place: Any, name: str, value: object) -> None:
    assert hasattr(place, name)
    setattr(place, name, value)


PLANTED: Mapping[str, Callable[[], None]] = {
    "synchronous-normal": _set("synchronous = NORMAL"),
    "synchronous-off": _set("synchronous = OFF"),
    "cursor-first": _cursor_first,
    "cursor-last": _cursor_last,
    "planned-later": _planned_later,
    "told-later": _told_later,
    "rows-later": _rows_later,
    "rows-not-flushed": _rows_not_flushed,
    "answered-early": _answered_early,
    "folder-not-synced": _folder_not_synced,
    CHECKPOINTS: _set("wal_autocheckpoint = 50"),
}
