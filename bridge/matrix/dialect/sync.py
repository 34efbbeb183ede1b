"""A sync response (spec, "Syncing") as values. Malformed parts count as absent."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from bridge.matrix.dialect import polls, verification
from bridge.matrix.dialect.convert import said_at
from bridge.matrix.dialect.fields import Json, number, table, tables, values, word
from bridge.matrix.dialect.verification import Verification

_STATE = ("m.room.member", "m.room.encryption", "m.room.tombstone", "m.room.power_levels", "m.room.topic")
_ONE_TIME = "signed_curve25519"
_UNKNOWN = "not a kind of event that is carried"
_KNOWN = frozenset(
    {
        "m.beacon",
        "m.call.invite",
        "org.matrix.msc3401.call.notify",
        "org.matrix.msc3672.beacon",
        "org.matrix.msc4075.rtc.notification",
    }
)
"""The kinds that are named in the ledger. Anybody may make up others: those are counted under one reason."""
_UNSEEN = ("m.call.candidates", "m.call.negotiate", "m.call.select_answer", "m.room.redaction", *polls.RESPONSES)
"""How the types begin of what clients say to each other, and people never see."""
_SAID = ("m.room.message", "m.sticker", "m.room.redaction", "m.reaction", "m.room.topic", *polls.STARTS, *polls.ENDS)
_TYPISTS = 100
"""People read of those who type in a room: more are never shown."""


@dataclass(frozen=True, slots=True)
class Said:
    """What `user` said or did for others to see, such as a message, a reaction or a new topic; `event` is the whole
    event (client format)."""

    id: str
    user: str
    event: Json

    @property
    def needs_power(self) -> bool:
        """Whether it depends on the power of `user` what follows from it: they may remove what others said, and end
        their polls."""
        return word(self.event, "type") in ("m.room.redaction", *polls.ENDS)


@dataclass(frozen=True, slots=True)
class Membership:
    """The membership of `user` in the room (spec, `m.room.member`); `event` is the whole event (client format)."""

    user: str
    membership: str
    name: str
    sender: str
    reason: str
    event: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        return word(self.event, "event_id")

    @property
    def stays(self) -> bool:
        """Whether they are in the room or invited to it."""
        return self.membership in ("join", "invite")


@dataclass(frozen=True, slots=True)
class Encryption:
    """The room is encrypted from now on; `how` is the content of `m.room.encryption`."""

    how: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The room was upgraded, says `sender` in the event `event`: people go on in room `id` (`m.room.tombstone`)."""

    id: str
    sender: str = ""
    event: str = ""

    @property
    def via(self) -> str:
        """A server that is in the new room; empty if unknown."""
        return self.sender.partition(":")[2]


@dataclass(frozen=True, slots=True)
class PowerLevels:
    """Who may do what in the room from now on; `levels` is the content of `m.room.power_levels`."""

    levels: Json


@dataclass(frozen=True, slots=True)
class Sealed:
    """What `user` said in an encrypted room (`m.room.encrypted`); `event` is the whole event (client format)."""

    id: str
    user: str
    event: Json


@dataclass(frozen=True, slots=True)
class Uncarried:
    """Something that `user` said in an event of a kind that is not carried, for that `reason`."""

    id: str
    user: str
    reason: str


Entry = Said | Membership | Encryption | Replacement | PowerLevels | Sealed | Verification | Uncarried


@dataclass(frozen=True, slots=True)
class RoomNews:
    """What is new in room `id`. `before`: the token to fetch older events that were left out, else empty. `begins`:
    when the earliest event of the timeline was said (seconds since the epoch), infinite if there is none. `typing`:
    who types now, at most 100 people; None if that has not changed."""

    id: str
    state: tuple[Entry, ...]
    before: str
    timeline: tuple[Entry, ...]
    begins: float
    typing: tuple[str, ...] | None = None

    @property
    def is_about_typing(self) -> bool:
        """Whether nothing else is new."""
        return self.typing is not None and not (self.state or self.timeline or self.before)


@dataclass(frozen=True, slots=True)
class Invitation:
    """`sender` asks us to come to room `id`. `direct`: to what is, or may be, a conversation of two. Many clients do
    not mark those: only who is in the room shows it. A room with an alias, or that everybody may join, is none.
    `predecessor`: the room that it claims to replace, else empty."""

    id: str
    sender: str
    direct: bool
    encrypted: bool
    predecessor: str = ""


@dataclass(frozen=True, slots=True)
class ForDevice:
    """What is new for our device: `events` that were sent to it; people whose devices have `changed`, or who share no
    room with us any more; how many of our `one_time_keys` the homeserver has (None: it does not tell); whether it
    `needs_fallback`, as it has no unused fallback key (spec, "Extensions to /sync")."""

    events: tuple[Json, ...] = ()
    changed: tuple[str, ...] = ()
    one_time_keys: int | None = None
    needs_fallback: bool = False


@dataclass(frozen=True, slots=True)
class Sync:
    """One response: the token at its end, the rooms that we are in, those that we left, invitations, and what is for
    our device."""

    next_batch: str
    joined: tuple[RoomNews, ...]
    left: tuple[RoomNews, ...]
    invited: tuple[Invitation, ...]
    device: ForDevice = ForDevice()


