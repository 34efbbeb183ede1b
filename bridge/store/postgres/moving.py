"""The two ends of moving a store (`bridge.store.moving`) on PostgreSQL, and its renaming of a network."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg

from bridge.store.contract import StoreError, Unusable
from bridge.store.moving import TABLES, SqlRows
from bridge.store.postgres.leases import ServerLeases
from bridge.store.postgres.schema import prepare
from bridge.store.postgres.sql import Sql, connect, one_line
from bridge.store.postgres.users import fill

_COUNTED = ("events", "deliveries", "outages", "runs")
"""The tables whose rows are numbered."""
_PATIENT = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"


class PostgresRows(SqlRows):
    """The rows of a database that is shared: its users are in it."""

    def take_users(self, text: str | None, lines: Sequence[str]) -> None:
        fill(self.sql, text, lines)

    def empty(self) -> None:
        """Remove all rows, and keep everybody else out until the end of the transaction."""
        self.sql.execute(f"TRUNCATE {', '.join(table.name for table in TABLES)}")


@contextmanager
def moving_from(url: str) -> Iterator[PostgresRows]:
    """One state of the store. Raises `Unusable` if a worker runs on it."""
    with _open(url, upgrade=False) as sql:
        sql.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _check_idle(sql)
        yield PostgresRows(sql)
        sql.execute("ROLLBACK")


@contextmanager
def moving_to(url: str) -> Iterator[PostgresRows]:
    """One transaction. Numbers go on behind those that were moved."""
    with _open(url, upgrade=True) as sql:
        sql.execute("BEGIN")
        _check_idle(sql)
        yield PostgresRows(sql)
        _number(sql)
        sql.execute("COMMIT")


@contextmanager
def changing(url: str) -> Iterator[PostgresRows]:
    """One transaction, in which nobody else uses the store. Raises `Unusable` if a worker runs on it."""
    with _open(url, upgrade=False) as sql:
        sql.execute("BEGIN")
        sql.execute("LOCK TABLE networks IN ACCESS EXCLUSIVE MODE")
        _check_idle(sql)
        yield PostgresRows(sql)
        _number(sql)
        sql.execute("COMMIT")


def _number(sql: Sql) -> None:
    for table in _COUNTED:
        sql.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'),"  # noqa: S608
            f" coalesce((SELECT max(seq) FROM {table}), 0) + 1, false)"
        )


def _check_idle(sql: Sql) -> None:
    if owners := ServerLeases(sql).owners():  # type: ignore[arg-type]
        workers = ", ".join(sorted({owner.worker for owner in owners.values()}))
        raise Unusable(f"workers run on this store: {workers}; stop them first")


@contextmanager
def _open(url: str, *, upgrade: bool) -> Iterator[Sql]:
    try:
        sql = Sql(connect(url))
    except psycopg.Error as error:
        raise Unusable(f"the database cannot be opened ({one_line(error)})") from error
    with closing(sql):
        try:
            prepare(sql, upgrade=upgrade)
            sql.execute(_PATIENT)
            yield sql
        except psycopg.Error as error:
            raise StoreError(f"nothing was changed ({one_line(error)})") from error
