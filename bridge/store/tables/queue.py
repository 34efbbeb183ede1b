"""What waits for each room, with all that rendering it needs: edits that overtook their message, what is known of the
messages that are referred to."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from bridge.lib.lru import LruDict
from bridge.model.event import Edit, Event, EventKey, Message, Room
from bridge.model.outbox import Delivery, Known, Owed, said_at
from bridge.store.contract import LONGEST_WAIT_S
from bridge.store.tables.bodies import load
from bridge.store.tables.messages import Messages

_CROWD = 200
"""Most deliveries at once of those that have gathered."""
IS_DUE = "(held <= :now OR held > :now + :longest)"
"""SQL: whether a delivery does not gather any more. One that seems to for so long does not: the clock was set back."""

_NOT_FROZEN = """
    AND d.id NOT IN (SELECT value FROM json_each(:frozen)) AND NOT EXISTS (
        SELECT 1 FROM deliveries AS m WHERE m.event = events.target AND m.network = d.network AND m.room = d.room
        AND m.id IN (SELECT value FROM json_each(:frozen)))
"""
_GATHERINGS = 1000
"""Most groups of deliveries, of one type in one room, of which it is remembered when they become due."""


class _Row(NamedTuple):
    """A queued delivery, the row and the body of its event, and when it was said; the type of its event if it waited
    for more of that type, and the row of the event that it is about."""

    delivery: str
    event: int
    body: str
    said: float
    gathered: str | None
    target: int | None


class Queue:
    """The table of deliveries, as far as they are queued. Begins and ends no transaction."""

    def __init__(self, connection: sqlite3.Connection, messages: Messages) -> None:
        self._sql = connection
        self._messages = messages
        self._gathering: LruDict[tuple[Room, str], float] = LruDict(_GATHERINGS)

    def add(self, delivery: Delivery, seq: int, event: Event, size: int, now: float) -> bool:
        """Queue `delivery` of the event in row `seq`, whose body takes `size` bytes; False if it is known already."""
        inserted = self._sql.execute(
            "INSERT INTO deliveries (id, event, network, room, since, said, behind, size, held)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                delivery.id,
                seq,
                delivery.room.network,
                delivery.room.id,
                now,
                said_at(event, now),
                int(not delivery.ahead),
                size,
                self._held(delivery, seq, event, now),
            ),
        )
        return inserted.rowcount == 1

    def _held(self, delivery: Delivery, seq: int, event: Event, now: float) -> float:
        """Until when `delivery` waits for more of its type: all that gather in a room become due together. One that
        need not wait goes before no earlier one: a later edit would be undone by it."""
        if isinstance(event.body, Message):
            return 0.0
        group = delivery.room, event.body.type
        due = self._gathering.peek(group)
        if not delivery.gather:
            is_gathering = due is not None and now < due <= now + LONGEST_WAIT_S
            return max(self._edits_held(delivery, seq, now), due if due is not None and is_gathering else 0.0)
        if due is None or not now < due <= now + delivery.gather:
            due = self._gathering[group] = now + delivery.gather
        return due

    def _edits_held(self, delivery: Delivery, seq: int, now: float) -> float:
        """Until when an earlier edit waits of what the event in row `seq` edits; 0 if none does."""
        (held,) = self._sql.execute(
            "SELECT max(held) FROM events AS e CROSS JOIN deliveries AS d ON d.event = e.seq"
            " WHERE e.target = (SELECT target FROM events WHERE seq = ?1 AND type = 'edit') AND e.type = 'edit'"
            " AND state = 'queued' AND d.network = ?2 AND d.room = ?3 AND held > ?4 AND held <= ?4 + ?5",
            (seq, delivery.room.network, delivery.room.id, now, LONGEST_WAIT_S),
        ).fetchone()
        return float(held or 0.0)

    def owed(self, room: Room, each: int, now: float, frozen: Collection[str] = ()) -> Iterator[Owed]:
        """The first `each` deliveries of `room`, and more that have gathered with the last of them, without those of
        edits that their messages, which wait too, have in them already; and without those that are `frozen`, and what
        is about these."""
        found = self._sql.execute(
            "SELECT d.id, event, body, said, CASE WHEN held > 0 THEN type END, target"  # noqa: S608
            " FROM deliveries AS d JOIN events ON events.seq = d.event"
            f" WHERE state = 'queued' AND d.network = :network AND d.room = :room AND {IS_DUE}"
            f" {_NOT_FROZEN if frozen else ''} ORDER BY d.behind, d.seq",
            {
                "network": room.network,
                "room": room.id,
                "now": now,
                "longest": LONGEST_WAIT_S,
                "frozen": json.dumps([*frozen]),
            },
        )
        rows = [*_first(map(_Row._make, found), each)]
        found.close()
        merged: set[str] = set()
        for row in rows:
            if row.delivery in merged:
                continue
            event, edits = load(row.body), self._edits(row.event, room)
            merged.update(edits)
            if isinstance(event.body, Message):
                event = with_edits(event, edits.values())
            yield Owed(
                row.delivery,
                room,
                event,
                self._context(event, row.event, room),
                row.said,
                max(0.0, now - row.said),
                tuple(edits),
            )

    def _edits(self, seq: int, room: Room) -> Mapping[str, Event]:
        """The edits of an event that wait for `room`, by their deliveries, in order. CROSS JOIN keeps SQLite from
        looking through all that waits."""
        rows = self._sql.execute(
            "SELECT d.id, body FROM events CROSS JOIN deliveries AS d ON d.event = events.seq"
            " WHERE target = ? AND type = 'edit' AND state = 'queued' AND d.network = ? AND d.room = ?"
            " ORDER BY events.seq",
            (seq, room.network, room.id),
        )
        return {delivery: load(body) for delivery, body in rows.fetchall()}

    def _context(self, event: Event, seq: int, room: Room) -> Mapping[EventKey, Known]:
        known = {key: self._messages.known(key, room, by=seq) for key in event.refers}
        return {key: found for key, found in known.items() if found is not None}


def _first(rows: Iterator[_Row], each: int) -> Iterator[_Row]:
    """The first `each` of `rows`, and those behind them that a network may show as one with the last: that crowd shall
    not become many lines."""
    last: _Row | None = None
    for number, row in enumerate(islice(rows, max(each, _CROWD))):
        is_alike = last is not None and (row.gathered, row.target) == (last.gathered, last.target)
        if number >= each and not (row.gathered and is_alike):
            return
        yield row
        last = row


def with_edits(event: Event, edits: Iterable[Event]) -> Event:
    """`event`, a message, as the last of `edits` has it; a link to its whole text is made if that of the edit needs
    one."""
    for edit in edits:
        assert isinstance(event.body, Message)
        assert isinstance(edit.body, Edit)
        body = replace(event.body, text=edit.body.text, kind=edit.body.kind, media=edit.body.media)
        event = replace(event, body=body, text_until=edit.text_until)
    return event
