"""Questions about one room: is it encrypted, who is in it, what was said there before we came, and by us."""

from collections.abc import Collection

from bridge.matrix.dialect import operations
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http import filters
from bridge.matrix.http.homeserver import ApiError, Homeserver, chunk
from bridge.model.outbox import Post

_BEFORE = 2 * filters.TIMELINE
"""Events to look at for our arrival: a first sync shows at most half as many from before it."""
_TOO_MANY = 429


async def is_encrypted(homeserver: Homeserver, room_id: str) -> bool:
    try:
        await homeserver.get("rooms", room_id, "state", "m.room.encryption", "")
    except ApiError as error:
        if error.code == "M_NOT_FOUND":
            return False
        raise
    return True


async def is_member(homeserver: Homeserver, room_id: str, user: str) -> bool:
    """Whether `user` is in the room, as far as we are shown that."""
    try:
        found = await homeserver.get("rooms", room_id, "state", "m.room.member", user)
    except ApiError as error:
        if error.passes:
            raise
        return False
    return word(found, "membership") == "join"


async def members(homeserver: Homeserver, room_id: str) -> set[str]:
    """Who is there, and who is invited."""
    found = await homeserver.get("rooms", room_id, "members")
    memberships = {word(event, "state_key"): _membership(event) for event in chunk(found)}
    return {user for user, membership in memberships.items() if membership in ("join", "invite")}


async def displayname(homeserver: Homeserver, room_id: str, user: str) -> str:
    """The name of `user` in that room, as far as it can be told: nothing waits for a name."""
    try:
        return word(await homeserver.get("rooms", room_id, "state", "m.room.member", user), "displayname")
    except ApiError as error:
        if error.status == _TOO_MANY:
            raise
        return ""


async def past(homeserver: Homeserver, room_id: str, us: str, came: Collection[str]) -> frozenset[str]:
    """The ids of what was said before our membership last became one of `came`; where that is long ago, of what was
    said until now."""
    query = {"dir": "b", "limit": str(_BEFORE), "filter": filters.arrival()}
    events = chunk(await homeserver.get("rooms", room_id, "messages", query=query))
    for number, event in enumerate(events):
        before = word(table(event, "unsigned", "prev_content"), "membership")
        if word(event, "state_key") == us and _membership(event) in came and before not in came:
            events = events[number + 1 :]
            break
    return frozenset(word(older, "event_id") for older in events)


async def event_of(homeserver: Homeserver, room_id: str, us: str, post: Post) -> str | None:
    """The id of the event that `post` became, where it is among the last that we sent to the room."""
    query = {"dir": "b", "limit": str(filters.PAGE), "filter": filters.ours(us)}
    for event in chunk(await homeserver.get("rooms", room_id, "messages", query=query)):
        # Who redacts an event takes its content away; its transaction id is only told to the device that sent it
        marks = (word(table(event, "content"), operations.ID), word(table(event, "unsigned"), "transaction_id"))
        if post.id in marks and word(event, "sender") == us:
            return word(event, "event_id") or None
    return None


def _membership(event: Json) -> str:
    return word(table(event, "content"), "membership")
