"""The nouns: what happened, who did it, where, and what is owed to whom because of it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from bridge.casemap import Casemapping
from bridge.text import Text

BOTS = "bots"
"""The network whose rooms are the bots' ears; no network of the config may be called so."""


DESK = "desk"
"""The ear that takes what is asked of the bridge itself, in private; no bot of the config may be called so."""


@dataclass(frozen=True, slots=True, order=True)
class Room:
    """Where people talk on a network. `id` is opaque to all but the network's adapter, which makes sure that one room
    has one id: for a configured room the very string of the config (`#pond`, `#pond:example.org`), for a private
    conversation the person's address or the room that it is held in."""

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Room":
        """`network/id`, as the config and the command line write it. ValueError where a part is missing."""
        network, slash, room = text.partition("/")
        if not (network and slash and room):
            raise ValueError(f"{text!r} is not NETWORK/ROOM")
        return cls(network, room)


class Proof(StrEnum):
    """What a network can prove of a sender, named as on the command line (`--matrix`, `--irc`, `--irc-mask`)."""

    MATRIX = "matrix"
    IRC = "irc"
    IRC_MASK = "irc-mask"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A sender id that may be trusted: a Matrix id (network empty: ids are global), an IRC services account, or an IRC
    `nick!user@host` (a glob where a user holds it, the real mask where a sender proves it)."""

    kind: Proof
    network: str
    value: str

    def __str__(self) -> str:
        return f"{self.network}/{self.value}" if self.network else self.value


@dataclass(frozen=True, slots=True)
class Sender:
    """Who spoke. Only `proofs` say who it is; `address` is where an answer reaches them (Matrix id, IRC nick), `name`
    is only shown, and neither is ever compared with a user.

    `mask` is the `nick!user@host` that an IRC network shows, and proves nothing. `connection` is theirs alone for as
    long as the network shows us without a break that it is the same one, whatever nick it takes, and never comes again
    after that; '' where nobody can tell.
    """

    network: str
    address: str
    name: str
    proofs: tuple[Identity, ...] = ()
    casemapping: Casemapping = Casemapping.EXACT
    bot: bool = False
    mask: str = ""
    connection: str = ""


class Kind(StrEnum):
    """How a message is said: plainly, as `/me`, or as a notice, which no bot may answer (RFC 2812 section 3.3.2). A
    reaction stands at what it replies to, where the network can (Matrix spec, `m.annotation`); else it is a notice."""

    TEXT = "text"
    ACTION = "action"
    NOTICE = "notice"
    REACTION = "reaction"


@dataclass(frozen=True, slots=True)
class EventKey:
    """An event's id is unique in its room."""

    room: Room
    id: str


@dataclass(frozen=True, slots=True)
class Message:
    """Somebody said something. `time` is seconds since the epoch by the network's clock.

    `called` is the name by which the text calls our own account at its head, '' where it mentions us elsewhere, None
    where it does not. `reply_to` names the event, in the same room, that this one replies to. `replayed` is what was
    said while we were away, as the network tells it later: without a proof nobody can tell by whom.
    """

    id: str
    room: Room
    sender: Sender
    time: float
    text: Text
    kind: Kind = Kind.TEXT
    private: bool = False
    called: str | None = None
    reply_to: EventKey | None = None
    replayed: bool = False

    @property
    def key(self) -> EventKey:
        return EventKey(self.room, self.id)

    @property
    def mark(self) -> str:
        """What each line of this message begins with where it is carried to, so that no line can pretend to be from
        somebody else; '' in a private conversation, where nobody else is carried."""
        if self.private:
            return ""
        return f"* {self.sender.name} " if self.kind is Kind.ACTION else f"<{self.sender.name}> "


Event = Message
"""What happened, in no network's dialect: a union that grows as more than messages is carried."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event owed to one room; `ahead` of what waits there and is not frozen yet."""

    id: str
    event: EventKey
    room: Room
    ahead: bool = False

    @classmethod
    def of(cls, event: EventKey, room: Room, *, ahead: bool = False) -> "Delivery":
        return cls(digest(event.room.network, event.room.id, event.id, room.network, room.id), event, room, ahead)


_LATE = 60.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Owed:
    """A delivery with what rendering it needs: the event, and the ids, in the target `room`, of what it replies to.
    `said` is when it was said, seconds since the epoch, and `age` how many seconds ago that is."""

    delivery: str
    room: Room
    event: Event
    refers: tuple[str, ...] = ()
    said: float = 0.0
    age: float = 0.0

    @classmethod
    def of(
        cls, delivery: str, room: Room, event: Event, refers: tuple[str, ...], *, queued: float, now: float
    ) -> "Owed":
        """As it is `now`. What was said while we were away has the network's time; all else was said when it was
        `queued`, whatever clock the network has."""
        said = max(0.0, min(queued, event.time)) if event.replayed else queued  # a hostile server may say anything
        return cls(delivery, room, event, refers, said, max(0.0, now - said))

    @property
    def stamp(self) -> str:
        """What each line begins with where it comes late: when it was said."""
        if self.age < _LATE or not self.event.mark:
            return ""
        said = datetime.fromtimestamp(self.said, UTC)
        return f"[{said:%H:%M} UTC] " if self.age < _DAY else f"[{said:%Y-%m-%d %H:%M} UTC] "


@dataclass(frozen=True, slots=True)
class Post:
    """One wire message. `payload` is the adapter's own encoding; whoever else holds it does not look inside."""

    id: str
    room: Room
    deliveries: tuple[str, ...]
    payload: str

    @classmethod
    def of(cls, room: Room, deliveries: tuple[str, ...], part: int, payload: str) -> "Post":
        """The `part`-th (from 0) post of what `deliveries` became; its id follows from what it carries."""
        return cls(digest(str(part), *deliveries), room, deliveries, payload)


@dataclass(frozen=True, slots=True)
class Backlog:
    """A room whose head is due: its frozen posts that are not sent yet, in order, else its first deliveries."""

    room: Room
    posts: tuple[Post, ...]
    owed: tuple[Owed, ...]
    attempts: int


class State(StrEnum):
    """A delivery is queued until its last post is sent, until it can never be sent (dead: the words are kept for the
    operator), or until it is given up on purpose (dropped: only its id and the reason are kept)."""

    QUEUED = "queued"
    SENT = "sent"
    DEAD = "dead"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of `outbox list`: a delivery that is not done. `since` is when it was queued, seconds since the epoch;
    `reason` is why it is dead, or why its room waits."""

    delivery: str
    event: Event
    room: Room
    state: State
    since: float
    attempts: int
    reason: str


def digest(*parts: str) -> str:
    """128 bits that follow from `parts` and from nothing else; the lengths keep ('ab', 'c') and ('a', 'bc') apart."""
    joined = b"".join(
        len(data).to_bytes(4, "big") + data for data in (part.encode(errors="surrogatepass") for part in parts)
    )
    return hashlib.blake2b(joined, digest_size=16).hexdigest()
