"""The Store contract: cursors, the outbox and the message map, behind verbs that are each one atomic operation.

Each verb is declared once, here, with its promise. An engine carries it out by its name: for SQL that is the method of
the same name of `bridge.store.core.Core`.
"""
# mypy: disable-error-code="empty-body"

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from bridge.model.accounting import Count, Ledger, Loss
from bridge.model.event import Event, EventKey, Room
from bridge.model.outbox import Addressed, Backlog, Delivery, Entry, Known, Post

LONGEST_WAIT_S = 3600.0
"""A room waits no longer than this. Where it seems to wait longer, the clock was set back, and the room is due."""


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


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that follows from one batch, or that we want to say ourselves: stored all or nothing.

    With a `cursor`: where the stored cursor is `expect`, all is applied and the cursor moves; where it is `cursor`
    already, nothing is done; else `Rewound`. Without one, the stored cursor is neither compared nor moved.

    An event or delivery that is known by its id stays as it is. `posts` are what the deliveries of some rooms became,
    all that are for one room: they are frozen in the same transaction where nothing else is queued in that room and its
    network is run by the same worker. `changes` is what the network must remember (None forgets a key). `told` are
    losses about which this commit tells people.
    """

    expect: str | None = None
    cursor: str | None = None
    events: Sequence[Event] = ()
    deliveries: Sequence[Delivery] = ()
    posts: Sequence[Post] = ()
    counts: Sequence[Count] = ()
    changes: Mapping[str, str | None] = field(default_factory=dict)
    told: Sequence[Loss] = ()

    @classmethod
    def owing(
        cls, owed: Iterable[Addressed], *, changes: Mapping[str, str | None] | None = None, told: Sequence[Loss] = ()
    ) -> Self:
        """What we want to say ourselves, to rooms of any network."""
        owed = tuple(owed)
        events = {each.event.key: each.event for each in owed}
        return cls(
            events=tuple(events.values()),
            deliveries=tuple(each.delivery for each in owed),
            changes=changes or {},
            told=told,
        )


class Committed(NamedTuple):
    """How many deliveries were new, and the rooms whose `posts` are frozen now: who committed has to send these."""

    new: int = 0
    planned: frozenset[Room] = frozenset()


@dataclass(frozen=True, slots=True)
class Waits:
    """`room` is tried again at `until` (seconds since the epoch). It counts as an attempt."""

    room: Room
    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """These deliveries can never be sent. Their words are kept for the operator."""

    deliveries: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """These deliveries are given up. Their words are not kept, and they count among the losses."""

    deliveries: Sequence[str]
    reason: str


Fate = Waits | Dead | Dropped


class Engine(Protocol):
    """Carries out verbs by their names. The arguments are those of the verb; before them, for the verb of a lease,
    its network and token."""

    async def read(self, verb: str, *args: Any, **named: Any) -> Any: ...

    async def write(self, verb: str, *args: Any, **named: Any) -> Any: ...

    async def take_in(self, verb: str, *args: Any, **named: Any) -> Any:
        """Write what is not needed to deliver what is there already: `Full` while only the reserve is left."""
        ...

    def holds(self, network: str, token: str) -> bool: ...

    def let_go(self, network: str, token: str) -> None: ...

    async def wait(self, network: str, until: float) -> None: ...


_Verb = TypeVar("_Verb", bound=Callable[..., Awaitable[Any]])


def _verb(mode: str, *, in_steps: bool = False) -> Callable[[_Verb], _Verb]:
    """A verb that the engine carries out; with `in_steps` again and again, until it has nothing left to do."""

    def declare(verb: _Verb) -> _Verb:
        @wraps(verb)
        async def carry_out(self: Any, *args: Any, **named: Any) -> Any:
            ask = partial(getattr(self.engine, mode), verb.__name__, *self.own, *args, **named)
            total = result = await ask()
            while in_steps and result:
                result = await ask()
                total += result
            return total

        return carry_out  # type: ignore[return-value]

    return declare


_reads, _writes, _writes_in_steps = _verb("read"), _verb("write"), _verb("write", in_steps=True)


class Store:
    """Everything that must survive the process. These verbs need no lease: any process may ask at any time."""

    own: tuple[str, ...] = ()

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def acquire(self, network: str, worker: str) -> "Lease | None":
        """The right to write for `network`; None while another worker has it."""
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError

    @_reads
    async def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        """The ids that `event` has in `room`, one a post, in order; empty where it was not sent there."""

    @_reads
    async def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        """The event that we sent to `room` as `remote_id` (the first, where a post carries several)."""

    @_reads
    async def outbox(self) -> Sequence[Entry]:
        """All that is queued or dead, by room and order."""

    @_writes
    async def retry(self, delivery: str) -> bool:
        """Queue a dead delivery again, at its old place in the order; its age counts from now. False where it is not
        dead."""

    @_writes
    async def drop(self, delivery: str) -> bool:
        """Give up a delivery that is queued or dead, with the frozen posts that carry it; whatever else these carried
        is rendered again. Its id stays known. False where there is none."""

    @_reads
    async def ledger(self, since: float) -> Ledger:
        """What became of what was heard since then (seconds since the epoch); what is counted, to the minute."""

    @_writes_in_steps
    async def expire(self, before: float) -> int:
        """Remove what was done with before that time (seconds since the epoch); how many rows. The dead are kept until
        the operator drops them."""


class Lease:
    """One network is ours. Every verb is atomic and raises `LeaseLost` once the lease is gone."""

    def __init__(self, engine: Engine, network: str, token: str) -> None:
        self.engine = engine
        self.network = network
        self.own = (network, token)

    def valid(self) -> bool:
        """Whether the lease is surely ours right now: asked right before every wire write."""
        return self.engine.holds(*self.own)

    async def release(self) -> None:
        self.engine.let_go(*self.own)
        await self.engine.write("release", *self.own)

    async def wait(self, until: float) -> None:
        """Return when something may be due, or at `until` (seconds since the epoch). May return early, and 1 s late."""
        await self.engine.wait(self.network, until)

    async def commit(self, commit: Commit) -> Committed:
        """See `Commit`. What moves the cursor is intake, and has to wait while the disk is nearly full."""
        ask = self.engine.write if commit.cursor is None else self.engine.take_in
        committed: Committed = await ask("commit", *self.own, commit)
        return committed

    @_reads
    async def renew(self, cursor: str | None) -> None:
        """Keep the lease; `Rewound` where the stored cursor is another than `cursor`."""

    @_reads
    async def cursor(self) -> str | None:
        """Where the network resumes; None before its first commit."""

    @_reads
    async def recall(self) -> Mapping[str, str]:
        """What the network asked to have remembered."""

    @_writes
    async def remember(self, changes: Mapping[str, str | None]) -> None:
        """Set the keys of `changes`; None forgets one."""

    @_reads
    async def known(self, events: Collection[EventKey]) -> Mapping[EventKey, Known]:
        """What is known of these events, each under the key by which it was asked for; nothing of unknown ones."""

    @_reads
    async def due(
        self, now: float, rooms: int = 32, each: int = 20, without: Collection[Room] = ()
    ) -> Sequence[Backlog]:
        """At most `rooms` rooms of this network whose head may be sent at `now`, none of `without`: each with its
        frozen posts, or, where nothing is frozen, its first `each` deliveries."""

    @_writes
    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        """Freeze what the head of `room` became; what is frozen there already wins and is returned."""

    @_writes
    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        """A frozen post of its room was accepted as `remote_id`; False where it is not in the plan (any more).

        Any post of the plan may be proven first; `remote_ids` stays in the order of the plan. A delivery is complete
        once no frozen post carries it. Clears the room's postponement and attempts. `then` freezes the next plan in the
        same transaction, where nothing else is frozen."""

    @_writes
    async def settle(self, fate: Fate) -> Sequence[Event]:
        """What becomes of deliveries that were not sent: see `Waits`, `Dead` and `Dropped`. Only what is queued
        changes; frozen posts of what is dead or dropped go too. Returns the events that are dead now."""

    @_writes
    async def explain(self, room: Room, reason: str) -> None:
        """Why what is queued in `room` waits, for `outbox`; it is due as before. Nothing where nothing is queued."""

    @_writes
    async def hasten(self, room: Room) -> None:
        """What is queued in `room` is due now; the attempts stay. Nothing where the room does not wait."""

    @_writes_in_steps
    async def trim(self, before: float, most: int) -> int:
        """Drop what has been queued since before `before` (seconds since the epoch), and the oldest where a room has
        more than `most`; how many. What is frozen, and what goes ahead, stays."""

    @_reads
    async def losses(self) -> Sequence[Loss]:
        """What was dropped without anybody having been told. Our own words never count."""

    @_reads
    async def waiting(self, room: Room) -> int:
        """How many deliveries of what people said are queued for `room` behind what is frozen."""
