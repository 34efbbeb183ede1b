"""What waits for each network, and when the last line was, each way: for the health of the bridge. Cheap to ask."""

import sqlite3
from collections.abc import Iterable, Mapping

from bridge.model.event import Origin, Room
from bridge.model.health import Lines, Queue

_HEAD = """(SELECT since FROM deliveries WHERE state = 'queued' AND network = d.network AND room = d.room
    AND behind = {} ORDER BY seq LIMIT 1)"""
_QUEUED = f"""
    SELECT network, sum(number), min(coalesce(min(first, ahead), first, ahead)) FROM (
        SELECT network, count(*) AS number, {_HEAD.format(1)} AS first, {_HEAD.format(0)} AS ahead
        FROM deliveries AS d WHERE state = 'queued' GROUP BY network, room
    ) AS rooms GROUP BY network
"""  # noqa: S608
"""Counts entries of an index, and looks at the first delivery of each room only: it is the oldest, unless it was dead
and is tried again, which makes it younger."""


def queues(sql: sqlite3.Connection) -> Mapping[str, Queue]:
    """What is queued and dead, by network; networks for which nothing is are left out."""
    dead = dict(
        sql.execute("SELECT network, count(*) FROM deliveries WHERE state = 'dead' GROUP BY network").fetchall()
    )
    queued = {network: (number, oldest) for network, number, oldest in sql.execute(_QUEUED).fetchall()}
    return {
        name: Queue(queued.get(name, (0, None))[0], dead.get(name, 0), queued.get(name, (0, None))[1])
        for name in sorted({*queued, *dead})
    }


def last_lines(sql: sqlite3.Connection, rooms: Iterable[Room]) -> Mapping[Room, Lines]:
    """When the last message that was carried from each room was said, and when the last was sent there."""
    return {room: Lines(_heard(sql, room), _said(sql, room)) for room in rooms}


def _heard(sql: sqlite3.Connection, room: Room) -> float | None:
    row = sql.execute(
        "SELECT min(said) FROM deliveries WHERE event = (SELECT seq FROM events WHERE network = ? AND room = ?"
        " AND origin != ? AND type = 'message' ORDER BY seq DESC LIMIT 1)",
        (room.network, room.id, Origin.OURS),
    ).fetchone()
    found: float | None = row[0]
    return found


def _said(sql: sqlite3.Connection, room: Room) -> float | None:
    row = sql.execute(
        "SELECT done FROM deliveries WHERE state = 'sent' AND network = ? AND room = ? ORDER BY seq DESC LIMIT 1",
        (room.network, room.id),
    ).fetchone()
    found: float | None = row[0] if row is not None else None
    return found
