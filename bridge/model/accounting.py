"""The nouns of accounting: what is counted, what was given up, what became of everything."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.event import Room


class Tally(StrEnum):
    """What is counted, since it leaves no delivery behind."""

    REFUSED = "refused"
    """An event that was heard and not carried."""
    RESENT = "resent"
    """A post of unknown fate that went out again: it may be there twice."""
    UNKNOWN = "unknown"
    """A time in which the room was not heard."""


@dataclass(frozen=True, slots=True)
class Count:
    """It happened once more, in `room`, for that reason."""

    room: Room
    what: Tally
    reason: str


TOO_OLD = "too old"
TOO_MANY = "too many waited"
"""Why messages are given up."""


@dataclass(frozen=True, slots=True)
class Loss:
    """So many messages to `room` were given up, said between two times (seconds since the epoch), and nobody was
    told yet."""

    room: Room
    reason: str
    number: int
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the deliveries to one room of people: how many are queued, sent, dead, dropped."""

    room: Room
    queued: int = 0
    sent: int = 0
    dead: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of all that was heard since a time. `carried` are events; `counts` are, for each room, what was
    counted, with how often; `lost` why deliveries are dead or dropped, with how many."""

    carried: int
    accounts: tuple[Account, ...]
    counts: tuple[tuple[Count, int], ...]
    lost: tuple[tuple[str, int], ...]

    @property
    def ratio(self) -> float | None:
        """The share of the deliveries that arrived, of those whose fate is known; None where there are none."""
        sent = sum(account.sent for account in self.accounts)
        failed = sum(account.dead + account.dropped for account in self.accounts)
        return sent / (sent + failed) if sent + failed else None

    def counted(self, what: Tally) -> int:
        return sum(number for count, number in self.counts if count.what is what)
