"""What a homeserver tells our application service: which events concern a room of two, and what they mean. Pure."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.lib.ids import digest
from bridge.lib.lru import LruSet
from bridge.matrix.dialect import sync
from bridge.matrix.dialect.fields import Json, table, tables, word
from bridge.matrix.dialect.sync import Encryption, Membership, Replacement, Said, Sealed
from bridge.matrix.ghosts.making import removal
from bridge.matrix.ghosts.records import Place
from bridge.matrix.ghosts.talks.rooms import Do, Errand, TalkRoom
from bridge.matrix.ghosts.talks.words import CROWD

_SEEN = 1_000
"""Transactions that are known again: a homeserver repeats the last one only."""


def events(body: bytes) -> Sequence[Json]:
    """The events of a transaction. Raises ValueError if it is none."""
    try:
        found = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict) or not isinstance(found.get("events"), list):
        raise ValueError("a transaction is an object with events")
    return [*tables(found, "events")]


class Transactions:
    """Those that were taken in. One is known again by its number and its content: a homeserver whose database was
    restored begins its numbers anew."""

    def __init__(self) -> None:
        self._known = LruSet[str](_SEEN)

    def knows(self, number: str, body: bytes) -> bool:
        return _mark(number, body) in self._known

    def add(self, number: str, body: bytes) -> None:
        self._known.add(_mark(number, body))


def _mark(number: str, body: bytes) -> str:
    return digest("transaction", number, hashlib.blake2b(body, digest_size=16).hexdigest())


@dataclass(frozen=True, slots=True)
class Spoken:
    """The member has said something."""

    event: Json


@dataclass(frozen=True, slots=True)
class Named:
    """The member is called so from now on."""

    name: str


@dataclass(frozen=True, slots=True)
class Over:
    """The talk is over in this room. The ghost says `text`, if it is not empty, and leaves. `removed`: by whom the
    ghost was removed, in words: then no other room is begun for it."""

    text: str = ""
    removed: str = ""


def meaning(event: Json, room: TalkRoom, sealed: str) -> Spoken | Named | Over | None:
    """What an event means in that room; None: nothing. What others say there does not count. `sealed`: what a ghost
    says of encryption."""
    for entry in sync.entries([event]):
        match entry:
            case Said(user=user) if user == room.member:
                return Spoken(event)
            case Membership():
                return _moved(entry, room)
            case Encryption():
                return Over(sealed)
            case Sealed(user=user) if user == room.member:
                return Over(sealed)
            case Replacement():
                return Over()
    return None


def _moved(member: Membership, room: TalkRoom) -> Named | Over | None:
    if member.user == room.member:
        if member.membership == "join":
            return Named(member.name)
        return None if member.stays else Over()
    if member.user != room.ghost:
        return Over(CROWD) if member.stays else None
    if member.stays or member.sender == room.ghost:
        return None
    if member.sender != room.member:
        return Over()
    how = Place.BANNED if member.membership == "ban" else Place.KICKED
    return Over(removed=removal(how, member.sender, member.reason))


def invitation(event: Json, is_ghost: Callable[[str], bool]) -> Errand | None:
    """What there is to do if the event invites a ghost to a room; None if it does not."""
    if word(event, "type") != "m.room.member" or word(table(event, "content"), "membership") != "invite":
        return None
    ghost, member, room_id = word(event, "state_key"), word(event, "sender"), word(event, "room_id")
    if not (room_id and member and is_ghost(ghost)) or is_ghost(member):
        return None
    shown = tables(event, "unsigned", "invite_room_state")
    found = sync.invitation(room_id, [*shown, event], ghost)
    return Errand(room_id, ghost, Do.ANSWER, member, found.direct, found.encrypted)
