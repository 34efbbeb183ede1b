"""The Store contract: cursors, the outbox and the message map, behind verbs that are each one atomic operation."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from bridge.model.accounting import Count, Ledger, Loss
from bridge.model.event import Event, EventKey, Room
from bridge.model.outbox import Backlog, Delivery, Entry, Post

LONGEST_WAIT = 3600.0
"""Seconds that a room waits at most: where it seems to be longer, the clock was set back, and it is due."""


class StoreError(Exception):
    """The store could not do what it was asked. The text is what the operator reads."""


class LeaseLost(StoreError):
    """Another worker owns the network now: stop it here."""


class Rewound(StoreError):
    """The stored cursor is not where we thought: start `events()` again from the stored one."""


class Unavailable(StoreError):
    """The outcome is unknown: repeat the same call, and acknowledge nothing meanwhile."""


class Full(StoreError):
    """There is no room for more: intake waits, delivering goes on."""


class Unusable(StoreError):
    """The store cannot be opened as it is: damaged, of a newer version, or another daemon's. Nothing was changed."""


class Committed(NamedTuple):
    """How many deliveries were new, and for which rooms they are planned."""

    new: int = 0
    planned: frozenset[Room] = frozenset()


class Store(Protocol):
    """Everything that must survive the process. The verbs without a lease are safe from any process at any time."""

    async def acquire(self, network: str, worker: str) -> "Lease | None":
        """The right to write for `network`, or None while another worker has it."""
        ...

    async def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        """The ids that `event` has in `room`, one a post, in order; empty where it was not sent there."""
        ...

    async def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        """The event that we sent to `room` as `remote_id` (the first, where a post carries several)."""
        ...

    async def outbox(self) -> Sequence[Entry]:
        """All that is queued or dead, by room and order."""
        ...

    async def retry(self, delivery: str) -> bool:
        """Queue a dead delivery again, at its old place in the order. False where it is not dead."""
        ...

    async def drop(self, delivery: str) -> bool:
        """Give up a delivery that is queued or dead, with the frozen posts that carry it; what they carried besides is
        rendered again. Its id stays known. False where there is none."""
        ...

    async def ledger(self, since: float) -> Ledger:
        """What became of what was heard since then (seconds since the epoch); what is counted, to the minute."""
        ...

    async def expire(self, before: float) -> int:
        """Remove what was done with before that time (seconds since the epoch), in small steps; how much it was."""
        ...

    async def aclose(self) -> None: ...


class Lease(Protocol):
    """One network is ours. Every verb is atomic and raises `LeaseLost` once the lease is gone."""

    network: str

    def valid(self) -> bool:
        """Whether the lease is surely ours right now: asked right before every wire write."""
        ...

    async def renew(self, cursor: str | None) -> None:
        """Keep the lease; `Rewound` where the stored cursor is another than `cursor`."""
        ...

    async def release(self) -> None: ...

    async def cursor(self) -> str | None:
        """Where the network resumes; None before its first commit."""
        ...

    async def commit(
        self,
        expect: str | None,
        events: Sequence[Event],
        deliveries: Sequence[Delivery],
        cursor: str,
        counts: Sequence[Count] = (),
        posts: Sequence[Post] = (),
    ) -> Committed:
        """Store events, deliveries and counts and move the cursor, all or nothing.

        Stored cursor == `expect`: apply. == `cursor`: done already, nothing is new. Else `Rewound`. What is known by
        its id already is left as it is, whatever became of it.

        `posts` are what the deliveries of some rooms became, all that are for one room: `plan` for these in the same
        transaction, where nothing else is queued in the room, and its network is ours, too. Who is told that a room is
        planned sends it, and nobody else is woken for it.
        """
        ...

    async def owe(
        self, owed: Sequence[tuple[Event, Delivery]], changes: Mapping[str, str | None] = MappingProxyType({})
    ) -> int:
        """Queue something of our own, to rooms of any network, as `commit` does, but without the cursor; and `remember`
        the `changes` with it."""
        ...

    async def waiting(self, room: Room) -> int:
        """How many deliveries of what people said are queued for `room`; notices are none."""
        ...

    async def count(self, counts: Sequence[Count]) -> None:
        """Something happened that is counted."""
        ...

    async def due(
        self, now: float, rooms: int = 32, each: int = 20, without: Collection[Room] = ()
    ) -> Sequence[Backlog]:
        """At most `rooms` rooms of this network whose head may be sent at `now`, each with its frozen posts, or, where
        nothing is frozen, its first `each` deliveries with the remote ids that they refer to; none of `without`."""
        ...

    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        """Freeze what the head of `room` became; what is frozen there already wins and is returned."""
        ...

    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        """A frozen post of its room was accepted as `remote_id`; False where it is not (or no longer) in the plan.

        Any post of the plan may be proven first; `remote_ids` stays in the order of the plan. A delivery is complete
        once no frozen post carries it.

        Clears the room's postponement and attempts. `then` freezes the next plan in the same transaction,
        where nothing else is frozen."""
        ...

    async def postpone(self, room: Room, until: float, reason: str) -> None:
        """Try `room` again at `until`, and count an attempt. Nothing where the room has nothing queued."""
        ...

    async def bury(self, deliveries: Sequence[str], reason: str) -> Sequence[Event]:
        """Queued deliveries that can never be sent are dead, with the reason; frozen posts that carry them go too. What
        it was that nobody will read."""
        ...

    async def give_up(self, deliveries: Sequence[str], reason: str) -> None:
        """As `bury`, but dropped: the id and the reason are kept, the words go once nobody else is owed them. It counts
        among the `losses`."""
        ...

    async def trim(self, before: float, most: int) -> int:
        """Give up what has been queued since before `before` (seconds since the epoch), and the oldest of what is more
        than `most` in one room; how much. What is frozen, and what goes ahead, stays."""
        ...

    async def losses(self) -> Sequence[Loss]:
        """What was given up on, and nobody was told of; a notice is not worth another."""
        ...

    async def told(self, loss: Loss, owed: Sequence[tuple[Event, Delivery]]) -> bool:
        """People are told of `loss` by what is queued now. False, with nothing done, where more was lost meanwhile."""
        ...

    async def explain(self, room: Room, reason: str) -> None:
        """Why what is queued in `room` waits, for `outbox`; it is due as before. Nothing where nothing is queued."""
        ...

    async def hasten(self, room: Room) -> None:
        """What is queued in `room` is due now; the attempts stay. Nothing where the room does not wait."""
        ...

    async def wait(self, until: float) -> None:
        """Return when something may be due or at `until` (seconds since the epoch). May return early, and 1 s late."""
        ...

    async def recall(self) -> Mapping[str, str]:
        """What the network asked to have remembered."""
        ...

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        """Set the keys of `changes`; None forgets one."""
        ...