def read(response: Json, us: str) -> Sync:
    """Parse a sync response. `us` is our full user id."""
    rooms = table(response, "rooms")
    joined, left, invited = (table(rooms, part) for part in ("join", "leave", "invite"))
    return Sync(
        word(response, "next_batch"),
        tuple(_room(room_id, table(joined, room_id)) for room_id in joined),
        tuple(_room(room_id, table(left, room_id)) for room_id in left),
        tuple(invitation(room_id, tables(invited, room_id, "invite_state", "events"), us) for room_id in invited),
        _for_device(response),
    )


def entries(events: Iterable[Json]) -> tuple[Entry, ...]:
    """The `events` that concern us."""
    return tuple(entry for event in events if (entry := _entry(event)) is not None)


def replacement(tombstone: Json) -> Replacement | None:
    """What an `m.room.tombstone` says; None if it names no room."""
    new = word(table(tombstone, "content"), "replacement_room")
    return Replacement(new, word(tombstone, "sender"), word(tombstone, "event_id")) if new else None


def unsealed(event: Json) -> Said | Verification | Uncarried | None:
    """What was said in an event that was sealed. Within, there is neither state nor what homeservers have to know."""
    if (found := verification.read(event)) is not None:
        return found
    if word(event, "type") in ("m.room.message", "m.sticker", "m.reaction", *polls.STARTS, *polls.ENDS):
        return Said(word(event, "event_id"), word(event, "sender"), event)
    return _uncarried(event, word(event, "type"))


def _for_device(response: Json) -> ForDevice:
    lists = table(response, "device_lists")
    users = (user for part in ("changed", "left") for user in values(lists, part))
    counts, unused = response.get("device_one_time_keys_count"), response.get("device_unused_fallback_key_types")
    return ForDevice(
        tuple(tables(response, "to_device", "events")),
        tuple(user for user in users if isinstance(user, str)),
        (number(counts, _ONE_TIME) or 0) if isinstance(counts, dict) else None,
        isinstance(unused, list) and _ONE_TIME not in unused,
    )


def _room(room_id: str, news: Json) -> RoomNews:
    timeline = table(news, "timeline")
    events = [*tables(timeline, "events")]
    before = word(timeline, "prev_batch") if timeline.get("limited") is True else ""
    begins = min(map(said_at, events), default=math.inf)
    state = entries(tables(news, "state", "events"))
    return RoomNews(room_id, state, before, entries(events), begins, _typing(tables(news, "ephemeral", "events")))


def _typing(events: Iterable[Json]) -> tuple[str, ...] | None:
    """Who types (spec, "Typing Notifications"): each such event names all of them."""
    now = None
    for event in events:
        if word(event, "type") == "m.typing":
            users = islice(values(table(event, "content"), "user_ids"), _TYPISTS)
            now = tuple(user for user in users if isinstance(user, str))
    return now


def _entry(event: Json) -> Entry | None:
    kind = word(event, "type")
    if kind in _STATE and not isinstance(event.get("state_key"), str):
        return None  # it changes nothing, whoever sent it: such an event needs no power
    if (found := verification.read(event)) is not None:
        return found
    match kind:
        case "m.room.topic" if word(event, "state_key"):
            return None
        case _ if kind in _SAID:
            event_id, user = word(event, "event_id"), word(event, "sender")
            return Said(event_id, user, event) if event_id and user else None
        case "m.room.member":
            content = table(event, "content")
            membership, name, reason = (word(content, key) for key in ("membership", "displayname", "reason"))
            return Membership(word(event, "state_key"), membership, name, word(event, "sender"), reason, event)
        case "m.room.encryption" if word(event, "state_key") == "":
            return Encryption(table(event, "content"))
        case "m.room.tombstone" if word(event, "state_key") == "":
            return replacement(event)
        case "m.room.power_levels" if word(event, "state_key") == "":
            return PowerLevels(table(event, "content"))
        case "m.room.encrypted":
            event_id, user = word(event, "event_id"), word(event, "sender")
            return Sealed(event_id, user, event) if event_id and user and table(event, "content") else None
        case _:
            return _uncarried(event, kind)


def _uncarried(event: Json, kind: str) -> Uncarried | None:
    """What people notice that it is missing on the other side: no state, no signals between clients, and nothing that
    was redacted."""
    event_id, user = word(event, "event_id"), word(event, "sender")
    if "state_key" in event or kind.startswith(_UNSEEN) or not (event_id and user and table(event, "content")):
        return None
    return Uncarried(event_id, user, f"{_UNKNOWN}: {kind}" if kind in _KNOWN else _UNKNOWN)


def invitation(room_id: str, state: Iterable[Json], us: str) -> Invitation:
    """What asks `us` to come to a room; `state`: what we are shown of it before (spec, "Stripped state")."""
    sender, direct, encrypted, public, predecessor = "", False, False, False, ""
    for event in state:
        encrypted = encrypted or word(event, "type") == "m.room.encryption"
        public = public or _is_public(event)
        if word(event, "type") == "m.room.create":
            predecessor = word(table(event, "content", "predecessor"), "room_id")
        if word(event, "type") == "m.room.member" and word(event, "state_key") == us:
            sender, direct = word(event, "sender"), table(event, "content").get("is_direct") is True
    return Invitation(room_id, sender, direct or not public, encrypted, predecessor)


def _is_public(event: Json) -> bool:
    """Whether the event gives the room an alias, or lets everybody in."""
    content = table(event, "content")
    if word(event, "type") == "m.room.canonical_alias":
        return bool(word(content, "alias"))
    return word(event, "type") == "m.room.join_rules" and word(content, "join_rule") == "public"
