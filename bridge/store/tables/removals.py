"""What a removal takes out of the store: the words of the message, and what waits to be delivered of it."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bridge.model.event import Room


class _About(NamedTuple):
    """A delivery of the removed event or of one about it. `frozen`: it is in a frozen post, which may have been sent.
    `begun`: the event itself was sent to that room, wholly or in part, or is frozen there."""

    delivery: str
    room: Room
    type: str
    frozen: bool
    begun: bool


class Fruitless(NamedTuple):
    """A delivery that makes no sense any more. `frozen`: it has to be finished all the same, unless it is certain that
    it was not sent: what had arrived could not be removed else."""

    delivery: str
    room: Room
    frozen: bool


def fruitless(sql: sqlite3.Connection, target: int) -> Iterator[Fruitless]:
    """The deliveries that wait, or are dead, and make no sense any more, as the event in row `target` is removed: of
    itself and of its edits and reactions; and of the removal, where the event surely never came."""
    for about in _waiting(sql, target):
        if about.type != "redaction" or not about.begun:
            yield Fruitless(about.delivery, about.room, about.frozen)


def removed(sql: sqlite3.Connection, deliveries: Iterable[str]) -> set[int]:
    """The rows of the removed events that `deliveries` are of, or about."""
    query = (
        "SELECT m.seq FROM deliveries AS d JOIN events AS e ON e.seq = d.event"
        " JOIN events AS m ON m.seq IN (e.seq, e.target) AND m.removed = 1 WHERE d.id = ?"
    )
    return {seq for delivery in deliveries for (seq,) in sql.execute(query, (delivery,)).fetchall()}


def _waiting(sql: sqlite3.Connection, target: int) -> list[_About]:
    there = "SELECT 1 FROM deliveries AS m WHERE m.event = ?1 AND m.network = d.network AND m.room = d.room"
    sent = "EXISTS (SELECT 1 FROM sent WHERE sent.delivery = m.seq)"
    frozen = (
        "EXISTS (SELECT 1 FROM posts, json_each(posts.deliveries) AS carried"
        " WHERE posts.network = d.network AND posts.room = d.room AND carried.value = {}.id)"
    )
    rows = sql.execute(
        f"SELECT d.id, d.network, d.room, type, {frozen.format('d')},"  # noqa: S608
        f" EXISTS ({there} AND (m.state = 'sent' OR {sent} OR {frozen.format('m')}))"
        " FROM deliveries AS d JOIN events ON events.seq = d.event"
        " WHERE d.state IN ('queued', 'dead') AND (events.seq = ?1 OR target = ?1)",
        (target,),
    )
    return [
        _About(delivery, Room(network, room), kind, bool(frozen), bool(begun))
        for delivery, network, room, kind, frozen, begun in rows
    ]
