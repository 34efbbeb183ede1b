"""Speaks to PostgreSQL as the tables' code speaks to SQLite: the same SQL, the same placeholders, the same values."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bridge.store.contract import Unusable

Values = Sequence[Any] | Mapping[str, Any]

_PLACES = re.compile(r"\?(\d*)|(?<![:\w]):([a-z]\w*)")
"""SQLite's placeholders: `?`, `?1`, `:name` (https://www.sqlite.org/lang_expr.html, "Parameters")."""
_NUL, _ESCAPE = "\0", "\ue000"
_NUL_ESCAPED, _ESCAPE_ESCAPED = f"{_ESCAPE}0", f"{_ESCAPE}1"
"""PostgreSQL's texts cannot hold U+0000, which strangers may send: it is stored as a private character and a digit."""
_DEFAULTS = {
    "connect_timeout": "3",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "4000",
    "application_name": "quackbridge",
    "target_session_attrs": "read-write",
}
"""A server that is gone is noticed in some seconds. Of several hosts in the address, the one that takes writes."""
_SESSION = """
    SET search_path = quackbridge;
    SET synchronous_commit = on;
    SET statement_timeout = '20s';
    SET lock_timeout = '8s';
    SET idle_in_transaction_session_timeout = '2500ms';
    SET client_min_messages = warning;
"""
"""`synchronous_commit`: what was answered is on the disk, and on the synchronous standby. A worker that is stopped
inside a transaction would keep others from writing: the server ends its session."""


class _Whole(Loader):
    """sum() of integers is `numeric`."""

    def load(self, data: Any) -> int | float:
        text = bytes(data).decode()
        return float(text) if "." in text else int(text)


def connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection in autocommit mode, with all that a worker needs set. Raises psycopg.Error."""
    connection = psycopg.connect(conninfo(url), autocommit=True)
    connection.adapters.register_loader("numeric", _Whole)
    connection.execute(_SESSION.encode())
    return connection


def conninfo(url: str) -> str:
    """`url` with what is needed to notice a server that is gone, unless it says otherwise. Raises `Unusable`."""
    try:
        settings: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url)}
        return make_conninfo(**settings)
    except psycopg.ProgrammingError:  # it quotes the password
        raise Unusable(
            "store.url: this is no address of a PostgreSQL database; write it as"
            " postgresql://USER:PASSWORD@HOST/DATABASE, with % and two hex digits for what is not a letter or a digit"
        ) from None


def one_line(error: BaseException) -> str:
    """What the server or the library said, on one line, without its questions."""
    said = [line for line in str(error).splitlines() if not line.startswith("\tIs the server running")]
    return " ".join(" ".join(said).split()) or type(error).__name__


class Rows:
    """The result of a statement, like a cursor of SQLite."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor
        self.rowcount = cursor.rowcount

    def fetchone(self) -> tuple[Any, ...] | None:
        row = self._cursor.fetchone()
        return None if row is None else _unescaped(row)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [_unescaped(row) for row in self._cursor.fetchall()]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())

    def close(self) -> None:
        self._cursor.close()


class Sql:
    """A connection that takes the SQL that is written for SQLite. Raises psycopg.Error."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection

    def execute(self, statement: str, values: Values = ()) -> Rows:
        query = translated(statement)
        return Rows(self.connection.execute(query.encode(), _named(values) if values else None))

    def executemany(self, statement: str, rows: Iterable[Values]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(translated(statement).encode(), [_named(values) for values in rows])

    def close(self) -> None:
        self.connection.close()


@lru_cache(maxsize=512)
def translated(statement: str) -> str:
    """SQL for SQLite as PostgreSQL takes it: named placeholders, and no CROSS JOIN, by which SQLite is told the order
    in which it has to look."""
    count = 0

    def place(match: re.Match[str]) -> str:
        nonlocal count
        number, name = match.groups()
        if name:
            return f"%({name})s"
        count = int(number) if number else count + 1
        return f"%(p{count})s"

    return (
        _PLACES.sub(place, statement.replace("%", "%%"))
        .replace("CROSS JOIN", "JOIN")
        .replace("json_each(", "quackbridge.json_each(")
    )


def _named(values: Values) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return {name: _plain(value) for name, value in values.items()}
    return {f"p{number}": _plain(value) for number, value in enumerate(values, 1)}


def _plain(value: Any) -> Any:
    """Enumerations as their texts, and true and false as the numbers that SQLite has for them."""
    if isinstance(value, str):
        text = str(value)
        if _NUL in text or _ESCAPE in text:
            return text.replace(_ESCAPE, _ESCAPE_ESCAPED).replace(_NUL, _NUL_ESCAPED)
        return text
    return int(value) if isinstance(value, bool) else value


def _unescaped(row: tuple[Any, ...]) -> tuple[Any, ...]:
    if not any(isinstance(value, str) and _ESCAPE in value for value in row):
        return row
    return tuple(
        value.replace(_NUL_ESCAPED, _NUL).replace(_ESCAPE_ESCAPED, _ESCAPE) if isinstance(value, str) else value
        for value in row
    )
