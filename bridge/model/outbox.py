"""What is owed to whom because something happened: deliveries, the posts they become, and their fate."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from bridge.lib.ids import digest
from bridge.model.event import Event, EventKey, Room


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
