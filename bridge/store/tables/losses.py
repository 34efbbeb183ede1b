"""Messages given up because they are too old, or too many wait for a room: counted until people are told."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bridge.model.accounting import TOO_MANY, TOO_OLD, Loss
from bridge.model.event import Room

_LARGEST = 200_000
"""Most bytes of one event's body, as stored."""
_HEAVY = 50
_AT_ONCE = 500
"""Deliveries of a room per transaction: takes milliseconds, so that dropping never delays a message."""


class Row(NamedTuple):
    """A delivery that is given up. `ours`: a message of our own; nobody is told of its loss."""

    delivery: str
    room: Room
    said: float
    ours: bool


_ROW = "SELECT d.id, d.room, said, origin = 'ours' FROM deliveries AS d JOIN events ON events.seq = d.event"


class Losses:
    """Finds deliveries to drop, and keeps the losses that people have to be told of."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def queued(self, network: str, deliveries: Iterable[str]) -> Sequence[Row]:
        """Those of `deliveries` that are queued."""
        rows = (
            self._sql.execute(
                f"{_ROW} WHERE d.id = ? AND state = 'queued' AND d.network = ?",
                (delivery, network),
            ).fetchone()
            for delivery in deliveries
        )
        return [_row(network, row) for row in rows if row is not None]

    def excess(self, network: str, before: float, most: int, most_bytes: int) -> tuple[str, Sequence[Row]]:
        """Some deliveries to drop, with the reason: those queued before `before`, or the oldest of a room with more
        than `most`, or more than `most_bytes`. Frozen ones stay: they may be on their way."""
        for room in self._crowded(network, before, most, most_bytes):
            if old := self._oldest(network, room, "since < ?", before, _AT_ONCE):
                return TOO_OLD, old
            excess = self._number_over(network, room, most, most_bytes)
            if many := self._oldest(network, room, "since >= ?", before, min(excess, _AT_ONCE)):
                return TOO_MANY, many
        return "", ()

    def _number_over(self, network: str, room: str, most: int, most_bytes: int) -> int:
        """How many of the oldest deliveries in the queue of `room` are over its bounds: all that have `most` or
        more behind them, or `most_bytes` with those behind them."""
        (number,) = self._sql.execute(
            "SELECT count(*) FROM (SELECT row_number() OVER newest AS place, sum(size) OVER newest AS weight"
            " FROM deliveries WHERE state = 'queued' AND network = ? AND room = ?"
            " WINDOW newest AS (ORDER BY behind DESC, seq DESC)) AS queue"
            " WHERE place > ? OR (place > 1 AND weight > ?)",
            (network, room, most, most_bytes),
        ).fetchone()
        return int(number)

    def note(self, reason: str, rows: Iterable[Row]) -> None:
        self._sql.executemany(
            "INSERT INTO losses (network, room, reason, number, since, until) VALUES (?1, ?2, ?3, 1, ?4, ?4)"
            " ON CONFLICT (network, room, reason) DO UPDATE SET number = losses.number + 1,"
            " since = min(losses.since, excluded.since), until = max(losses.until, excluded.until)",
            [(row.room.network, row.room.id, reason, row.said) for row in rows if not row.ours],
        )

    def untold(self, network: str) -> Sequence[Loss]:
        rows = self._sql.execute(
            "SELECT room, reason, number, since, until FROM losses WHERE network = ? ORDER BY room, reason", (network,)
        )
        return [Loss(Room(network, room), *rest) for room, *rest in rows]

    def told(self, losses: Iterable[Loss]) -> None:
        """Subtract `losses`, which people were told of. What was lost since they were read remains."""
        for loss in losses:
            where = (loss.room.network, loss.room.id, loss.reason)
            self._sql.execute(
                "UPDATE losses SET number = number - ?, since = max(since, ?)"
                " WHERE (network, room, reason) = (?, ?, ?)",
                (loss.number, loss.until, *where),
            )
            self._sql.execute("DELETE FROM losses WHERE (network, room, reason) = (?, ?, ?) AND number <= 0", where)

    def _crowded(self, network: str, before: float, most: int, most_bytes: int) -> Sequence[str]:
        """The rooms whose head is too old, or that have too many deliveries. Their size is added up only where there
        may be that much: from `_HEAVY` deliveries on."""
        rows = self._sql.execute(
            "WITH RECURSIVE work (room) AS (SELECT min(room) FROM deliveries WHERE state = 'queued' AND network = ?1"
            " UNION ALL SELECT (SELECT min(room) FROM deliveries WHERE state = 'queued' AND network = ?1"
            " AND room > work.room) FROM work WHERE work.room IS NOT NULL) SELECT room FROM work WHERE room IS NOT NULL"
            " AND ((SELECT since FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = work.room"
            " AND behind = 1 ORDER BY seq LIMIT 1) < ?2 OR EXISTS (SELECT 1 FROM deliveries WHERE state = 'queued'"
            " AND network = ?1 AND room = work.room ORDER BY behind, seq LIMIT 1 OFFSET ?3)"
            " OR (EXISTS (SELECT 1 FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = work.room"
            " ORDER BY behind, seq LIMIT 1 OFFSET ?4) AND (SELECT sum(size) FROM deliveries"
            " WHERE state = 'queued' AND network = ?1 AND room = work.room) > ?5))",
            (network, before, most, min(_HEAVY, most_bytes // _LARGEST), most_bytes),
        )
        return [room for (room,) in rows.fetchall()]

    def _oldest(self, network: str, room: str, which: str, before: float, most: int) -> Sequence[Row]:
        """The first `most` deliveries of `room` that match the SQL in `which`; none that is frozen or goes `ahead`."""
        rows = self._sql.execute(
            f"{_ROW} WHERE state = 'queued' AND d.network = ? AND d.room = ? AND behind = 1 AND {which}"  # noqa: S608
            " AND d.id NOT IN (SELECT value FROM posts, json_each(deliveries) WHERE network = ? AND room = ?)"
            " ORDER BY d.seq LIMIT ?",
            (network, room, before, network, room, most),
        )
        return [_row(network, row) for row in rows.fetchall()]


def _row(network: str, row: tuple[Any, ...]) -> Row:
    delivery, room, said, ours = row
    return Row(delivery, Room(network, room), said, bool(ours))
