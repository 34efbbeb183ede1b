"""Filters for syncs and pages. They exclude our own events, which would be most of the traffic."""

import json
from collections.abc import Iterable

_CHANGED = ("m.room.member", "m.room.encryption", "m.room.tombstone", "m.room.power_levels")
_NOISE = (
    "m.call.candidates",
    "m.call.member",
    "m.room.avatar",
    "m.room.pinned_events",
    "m.room.server_acl",
    "m.space.*",
    "org.matrix.msc3401.call.member",
)
"""What clients and servers say all the time, and does not concern us. Everything else is heard: what is not carried is
counted."""
_OURS = ("m.room.message", "m.room.encrypted", "m.reaction", "m.room.redaction")
_NOTHING: dict[str, object] = {"types": []}
_TYPING: dict[str, object] = {"types": ["m.typing"]}
TIMELINE = 100
"""Most events of a room in one sync; older ones are fetched."""
FEW = 5
"""The same after an answer was too large; what is left out is fetched room by room."""
PAGE = 100
"""Most events in one page of older ones."""


def heard(us: str) -> dict[str, object]:
    """Events of a timeline that may concern us (spec, "Filtering": RoomEventFilter)."""
    return {"not_types": [*_NOISE], "not_senders": [us]}


def page(us: str) -> str:
    return json.dumps(heard(us))


def ours(senders: Iterable[str]) -> str:
    """What was said by `senders`, our accounts."""
    return json.dumps({"types": [*_OURS], "senders": [*senders]})


def arrival() -> str:
    """Like `page`, with our own events: our arrival is one."""
    return json.dumps({"not_types": [*_NOISE]})


def state(types: Iterable[str]) -> str:
    """Of the state of a room, what has one of these types, and no members."""
    return json.dumps({"types": [*types], "lazy_load_members": True})


def first(us: str) -> dict[str, object]:
    """For the first sync: one event a room, and the state of the rooms."""
    return _sync(heard(us) | {"limit": 1}, {"types": [*_CHANGED], "lazy_load_members": True})


def sync(us: str, limit: int = TIMELINE, *, typing: bool = False) -> dict[str, object]:
    """For later syncs: no state, which costs the homeserver milliseconds a message. Changes of a room are in its
    timeline, or in the gap once that is filled; names are asked for when somebody speaks. `typing`: also who types,
    but not who has read what."""
    return _sync(heard(us) | {"limit": limit}, _NOTHING, _TYPING if typing else _NOTHING)


def _sync(
    timeline: dict[str, object], state: dict[str, object], ephemeral: dict[str, object] = _NOTHING
) -> dict[str, object]:
    return {
        "presence": _NOTHING,
        "account_data": _NOTHING,
        "room": {"timeline": timeline, "state": state, "ephemeral": ephemeral, "account_data": _NOTHING},
    }
