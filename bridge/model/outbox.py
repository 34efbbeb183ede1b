"""The outbox: deliveries of events to rooms, the posts that they are rendered to, and their states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, Self

from bridge.lib.ids import digest
from bridge.model.event import Edit, Event, EventKey, Kind, Media, Origin, Room
from bridge.model.people import Sender


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to be sent to one room; `ahead`: before what waits there and is not frozen yet; `gather`: it waits so
    many seconds for more of its type, and what comes after it goes before."""

    id: str
    event: EventKey
    room: Room
    ahead: bool = False
    gather: float = 0.0

    @classmethod
    def of(cls, event: EventKey, room: Room, *, ahead: bool = False, gather: float = 0.0) -> Self:
        return cls(
            digest(event.room.network, event.room.id, event.id, room.network, room.id), event, room, ahead, gather
        )


@dataclass(frozen=True, slots=True)
class Addressed:
    """An event and one room that is to get it. `ahead`, `gather`: as in `Delivery`."""

    event: Event
    room: Room
    ahead: bool = False
    gather: float = 0.0

    @property
    def delivery(self) -> Delivery:
        return Delivery.of(self.event.key, self.room, ahead=self.ahead, gather=self.gather)


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of an event that another refers to.

    `source` is the event as it was first heard, `who` said it (None if unknown), and `excerpt` is the beginning of its
    text, as it was last edited ('' if not kept, or removed). `rooms`: where it was said, and where it went. `type` is
    that of its body, `kind` that of a message.

    Of the room asked about: `ids` are its ids there, one per post, empty if it was not sent there; `before` is the
    beginning of its text as people saw it there last; `last`: it was said there last, or, if it is the root of the
    thread of the event that refers to it, something of the thread was; `thread` is the id of the root of its
    thread, '' if it is in none.
    """

    source: EventKey
    who: Sender | None = None
    excerpt: str = ""
    rooms: tuple[Room, ...] = ()
    ids: tuple[str, ...] = ()
    before: str = ""
    last: bool = False
    thread: str = ""
    removed: bool = False
    type: str = "message"
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that is stored on the network of the room as `source` (see `Media`), to be sent with a message's words as
    its caption. `size` is in bytes, `width` and `height` in pixels, `length` in seconds; None: unknown. `blurhash`:
    how a picture looks from afar (https://blurha.sh); '': unknown."""

    kind: Literal["image", "audio", "video"]
    name: str
    size: int
    mime: str
    source: str
    width: int | None = None
    height: int | None = None
    length: float | None = None
    blurhash: str = ""


@dataclass(frozen=True, slots=True)
class Owed:
    """A delivery with what rendering it needs: the event, and in `context` what is known of the events that it refers
    to. `said` is when it was said (seconds since the epoch), `age` how many seconds ago. `also`: deliveries of edits
    that the event has in it already; posts of this one carry them too. `attached`: the file that goes with it."""

    delivery: str
    room: Room
    event: Event
    context: Mapping[EventKey, Known] = field(default_factory=dict)
    said: float = 0.0
    age: float = 0.0
    also: tuple[str, ...] = ()
    attached: Attached | None = None

    @property
    def deliveries(self) -> tuple[str, ...]:
        return (self.delivery, *self.also)

    def known(self, event: EventKey | None) -> Known | None:
        """What is known of `event`, to which this one refers."""
        return self.context.get(event) if event is not None else None

    def ids_of(self, event: EventKey | None) -> tuple[str, ...]:
        """The ids of `event` in this room; empty if it has none."""
        known = self.known(event)
        return known.ids if known is not None else ()


def said_at(event: Event, queued: float) -> float:
    """When `event` was said, by our clock (seconds since the epoch). For a live event, the time it was `queued`; for a
    replayed one, or one that others have overtaken, the network's time, but not in the future."""
    is_older = event.origin is Origin.REPLAYED or event.overtaken
    return max(0.0, min(queued, event.time)) if is_older else queued


def handle(event: Event, media: Media) -> str:
    """The name by which the store knows a file of a message, or of an edit of it: 128 bits in hex. It stays the same if
    the network is renamed."""
    message = event.body.target if isinstance(event.body, Edit) else event.key
    return digest("file", message.room.id, message.id, media.source)


def text_handle(event: Event) -> str:
    """The same for the whole text of a message, or of an edit of it, which replaces it."""
    message = event.body.target if isinstance(event.body, Edit) else event.key
    return digest("text", message.room.id, message.id)


@dataclass(frozen=True, slots=True)
class Hosted:
    """A file to which a link was made, and the event that it belongs to."""

    event: EventKey
    media: Media


class Revoked(NamedTuple):
    """How many files and whole texts had links that work no more."""

    files: int = 0
    texts: int = 0


@dataclass(frozen=True, slots=True)
class Post:
    """One wire message. Only its network's adapter reads `payload`."""

    id: str
    room: Room
    deliveries: tuple[str, ...]
    payload: str

    @classmethod
    def of(cls, room: Room, deliveries: tuple[str, ...], part: int, payload: str) -> Self:
        """The `part`-th post (from 0) rendered from `deliveries`; its id is a hash of the two."""
        return cls(digest(str(part), *deliveries), room, deliveries, payload)


@dataclass(frozen=True, slots=True)
class Backlog:
    """A room whose head is due: its frozen unsent posts, in order, or else its first deliveries."""

    room: Room
    posts: tuple[Post, ...]
    owed: tuple[Owed, ...]
    attempts: int


class State(StrEnum):
    """The state of a delivery: queued until its last post is sent; dead if it can never be sent (its text is kept for
    the operator); dropped if it was given up on purpose (only its id and the reason are kept)."""

    QUEUED = "queued"
    SENT = "sent"
    DEAD = "dead"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of `outbox list`: an unfinished delivery. `since` is when it was queued (seconds since the epoch);
    `reason` is why it is dead, or why its room waits."""

    delivery: str
    event: Event
    room: Room
    state: State
    since: float
    attempts: int
    reason: str
