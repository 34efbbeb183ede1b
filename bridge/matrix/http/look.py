"""Questions about one room: is it encrypted, who is in it, what was said there before we came, and by us."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from bridge.matrix.dialect import operations, sync
from bridge.matrix.dialect.fields import Json, table, tables, word
from bridge.matrix.dialect.sync import Replacement
from bridge.matrix.http import filters
from bridge.matrix.http.homeserver import ApiError, ClientApi, Homeserver, TooLarge, TooSlow, chunk
from bridge.matrix.rooms import power as powers
from bridge.matrix.rooms.power import Power
from bridge.model.outbox import Post

_BEFORE = 2 * filters.TIMELINE
"""Events searched for our arrival: a first sync shows at most half as many from before it."""
_TOO_MANY = 429
_CROWD = 10
"""Most members that are looked at in a room that may be a private conversation."""
_MOST = 1000
"""The same, with those who are banned."""


class _Enough(Exception):
    """We do not need to read the rest."""


async def encryption(homeserver: ClientApi, room_id: str) -> Json | None:
    """How the room is encrypted (the content of its `m.room.encryption`), None if it is not."""
    try:
        return await homeserver.get("rooms", room_id, "state", "m.room.encryption", "")
    except ApiError as error:
        if error.code == "M_NOT_FOUND":
            return None
        raise


async def is_member(homeserver: ClientApi, room_id: str, user: str) -> bool:
    """Whether `user` is in the room; False if we may not know."""
    try:
        found = await homeserver.get("rooms", room_id, "state", "m.room.member", user)
    except ApiError as error:
        if error.passes:
            raise
        return False
    return word(found, "membership") == "join"


async def replacement(homeserver: Homeserver, room_id: str) -> Replacement | None:
    """The room that replaces this one; None if it was not upgraded, or we may not know."""
    tombstone = await _state(homeserver, room_id, "m.room.tombstone")
    return sync.replacement(tombstone) if tombstone else None


async def predecessor(homeserver: Homeserver, room_id: str) -> str:
    """The id of the room that this one names as the one that it replaces; empty if there is none."""
    created = await homeserver.get("rooms", room_id, "state", "m.room.create", "")
    return word(table(created, "predecessor"), "room_id")


async def power(homeserver: Homeserver, room_id: str, event_id: str) -> Power:
    """Who had which power in the room when that event was sent; or who has it now, if the homeserver does not show the
    event. Nobody has any if we may not know."""
    query = {"limit": "0", "filter": filters.state(powers.TYPES)}
    try:
        found = await homeserver.get("rooms", room_id, "context", event_id, query=query)
    except ApiError as error:
        if error.passes or error.logged_out:
            raise
        found = {}
    state = {word(event, "type"): event for event in tables(found, "state") if event.get("state_key") == ""}
    create, levels = (state.get(kind) for kind in powers.TYPES)
    return await power_now(homeserver, room_id) if create is None else _power(create, levels)


async def power_now(homeserver: Homeserver, room_id: str) -> Power:
    """Who has which power in the room now. Nobody has any if we may not know."""
    create, levels = [await _state(homeserver, room_id, kind) for kind in powers.TYPES]
    return Power.of_room({}, {}) if create is None else _power(create, levels)


def _power(create: Json, levels: Json | None) -> Power:
    return Power.of_room(create, None if levels is None else table(levels, "content"))


async def _state(homeserver: Homeserver, room_id: str, kind: str) -> Json | None:
    """A state event of the room, in client format; None if there is none, or we may not know. Servers that know no
    `format` answer with its content: then its sender is unknown."""
    try:
        found = await homeserver.get("rooms", room_id, "state", kind, "", query={"format": "event"})
    except ApiError as error:
        if error.passes or error.logged_out:
            raise
        return None
    return found if "content" in found else {"content": {**found}}


async def members(homeserver: ClientApi, room_id: str) -> set[str]:
    """The users who are in the room or invited to it. Of a crowd only some, and an empty id for the others: anybody may
    invite us to one."""
    there: set[str] = set()
    read = 0

    def take(event: Json) -> None:
        nonlocal read
        read += 1
        if _membership(event) in ("join", "invite"):
            there.add(word(event, "state_key"))
        if len(there) > _CROWD or read > _MOST:
            there.add("")
            raise _Enough

    with suppress(_Enough):
        chunk(await homeserver.each("rooms", room_id, "members", query={"not_membership": "leave"}, take=take))
    return there


async def names(homeserver: Homeserver, room_id: str, at: str | None, most: int) -> dict[str, str] | None:
    """The display names of the users who were in the room, or invited, at the token `at` (None: who are now). None if
    there are more than `most`; empty if the homeserver does not tell."""
    query = {"not_membership": "leave"} | ({"at": at} if at is not None else {})
    found: dict[str, str] = {}

    def take(event: Json) -> None:
        if _membership(event) in ("join", "invite"):
            found[word(event, "state_key")] = word(table(event, "content"), "displayname")
        if len(found) > most:
            raise _Enough

    try:
        await homeserver.each("rooms", room_id, "members", query=query, take=take)
    except ApiError as error:
        if error.passes or error.logged_out:
            raise
        return {} if at is None else await names(homeserver, room_id, None, most)
    except (TooLarge, _Enough):
        return None
    except TooSlow:
        return {}
    return found


async def displayname(homeserver: ClientApi, room_id: str, user: str) -> str:
    """The name of `user` in that room; empty if the homeserver refuses to tell it."""
    try:
        return word(await homeserver.get("rooms", room_id, "state", "m.room.member", user), "displayname")
    except ApiError as error:
        if error.status == _TOO_MANY:
            raise
        return ""


async def people(homeserver: Homeserver, room_id: str, most: int) -> set[str]:
    """All who are in the room or invited to it. Raises TooLarge if there are more than `most`."""
    there: set[str] = set()

    def take(event: Json) -> None:
        if _membership(event) in ("join", "invite"):
            there.add(word(event, "state_key"))
        if len(there) > most:
            raise TooLarge(f"there are more than {most} people in the room")

    chunk(await homeserver.each("rooms", room_id, "members", query={"not_membership": "leave"}, take=take))
    return there


async def past(homeserver: Homeserver, room_id: str, us: str, came: Collection[str]) -> frozenset[str]:
    """The ids of events from before our membership last became one of `came`; if that is too long ago to be found, of
    all recent events."""
    query = {"dir": "b", "limit": str(_BEFORE), "filter": filters.arrival()}
    events = chunk(await homeserver.get("rooms", room_id, "messages", query=query))
    for number, event in enumerate(events):
        before = word(table(event, "unsigned", "prev_content"), "membership")
        if word(event, "state_key") == us and _membership(event) in came and before not in came:
            events = events[number + 1 :]
            break
    return frozenset(word(older, "event_id") for older in events)


async def event_of(homeserver: ClientApi, room_id: str, senders: Sequence[str], post: Post) -> str | None:
    """The id of the event that `post` became; None if it is not among the last of `senders`, our accounts, there."""
    query = {"dir": "b", "limit": str(filters.PAGE), "filter": filters.ours(senders)}
    for event in chunk(await homeserver.get("rooms", room_id, "messages", query=query)):
        # A redaction removes an event's content; only the device that sent it is told its transaction id
        marks = (word(table(event, "content"), operations.ID), word(table(event, "unsigned"), "transaction_id"))
        if post.id in marks and word(event, "sender") in senders:
            return word(event, "event_id") or None
    return None


def _membership(event: Json) -> str:
    return word(table(event, "content"), "membership")
