"""The user database as one text in the store, and its audit log: what `bridge.users.shared.SharedText` says."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg

from bridge.store.contract import Unusable
from bridge.store.postgres.schema import prepare
from bridge.store.postgres.sql import Sql, connect, one_line

_SLIPS = 1_000
"""Slips of a kind that are kept; then those that run out first are forgotten."""
_RECORDS = 100_000
"""Lines of the audit log that are kept: some years."""


class UsersText:
    """One connection of its own, made when it is needed. One thread at a time."""

    name = "the user database in the store"

    def __init__(self, url: str) -> None:
        self._url = url
        self._turn = threading.RLock()
        self._there: Sql | None = None

    def revision(self) -> int:
        """See `SharedText`."""
        with self._reached() as sql:
            row = sql.execute("SELECT revision FROM users").fetchone()
        return int(row[0]) if row is not None else 0

    def read(self) -> str | None:
        """See `SharedText`."""
        with self._reached() as sql:
            row = sql.execute("SELECT body FROM users").fetchone()
        return str(row[0]) if row is not None else None

    def write(self, text: str) -> None:
        """See `SharedText`."""
        with self._reached() as sql:
            sql.execute(
                "INSERT INTO users (one, revision, body) VALUES (1, 1, ?)"
                " ON CONFLICT (one) DO UPDATE SET revision = users.revision + 1, body = excluded.body",
                (text,),
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `SharedText`. The table is locked, since there may be no row yet."""
        with self._turn:
            with self._reached() as sql:
                sql.execute("BEGIN")
                sql.execute("LOCK TABLE users IN EXCLUSIVE MODE")
            try:
                yield
            except BaseException:
                with self._reached() as sql:
                    sql.execute("ROLLBACK")
                raise
            with self._reached() as sql:
                sql.execute("COMMIT")

    def append(self, line: str) -> None:
        """See `SharedText`."""
        with self._reached() as sql:
            row = sql.execute("INSERT INTO audit (line) VALUES (?) RETURNING seq", (line,)).fetchone()
            if row is not None and row[0] % 1000 == 0:
                sql.execute("DELETE FROM audit WHERE seq < ?", (row[0] - _RECORDS,))

    def lines(self) -> Iterator[str]:
        """See `SharedText`."""
        with self._reached() as sql:
            rows = sql.execute("SELECT line FROM audit ORDER BY seq").fetchall()
        yield from (str(line) for (line,) in rows)

    def keep(self, kind: str, name: str, body: str, until: float, now: float) -> None:
        """See `bridge.users.shared.Slips`."""
        with self._reached() as sql:
            sql.execute("DELETE FROM slips WHERE until < ?", (now,))
            sql.execute(
                "INSERT INTO slips (kind, name, body, until) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, until = excluded.until",
                (kind, name, body, until),
            )
            sql.execute(
                "DELETE FROM slips WHERE kind = ?1 AND name NOT IN"
                " (SELECT name FROM slips WHERE kind = ?1 ORDER BY until DESC LIMIT ?2)",
                (kind, _SLIPS),
            )

    def find(self, kind: str, name: str) -> tuple[str, float] | None:
        """See `bridge.users.shared.Slips`."""
        with self._reached() as sql:
            row = sql.execute("SELECT body, until FROM slips WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        return (str(row[0]), float(row[1])) if row is not None else None

    def drop(self, kind: str, name: str) -> None:
        """See `bridge.users.shared.Slips`."""
        with self._reached() as sql:
            sql.execute("DELETE FROM slips WHERE kind = ? AND name = ?", (kind, name))

    def close(self) -> None:
        """End the connection."""
        with self._turn:
            self._leave()

    @contextmanager
    def _reached(self) -> Iterator[Sql]:
        with self._turn:
            try:
                if self._there is None:
                    self._there = Sql(connect(self._url))
                    prepare(self._there, upgrade=True)
                yield self._there
            except Unusable as error:
                self._leave()
                raise OSError(str(error)) from error
            except psycopg.Error as error:
                self._leave()
                raise OSError(f"the server of the store does not answer ({one_line(error)})") from error

    def _leave(self) -> None:
        if self._there is not None:
            self._there.close()
        self._there = None


def kept(url: str) -> tuple[str | None, list[str]]:
    """The users and the audit log in the store at `url`. Raises OSError."""
    text = UsersText(url)
    try:
        return text.read(), [*text.lines()]
    finally:
        text.close()


def fill(sql: Sql, text: str | None, lines: Iterable[str]) -> None:
    """Put users and audit log into a store that has none, inside the open transaction. Raises `Unusable` if it has."""
    if sql.execute("SELECT 1 FROM users").fetchone():
        raise Unusable("the store to move to has users already: give an empty one")
    if text is not None:
        sql.execute("INSERT INTO users (one, revision, body) VALUES (1, 1, ?)", (text,))
    sql.executemany("INSERT INTO audit (line) VALUES (?)", [(line,) for line in lines])
