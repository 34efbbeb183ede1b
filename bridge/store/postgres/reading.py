"""Reads a store on PostgreSQL beside the workers, and changes nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from bridge.store.contract import StoreError, Unusable
from bridge.store.postgres.schema import prepare
from bridge.store.postgres.sql import Sql, connect, one_line


@contextmanager
def reading(url: str) -> Iterator[Sql]:
    """A connection that only reads. Raises `Unusable`, and StoreError."""
    try:
        sql = Sql(connect(url))
    except psycopg.Error as error:
        raise Unusable(f"store.url: the database cannot be opened ({one_line(error)})") from error
    with closing(sql):
        try:
            prepare(sql, upgrade=False)
            sql.execute("SET default_transaction_read_only = on")
            yield sql
        except psycopg.Error as error:
            raise StoreError(f"store.url: the store cannot be read ({one_line(error)})") from error
