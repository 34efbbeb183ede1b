"""What a removal takes out of the store: the words of the message, and what waits to be delivered of it."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from bridge.model.event import Room


class _About(NamedTuple):
    """A delivery of the removed event or of one about it; `begun`: the event itself was sent to that room, or begun."""

    delivery: str
    room: Room
    type: str
    begun: bool


def fruitless(sql: sqlite3.Connection, target: int) -> Iterator[tuple[str, Room]]:
    """The deliveries that wait, or are dead, and make no sense any more, as the event in row `target` is removed: of
    itself and of its edits and reactions; and of the removal, where the event never came."""
    for about in _waiting(sql, target):
        if about.type != "redaction" or not about.begun:
            yield about.delivery, about.room


def _waiting(sql: sqlite3.Connection, target: int) -> list[_About]:
    begun = "SELECT 1 FROM deliveries AS m WHERE m.event = ?1 AND m.network = d.network AND m.room = d.room"
    sent = "EXISTS (SELECT 1 FROM sent WHERE sent.delivery = m.seq)"
    rows = sql.execute(
        f"SELECT d.id, d.network, d.room, type, EXISTS ({begun} AND (m.state = 'sent' OR {sent}))"  # noqa: S608
        " FROM deliveries AS d JOIN events ON events.seq = d.event"
        " WHERE d.state IN ('queued', 'dead') AND (events.seq = ?1 OR target = ?1)",
        (target,),
    )
    return [_About(delivery, Room(network, room), kind, bool(known)) for delivery, network, room, kind, known in rows]
