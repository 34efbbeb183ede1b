"""Data types of accounting: counts, losses, and the ledger of what became of all messages."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.event import Room


class Tally(StrEnum):
    """What is counted because it leaves no delivery behind."""

    REFUSED = "refused"
    """An event that was heard but not carried."""
    RESENT = "resent"
    """A post of unknown delivery status that was sent again: it may be there twice."""
    UNKNOWN = "unknown"
    """A period in which the room was not heard."""


class Cause(StrEnum):
    """Why an event is not carried, in one word for the metrics: what people read is the reason."""

    GUEST = "guest"
    """Its sender is no member."""
    MUTED = "muted"
    BANNED = "banned"
    IGNORED = "ignored"
    """It fits a pattern of `ignore`."""
    PASSWORD = "password"  # noqa: S105  (no password)
    """It may contain one."""
    UNPROVEN = "unproven"
    """Sent while the bridge was away, and the network does not prove by whom."""
    UNKNOWN_TARGET = "unknown_target"
    """It changes a message that is unknown, or too old."""
    NOT_ALLOWED = "not_allowed"
    """It changes what others have said."""
    NOT_POSSIBLE = "not_possible"
    """It changes what cannot be changed (any more)."""
    NOT_WANTED = "not_wanted"
    """The link does not carry such events."""
    UNREADABLE = "unreadable"
    """It is encrypted, and the bridge cannot read it."""


@dataclass(frozen=True, slots=True)
class Count:
    """One more occurrence of `what` in `room`, for `reason`."""

    room: Room
    what: Tally
    reason: str


class TrafficKind(StrEnum):
    """A kind of traffic with the outside: answered requests for files and texts of links, refused ones, and uploads."""

    SERVED = "served"
    REFUSED = "refused"
    UPLOADED = "uploaded"


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many requests or files, and how many bytes."""

    number: int = 0
    bytes: int = 0


TOO_OLD = "waited too long"
TOO_MANY = "too many waited"
"""Reasons for which messages are given up."""
REDACTED = "removed before it was delivered"
"""The reason of a message that is not delivered because its sender, or a moderator, removed it: no loss."""


@dataclass(frozen=True, slots=True)
class Loss:
    """`number` messages to `room` were given up, and nobody was told yet. They were said between `since` and `until`
    (seconds since the epoch)."""

    room: Room
    reason: str
    number: int
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Account:
    """How many deliveries to one room of people are queued, sent, dead and dropped."""

    room: Room
    queued: int = 0
    sent: int = 0
    dead: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of all that was heard since a time. `carried`: number of events. `counts`: what was counted in each
    room, and how often. `lost`: reasons why deliveries are dead or dropped, and how many are."""

    carried: int
    accounts: tuple[Account, ...]
    counts: tuple[tuple[Count, int], ...]
    lost: tuple[tuple[str, int], ...]

    @property
    def ratio(self) -> float | None:
        """The share of deliveries that arrived (0 to 1), without those still queued; None if there are none."""
        sent = sum(account.sent for account in self.accounts)
        failed = sum(account.dead + account.dropped for account in self.accounts)
        return sent / (sent + failed) if sent + failed else None

    def counted(self, what: Tally) -> int:
        return sum(number for count, number in self.counts if count.what is what)
