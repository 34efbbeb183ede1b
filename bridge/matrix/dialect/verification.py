"""What clients say to each other to compare emoji (spec, "Key verification framework"), as it is found in rooms."""

from dataclasses import dataclass

from bridge.matrix.dialect.fields import Json, table, word

PREFIX = "m.key.verification."
"""How the types of these events begin."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The client of `user` says something of this; people never see it. `event` is the whole event (client format)."""

    id: str
    user: str
    event: Json


def read(event: Json) -> Verification | None:
    """What is said in an event of a room; None if it is another kind of event."""
    kind, event_id, user = word(event, "type"), word(event, "event_id"), word(event, "sender")
    asks = kind == "m.room.message" and word(table(event, "content"), "msgtype") == f"{PREFIX}request"
    is_one = asks or (kind.startswith(PREFIX) and "state_key" not in event)
    return Verification(event_id, user, event) if is_one and event_id and user else None
