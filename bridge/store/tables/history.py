"""Outages of rooms and runs of the daemon, kept for a year. Begins and ends no transaction."""

import sqlite3
from collections.abc import Sequence

from bridge.model.event import Room
from bridge.model.history import PastOutage, Run

_KEEP_S = 365 * 86_400
"""Seconds."""
_MOST = 10_000
"""Rows of each table: a room that is lost and found every minute, and a daemon that is started again and again, make
half a million a year."""
_REASON = 300  # characters kept


def begin_outage(sql: sqlite3.Connection, room: Room, began: float, reason: str) -> None:
    """Keep an outage that lasts. If one of that room lasts already, it goes on, for that reason."""
    known = sql.execute(
        "UPDATE outages SET reason = ? WHERE network = ? AND room = ? AND ended IS NULL",
        (reason[:_REASON], room.network, room.id),
    ).rowcount
    if not known:
        sql.execute(
            "INSERT INTO outages (network, room, began, reason) VALUES (?, ?, ?, ?)",
            (room.network, room.id, began, reason[:_REASON]),
        )


def end_outage(sql: sqlite3.Connection, room: Room, ended: float) -> None:
    """The outage of that room, if one lasts, is over. The clock may have been set back meanwhile."""
    sql.execute(
        "UPDATE outages SET ended = max(began, ?) WHERE network = ? AND room = ? AND ended IS NULL",
        (ended, room.network, room.id),
    )


def lasting(sql: sqlite3.Connection, network: str) -> Sequence[PastOutage]:
    """The outages of rooms of `network` that are not over."""
    return _outages(sql.execute(f"{_OUTAGE} WHERE network = ? AND ended IS NULL ORDER BY room", (network,)))


def outages(sql: sqlite3.Connection, since: float) -> Sequence[PastOutage]:
    """The outages that lasted until after `since`, the first that began first."""
    found = sql.execute(f"{_OUTAGE} WHERE ended IS NULL OR ended >= ? ORDER BY began, network, room", (since,))
    return _outages(found)


def begin_run(sql: sqlite3.Connection, version: str, now: float) -> None:
    sql.execute("INSERT INTO runs (began, version) VALUES (?, ?)", (now, version))


def end_run(sql: sqlite3.Connection, now: float, version: str) -> None:
    """The last run of `version` ('': of any), which has not ended yet, ends."""
    sql.execute(
        "UPDATE runs SET ended = max(began, ?1) WHERE seq = (SELECT max(seq) FROM runs WHERE ?2 = '' OR version = ?2)",
        (now, version),
    )


def runs(sql: sqlite3.Connection, since: float) -> Sequence[Run]:
    """The runs that began after `since`, the first one first."""
    found = sql.execute("SELECT began, ended, version FROM runs WHERE began >= ? ORDER BY seq", (since,))
    return [Run(*row) for row in found.fetchall()]


def expire(sql: sqlite3.Connection, now: float) -> int:
    """Remove what is over for a year, and what is too much; returns how many rows."""
    return sum(
        sql.execute(
            f"DELETE FROM {table} WHERE coalesce(ended, began) < ?"  # noqa: S608
            f" OR seq <= (SELECT max(seq) FROM {table}) - ?",
            (now - _KEEP_S, _MOST),
        ).rowcount
        for table in ("outages", "runs")
    )


_OUTAGE = "SELECT network, room, began, ended, reason FROM outages"


def _outages(rows: sqlite3.Cursor) -> Sequence[PastOutage]:
    return [PastOutage(Room(network, room), *rest) for network, room, *rest in rows.fetchall()]
