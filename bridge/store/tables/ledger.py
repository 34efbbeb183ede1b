"""The ledger: what became of all messages, for the operator."""

import sqlite3
from collections.abc import Iterable

from bridge.model.accounting import REDACTED, Account, Count, Ledger, Tally
from bridge.model.event import BOTS, Origin, Room

_REASON = 200  # characters kept of a count's reason
_PEOPLE = f"""since >= ? AND deliveries.network != '{BOTS}' AND deliveries.reason != '{REDACTED}' AND EXISTS
    (SELECT 1 FROM events WHERE events.seq = event AND events.network != '{BOTS}' AND origin != '{Origin.OURS}')"""  # noqa: S608
"""Deliveries of what people said, to people: neither questions to bots and their answers, nor notices of our own."""


def ledger(sql: sqlite3.Connection, since: float) -> Ledger:
    """The ledger since `since` (seconds since the epoch). Reads all deliveries: for the command line only."""
    fates: dict[Room, dict[str, int]] = {}
    for network, room, state, number in sql.execute(
        f"SELECT network, room, state, count(*) FROM deliveries WHERE {_PEOPLE} GROUP BY 1, 2, 3",  # noqa: S608
        (since,),
    ):
        fates.setdefault(Room(network, room), {})[state] = number
    (carried,) = sql.execute(
        f"SELECT count(DISTINCT event) FROM deliveries WHERE {_PEOPLE}",  # noqa: S608
        (since,),
    ).fetchone()
    lost = sql.execute(
        f"SELECT reason, count(*) FROM deliveries WHERE {_PEOPLE} AND state IN ('dead', 'dropped')"  # noqa: S608
        " GROUP BY 1 ORDER BY 2 DESC, 1",
        (since,),
    ).fetchall()
    counted = sql.execute(
        "SELECT network, room, what, reason, sum(number) FROM tallies WHERE minute >= ?"
        " GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4",
        (int(since // 60),),
    ).fetchall()
    return Ledger(
        carried,
        tuple(Account(room, **states) for room, states in sorted(fates.items())),
        tuple((Count(Room(n, r), Tally(what), reason), number) for n, r, what, reason, number in counted),
        tuple(lost),
    )


def count(sql: sqlite3.Connection, counts: Iterable[Count], now: float) -> None:
    """Add one to each count, in the minute of `now`."""
    sql.executemany(
        "INSERT INTO tallies (minute, network, room, what, reason, number) VALUES (?, ?, ?, ?, ?, 1)"
        " ON CONFLICT (minute, network, room, what, reason) DO UPDATE SET number = tallies.number + 1",
        [(int(now // 60), each.room.network, each.room.id, each.what, each.reason[:_REASON]) for each in counts],
    )


def expire(sql: sqlite3.Connection, before: float) -> int:
    """Remove some of the counts from before `before`; returns how many rows."""
    return sql.execute(
        "DELETE FROM tallies WHERE minute IN (SELECT DISTINCT minute FROM tallies WHERE minute < ? LIMIT 20)",
        (int(before // 60),),
    ).rowcount
