"""Room events as a homeserver shows them, and what becomes of them."""

from bridge.matrix.dialect import convert
from bridge.matrix.dialect.convert import Us, sender
from bridge.model.event import Event, Room

ROOM = Room("home", "#pond:hs")
US = Us("@duck:hs", "Little Yellow Duck")
HTML = "org.matrix.custom.html"


def heard(content: object, kind: str = "m.room.message", **more: object) -> Event | None:
    event = {"type": kind, "event_id": "$1", "sender": "@ann:hs", "origin_server_ts": 1_500, "content": content} | more
    return convert.event(event, ROOM, sender("home", "@ann:hs", "Ann"), US)


def said(body: str, **more: object) -> dict[str, object]:
    return {"msgtype": "m.text", "body": body, **more}
