"""What we ask the homeserver to tell us, and nothing else: our own echo would be the dearest part of a sync."""

import json

_SAID = ("m.room.message", "m.sticker", "m.room.encrypted")
_CHANGED = ("m.room.member", "m.room.encryption", "m.room.tombstone")
_NOTHING: dict[str, object] = {"types": []}
TIMELINE = 100
"""Events of a room in one sync; older ones are fetched."""
FEW = 5
"""Where an answer with as many is too large: what is left out is fetched room by room."""
PAGE = 100
"""Events in one request for older ones."""


def heard(us: str) -> dict[str, object]:
    """Events of a timeline that may concern us (spec, "Filtering": RoomEventFilter)."""
    return {"types": [*_SAID, *_CHANGED], "not_senders": [us]}


def page(us: str) -> str:
    return json.dumps(heard(us))


def ours(us: str) -> str:
    return json.dumps({"types": ["m.room.message", "m.reaction"], "senders": [us]})


def arrival() -> str:
    """With our own arrival among them."""
    return json.dumps({"types": [*_SAID, *_CHANGED]})


def first(us: str) -> dict[str, object]:
    """Where we are now, with what the rooms are like."""
    return _sync(heard(us) | {"limit": 1}, {"types": [*_CHANGED], "lazy_load_members": True})


def sync(us: str, limit: int = TIMELINE) -> dict[str, object]:
    """What comes then. Changes of a room are in its timeline, also of a gap, once that is filled; names are asked for
    when somebody speaks. So the homeserver need not work out any state, which costs it milliseconds a message."""
    return _sync(heard(us) | {"limit": limit}, _NOTHING)


def _sync(timeline: dict[str, object], state: dict[str, object]) -> dict[str, object]:
    return {
        "presence": _NOTHING,
        "account_data": _NOTHING,
        "room": {"timeline": timeline, "state": state, "ephemeral": _NOTHING, "account_data": _NOTHING},
    }
