"""What was said in a room of two while nobody heard it: a homeserver that is killed may forget to tell us."""

from collections.abc import Sequence

from bridge.matrix.dialect.convert import said_at
from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks.rooms import TalkRoom
from bridge.matrix.http import filters
from bridge.matrix.http.homeserver import chunk

_PAGES = 5
_OLDER_S = 3600.0
"""What is older than the last that was heard by so many seconds was heard, too: the homeserver has forgotten that one,
as its database was restored."""


async def missed(service: Service, room: TalkRoom) -> Sequence[Json]:
    """The events after the last that was heard, the oldest first, at most some pages of them. Raises ApiError,
    Unreachable."""
    api, found = service.as_ghost(room.ghost), list[Json]()
    query = {"dir": "b", "limit": str(filters.PAGE)}
    for _ in range(_PAGES):
        page = await api.get("rooms", room.id, "messages", query=query)
        for event in chunk(page):
            if word(event, "event_id") == room.last or said_at(event) < room.at / 1000 - _OLDER_S:
                return found[::-1]
            found.append({**event, "room_id": room.id})
        before = word(page, "end")
        if not before:
            break
        query["from"] = before
    return found[::-1]
