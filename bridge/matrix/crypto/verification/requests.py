"""What others send to compare emoji, to our device or in a room, and how much of it is looked at."""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.lib.bucket import SlidingWindow, TokenBucket
from bridge.lib.lru import LruDict
from bridge.matrix.dialect.convert import said_at
from bridge.matrix.dialect.fields import Json, number, table, word
from bridge.matrix.dialect.verification import PREFIX
from bridge.matrix.rooms.joined import JoinedRoom

_LONGEST = 255
"""Most characters of an id: as many as ids of events and users may have."""
_OLD_S, _EARLY_S = 600.0, 300.0
"""Seconds by which the time of a request may differ from ours, else it is left alone (spec,
`m.key.verification.request`)."""
_AN_HOUR = 5
"""Requests of one person in an hour."""
_PEOPLE = 1000
"""People for whom these are counted."""
_REFUSALS, _REFUSALS_PER_MINUTE = 3, 3
"""Refusals that are told, to all together: each may seal keys for a whole room."""

Place = tuple[str, str, str]
"""Which comparison: a room's id (empty: to our device), a user, and the id that they have given to it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """`user` has sent a message of that `kind` in the comparison `transaction`, in the room `joined` or (None) to our
    device. `at`: in seconds since the epoch, as their homeserver or client claims, for requests."""

    kind: str
    user: str
    transaction: str
    content: Json
    joined: JoinedRoom | None = None
    at: float = 0.0

    @property
    def place(self) -> Place:
        return (self.joined.id if self.joined else "", self.user, self.transaction)

    @property
    def device(self) -> str:
        """Whence it comes, as it says in a request or a start; else empty."""
        return word(self.content, "from_device")

    def is_of_now(self, now: float) -> bool:
        return -_EARLY_S <= now - self.at <= _OLD_S


def sent(event: Json) -> Heard | None:
    """What was sent to our device; None if it is nothing of this."""
    kind, content, user = word(event, "type"), table(event, "content"), word(event, "sender")
    at = (number(content, "timestamp") or 0) / 1000
    if not kind.startswith(PREFIX):
        return None
    heard = Heard(kind.removeprefix(PREFIX), user, word(content, "transaction_id"), content, None, at)
    return heard if _makes_sense(heard) else None


def said(joined: JoinedRoom, event: Json, us: str) -> Heard | None:
    """What was said in a room; None if it is for somebody else, as far as we see, or it makes no sense."""
    kind, content, user = word(event, "type"), table(event, "content"), word(event, "sender")
    if kind == "m.room.message":
        heard = Heard("request", user, word(event, "event_id"), content, joined, said_at(event))
        return heard if word(content, "to") == us and _makes_sense(heard) else None
    relates = table(content, "m.relates_to")
    about = word(relates, "event_id") if word(relates, "rel_type") == "m.reference" else ""
    heard = Heard(kind.removeprefix(PREFIX), user, about, content, joined)
    return heard if _makes_sense(heard) else None


def _makes_sense(heard: Heard) -> bool:
    short = all(0 < len(part) <= _LONGEST for part in (heard.user, heard.transaction))
    return short and 0 < len(heard.device) <= _LONGEST if heard.kind == "request" else short


class Admission:
    """How often people may ask, and how often they are told that they may not."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked: LruDict[str, SlidingWindow] = LruDict(_PEOPLE)
        self._refusals = TokenBucket(_REFUSALS, _REFUSALS_PER_MINUTE / 60)

    def may_ask(self, user: str) -> bool:
        """Whether that person may ask once more. It counts."""
        now = self._clock()
        if (window := self._asked.get(user)) is None:
            window = self._asked[user] = SlidingWindow(_AN_HOUR, 3600)
        if not window.left(now):
            return False
        window.spend(now)
        return True

    def may_refuse(self) -> bool:
        """Whether somebody may be told that it is refused. It counts."""
        now = self._clock()
        if not self._refusals.has_token(now):
            return False
        self._refusals.spend(now)
        return True
