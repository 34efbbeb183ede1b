"""Requests and bytes of links and uploads, by days of UTC."""

import sqlite3
from collections.abc import Mapping

from bridge.model.accounting import Traffic, TrafficKind

_DAY_S = 86_400


def count(sql: sqlite3.Connection, used: Mapping[TrafficKind, Traffic], now: float) -> None:
    """Add `used` to the day of `now`."""
    sql.executemany(
        "INSERT INTO traffic (day, what, number, bytes) VALUES (?, ?, ?, ?) ON CONFLICT (day, what)"
        " DO UPDATE SET number = traffic.number + excluded.number, bytes = traffic.bytes + excluded.bytes",
        [(now // _DAY_S, what, each.number, each.bytes) for what, each in used.items()],
    )


def since(sql: sqlite3.Connection, time: float) -> Mapping[TrafficKind, Traffic]:
    """What was counted on the day of `time` and later."""
    rows = sql.execute(
        "SELECT what, sum(number), sum(bytes) FROM traffic WHERE day >= ? GROUP BY what", (time // _DAY_S,)
    )
    return {TrafficKind(what): Traffic(number, size) for what, number, size in rows}


def expire(sql: sqlite3.Connection, before: float) -> int:
    """Forget the days before that of `before`; returns how many rows."""
    return sql.execute("DELETE FROM traffic WHERE day < ?", (before // _DAY_S,)).rowcount
