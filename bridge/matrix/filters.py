"""What we ask the homeserver to tell us, and nothing else: our own echo would be the dearest part of a sync."""

import json

_SAID = ("m.room.message", "m.sticker", "m.room.encrypted")
_CHANGED = ("m.room.member", "m.room.encryption", "m.room.tombstone")
_NOTHING: dict[str, list[str]] = {"types": []}
TIMELINE = 100
"""Events of a room in one sync; older ones are fetched."""
PAGE = 100
"""Events in one request for older ones."""


def heard(us: str) -> dict[str, object]:
    """Events of a timeline that may concern us (spec, "Filtering": RoomEventFilter)."""
    return {"types": [*_SAID, *_CHANGED], "not_senders": [us], "lazy_load_members": True}


def page(us: str) -> str:
    return json.dumps(heard(us))


def arrival() -> str:
    """With our own arrival among them."""
    return json.dumps({"types": [*_SAID, *_CHANGED]})


def sync(us: str, limit: int = TIMELINE) -> dict[str, object]:
    return {
        "presence": _NOTHING,
        "account_data": _NOTHING,
        "room": {
            "timeline": heard(us) | {"limit": limit},
            "state": {"types": [*_CHANGED], "lazy_load_members": True},
            "ephemeral": _NOTHING,
            "account_data": _NOTHING,
        },
    }
