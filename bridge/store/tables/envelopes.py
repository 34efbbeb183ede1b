"""Converts events of store version 4 or older, which had only messages, to the current envelope."""

import json
import sqlite3
from typing import Any

from bridge.model.event import Event, EventKey, Kind, Message, Origin, Reaction, Room
from bridge.model.outbox import said_at
from bridge.model.text import plain
from bridge.store.tables.bodies import dump, dump_sender, load_sender, load_text

_REACTION = "reaction"
"""The old message kind that is a `Reaction` now."""
_OURS = "quackbridge"
"""The sender name of the bridge's own messages, which had no address."""


def wrap_messages(sql: sqlite3.Connection) -> None:
    """Rewrite every stored body, and fill the columns derived from it."""
    for seq, body in sql.execute("SELECT seq, body FROM events WHERE body IS NOT NULL").fetchall():
        event = _wrapped(json.loads(body))
        sender = None if event.private else dump_sender(event.sender)
        sql.execute(
            "UPDATE events SET type = ?, origin = ?, sender = ?, body = ? WHERE seq = ?",
            (event.body.type, event.origin, sender, dump(event), seq),
        )
        for delivery, since in sql.execute("SELECT seq, since FROM deliveries WHERE event = ?", (seq,)).fetchall():
            sql.execute("UPDATE deliveries SET said = ? WHERE seq = ?", (said_at(event, since), delivery))


def _wrapped(old: dict[str, Any]) -> Event:
    sender, text = load_sender(json.dumps(old["sender"])), load_text(json.dumps(old["text"]))
    ours = old["private"] and sender.bot and not sender.address and sender.name == _OURS
    reply_to = _key(old["reply_to"]) if old.get("reply_to") else None
    body: Message | Reaction
    if old["kind"] == _REACTION and reply_to is not None:
        body = Reaction(reply_to, plain(text))
    else:
        kind = Kind.NOTICE if old["kind"] == _REACTION else Kind(old["kind"])
        body = Message(text, kind, old.get("called"), reply_to)
    return Event(
        old["id"],
        Room(**old["room"]),
        sender,
        old["time"],
        body,
        private=old["private"] and not ours,
        origin=Origin.OURS if ours else Origin.REPLAYED if old.get("replayed") else Origin.LIVE,
    )


def _key(old: dict[str, Any]) -> EventKey:
    return EventKey(Room(**old["room"]), old["id"])
