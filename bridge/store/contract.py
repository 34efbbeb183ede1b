"""The Store contract: cursors, the outbox and the message map, behind verbs that are each one atomic operation.

Each verb is declared and specified once, here. An engine runs it by name: for SQL, the method of the same name of
`bridge.store.core.Core`.
"""
# mypy: disable-error-code="empty-body"

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from bridge.model.accounting import Count, Ledger, Loss, Traffic, TrafficKind
from bridge.model.event import Event, EventKey, Room
from bridge.model.health import Lines, Queue
from bridge.model.history import PastOutage, Run
from bridge.model.outbox import Addressed, Backlog, Delivery, Entry, Hosted, Known, Owed, Post, Revoked
from bridge.model.people import Sender

LONGEST_WAIT_S = 3600.0
"""Seconds. No room waits longer: a wait that seems longer means that the clock was set back, and the room is due."""


LEASE_S, BELIEVED_S, RENEW_S = 9.0, 7.5, 2.5
"""Seconds. A lease of a shared store lasts so long by the store's clock; its worker believes in it so long, by its own
steady clock, from before it asked; and renews it so often."""


class StoreError(Exception):
    """An operation of the store failed. The text is shown to the operator."""


class LeaseLost(StoreError):
    """Another worker owns the network now: stop running it here."""


class Rewound(StoreError):
    """The stored cursor is not the expected one: restart `events()` from the stored one."""


class Unavailable(StoreError):
    """The outcome is unknown: repeat the same call, and acknowledge nothing meanwhile."""


class Full(StoreError):
    """The disk is full: intake waits, delivery goes on."""


class Unusable(StoreError):
    """The store cannot be opened: damaged, of a newer version, or in use by a daemon. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that follows from one batch, or messages of our own: stored all or nothing.

    With a `cursor`: if the stored cursor is `expect`, all is applied and the cursor moves; if it is `cursor` already,
    nothing is done; otherwise `Rewound` is raised. Without one, the stored cursor is neither compared nor moved.

    An event or delivery whose id is known stays as it is. `posts` are rendered deliveries of some rooms, all posts of
    each room: they are frozen in the same transaction if nothing else is queued in that room and the same worker runs
    its network. `changes` is what the network must remember (None forgets a key). `told` are losses that this commit
    reports to people.
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
        """A commit of messages of our own, to rooms of any network."""
        owed = tuple(owed)
        events = {each.event.key: each.event for each in owed}
        return cls(
            events=tuple(events.values()),
            deliveries=tuple(each.delivery for each in owed),
            changes=changes or {},
            told=told,
        )


class Owner(NamedTuple):
    """Who runs a network, and what that worker has reported of it ('': nothing yet)."""

    worker: str
    report: str = ""


class Committed(NamedTuple):
    """How many deliveries were new, and the rooms whose `posts` are frozen now: the caller has to send these.
    `erased`: deliveries of messages that are removed, and of what is about them: those that waited are dropped. Those
    that are frozen may have been sent: they stay, and the removal comes after them. Who knows that they were not sent
    drops them."""

    new: int = 0
    planned: frozenset[Room] = frozenset()
    erased: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Waits:
    """`room` is tried again at `until` (seconds since the epoch). This counts as an attempt."""

    room: Room
    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """These deliveries can never be sent. Their text is kept for the operator."""

    deliveries: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """These deliveries are given up. Their text is not kept, and they count as losses, unless the reason is that they
    were removed (`REDACTED`)."""

    deliveries: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Nothing has to be sent of these deliveries, which are not frozen: they are done."""

    deliveries: Sequence[str]


Fate = Waits | Dead | Dropped | Shown


class Engine(Protocol):
    """Runs verbs by name. The arguments are those of the verb; a verb of a lease gets its network and token first."""

    async def read(self, verb: str, *args: Any, **named: Any) -> Any: ...

    async def write(self, verb: str, *args: Any, **named: Any) -> Any: ...

    async def take_in(self, verb: str, *args: Any, **named: Any) -> Any:
        """Write intake, which delivery can do without. Raises `Full` while only the reserve of disk space is left."""
        ...

    async def note(self, verb: str, *args: Any, **named: Any) -> Any:
        """Write what may be forgotten if this process ends within a quarter of a second: it may wait so long for others
        to be written with."""
        ...

    @property
    def in_order(self) -> bool:
        """Whether calls are carried out in the order in which they were begun."""
        ...

    def holds(self, network: str, token: str) -> bool: ...

    def let_go(self, network: str, token: str) -> None: ...

    async def wait(self, network: str, until: float) -> None: ...


_Verb = TypeVar("_Verb", bound=Callable[..., Awaitable[Any]])


def _verb(mode: str, *, in_steps: bool = False) -> Callable[[_Verb], _Verb]:
    """Declare a verb that the engine runs; `in_steps`: repeat it until it returns 0, and return the sum."""

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


_reads, _writes, _takes_in, _notes = _verb("read"), _verb("write"), _verb("take_in"), _verb("note")
_writes_in_steps = _verb("write", in_steps=True)


class Store:
    """All persistent state. These verbs need no lease: any process may call them at any time."""

    own: tuple[str, ...] = ()
    shared = False
    """Whether several workers may use it at the same time: leases have to be renewed, then."""
    in_order = True
    """See `Engine`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def acquire(self, network: str, worker: str) -> "Lease | None":
        """Acquire the right to write for `network`; None while another worker has it: until that one lets go, or has
        not renewed it in time."""
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError

    @_reads
    async def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        """The ids of `event` in `room`, one per post, in order; empty if it was not sent there."""

    @_reads
    async def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        """The event that we sent to `room` as `remote_id` (the first, if a post carries several)."""

    @_reads
    async def outbox(self) -> Sequence[Entry]:
        """All queued and dead deliveries, by room and order."""

    @_writes
    async def retry(self, delivery: str) -> bool:
        """Queue a dead delivery again, at its old place in the order, and with it the edits of its message that died
        with it; their age counts from now. False if not dead."""

    @_writes
    async def drop(self, delivery: str) -> bool:
        """Give up a queued or dead delivery and the edits of its message, with the frozen posts that carry them; other
        deliveries in these posts are rendered again. Its id stays known. False if there is no such delivery."""

    @_reads
    async def networks(self) -> Mapping[str, int]:
        """The networks that the store knows, each with how many deliveries wait for it; without the bots' own."""

    @_reads
    async def ledger(self, since: float) -> Ledger:
        """What became of the events heard after `since` (seconds since the epoch). Counts are to the minute."""

    @_reads
    async def file(self, handle: str) -> Hosted | None:
        """The file with that `handle` (see `bridge.model.outbox.handle`); None if no link was made to it, or the links
        have expired or were revoked."""

    @_reads
    async def text(self, handle: str) -> str | None:
        """The whole text with that `handle` (see `bridge.model.outbox.text_handle`); None as for a file."""

    @_writes
    async def count_traffic(self, used: Mapping[TrafficKind, Traffic]) -> None:
        """Add to today's traffic (days of UTC)."""

    @_reads
    async def traffic_since(self, since: float) -> Mapping[TrafficKind, Traffic]:
        """The traffic of the day of `since` (seconds since the epoch) and later days."""

    @_writes
    async def try_to_write(self) -> None:
        """Begin a transaction that writes, and end it. It waits for whoever has the store locked, and for all that was
        to be written before; but it changes nothing, so nothing is written to the disk. Raises `Unavailable` while
        another program has the store locked."""

    @_takes_in
    async def try_to_take_in(self) -> None:
        """Changes nothing. Raises `Full` while intake has to wait for disk space."""

    @_reads
    async def queues(self) -> Mapping[str, Queue]:
        """What is queued and dead, by network; networks for which nothing is are left out. Cheap to ask, also of a long
        queue. A dead delivery that is tried again counts from then on."""

    @_reads
    async def last_lines(self, rooms: Collection[Room]) -> Mapping[Room, Lines]:
        """For each of `rooms`: when the last message that was carried from there was said, and when the last was sent
        there; None where the store knows of none."""

    @_reads
    async def outages(self, since: float) -> Sequence[PastOutage]:
        """The outages of rooms that lasted until after `since` (seconds since the epoch), the first that began first.
        They are kept for a year, the last 10,000."""

    @_reads
    async def owners(self) -> Mapping[str, Owner]:
        """Who runs each network now. Networks that nobody runs are left out."""

    @_writes
    async def agree(self, name: str, value: str) -> str:
        """Keep `value` under `name`, unless something is kept there; returns what is kept: to all workers the same."""

    @_writes
    async def begin_run(self, version: str) -> None:
        """The daemon of that version begins to run now."""

    @_writes
    async def end_run(self, version: str = "") -> None:
        """The daemon of that version that began last ends now, as it should; '': of any version."""

    @_reads
    async def runs(self, since: float) -> Sequence[Run]:
        """The runs of the daemon that began after `since`, the first one first. Kept as outages are."""

    @_writes
    async def revoke(self, handle: str) -> int:
        """Revoke the links to a file or a text; returns how many had one: 1 or 0."""

    @_writes
    async def revoke_of(self, event_id: str, network: str = "") -> Revoked:
        """Revoke the links to all files and the text of the event with that id, on any network unless it is given, and
        of its edits. Returns how many had one."""

    @_writes
    async def revoke_said(self, said: Callable[[Sender], bool], rooms: Collection[Room] | None = None) -> Revoked:
        """Revoke the links to all files and texts of those whom `said` accepts; if `rooms` are given, only of what was
        said there. `said` is asked about senders as they were stored, inside the transaction: it must be pure, and
        quick. Returns how many had one."""

    @_writes_in_steps
    async def expire(self, before: float) -> int:
        """Remove what was finished before `before` (seconds since the epoch); returns how many rows. Dead deliveries
        are kept until the operator drops them, messages as long as the links to their files work, and outages for a
        year."""


class Lease:
    """The right to run one network. Every verb is atomic and raises `LeaseLost` once the lease is gone."""

    def __init__(self, engine: Engine, network: str, token: str) -> None:
        self.engine = engine
        self.network = network
        self.own = (network, token)

    def valid(self) -> bool:
        """Whether the lease is certainly ours now. Check it right before every write to the network."""
        return self.engine.holds(*self.own)

    async def release(self) -> None:
        self.engine.let_go(*self.own)
        await self.engine.write("release", *self.own)

    async def wait(self, until: float) -> None:
        """Return when something may be due, or at `until` (seconds since the epoch). May return early, and 1 s late."""
        await self.engine.wait(self.network, until)

    async def commit(self, commit: Commit) -> Committed:
        """See `Commit`. A commit with a cursor is intake, and has to wait while the disk is nearly full."""
        ask = self.engine.write if commit.cursor is None else self.engine.take_in
        committed: Committed = await ask("commit", *self.own, commit)
        return committed

    @_writes
    async def keep(self) -> None:
        """Keep the lease for another `LEASE_S`."""

    @_reads
    async def renew(self, cursor: str | None) -> None:
        """Raises `Rewound` if the stored cursor is not `cursor`: the store went back while nothing was heard."""

    @_writes
    async def report(self, words: str) -> None:
        """Tell other workers how the network is: what `owners` gives them."""

    @_reads
    async def cursor(self) -> str | None:
        """Where the network resumes; None before its first commit."""

    @_reads
    async def recall(self) -> Mapping[str, str]:
        """What the network has stored with `remember` or `Commit.changes`."""

    @_writes
    async def remember(self, changes: Mapping[str, str | None]) -> None:
        """Set the keys of `changes`; None forgets one."""

    @_reads
    async def known(self, events: Collection[EventKey]) -> Mapping[EventKey, Known]:
        """What is known of these events, by the key given for each; unknown events are left out."""

    @_reads
    async def due(
        self, now: float, rooms: int = 32, each: int = 20, without: Collection[Room] = ()
    ) -> Sequence[Backlog]:
        """At most `rooms` rooms of this network, none of `without`, whose head may be sent at `now`: each with its
        frozen posts or, if nothing is frozen, its first `each` deliveries, and up to 200 if they have gathered."""

    @_reads
    async def said_in(self, room: Room, since: float, most: int) -> Sequence[Known]:
        """The last messages that people saw in `room`, heard after `since` (seconds since the epoch), at most `most`,
        the newest first: what was said there, and what was sent there, each with its ids there."""

    @_writes
    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        """Freeze `posts`, rendered from the head of `room`. If posts are frozen already, they stay and are returned."""

    @_writes
    async def append(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        """Freeze `posts`, rendered from what follows the frozen posts of `room` (see `behind`), after those. Returns
        them; nothing if a delivery in them is frozen already, or queued no more."""

    @_writes
    async def thaw(self, room: Room) -> bool:
        """Let the frozen posts of `room` be rendered again: surely none of them was sent. False, and no effect, if
        nothing is frozen, or an earlier post of their deliveries was sent."""

    @_reads
    async def behind(self, room: Room) -> Owed | None:
        """The first delivery queued for `room` that no frozen post carries, and that is about nothing frozen."""

    @_writes
    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        """Record that a frozen post was accepted as `remote_id` ('': nothing had to be sent); False if it is not frozen
        (any more).

        Posts of a plan may be confirmed in any order; `remote_ids` keeps the order of the plan. A delivery is complete
        once no frozen post carries it. Clears the room's postponement and attempts. `then` is the next plan, frozen in
        the same transaction if nothing else is frozen."""

    @_notes
    async def note_sent(self, post: Post, remote_id: str) -> bool:
        """As `sent`, for a post that its network would recognise: if this process ends within a quarter of a second,
        the post stays frozen, as if its answer had not come. Of an engine that works `in_order`, whatever is asked for
        after it knows of it."""

    @_writes
    async def settle(self, fate: Fate) -> Sequence[Event]:
        """Record the fate of deliveries that were not sent: see `Fate`. Changes only queued deliveries, and removes
        the frozen posts of dead and dropped ones. Returns the events that are dead now."""

    @_writes
    async def explain(self, room: Room, reason: str) -> None:
        """Set why `room` waits, as `outbox` shows it; its queue is due as before. No effect if nothing is queued."""

    @_writes
    async def hasten(self, room: Room) -> None:
        """Make the queue of `room` due now; the attempts stay. No effect if the room does not wait."""

    @_writes_in_steps
    async def trim(self, before: float, most: int, most_bytes: int = 2**62) -> int:
        """Drop what was queued before `before` (seconds since the epoch), and the oldest of a room with more than
        `most`, or more than `most_bytes` of event bodies in all; returns how many. Frozen deliveries, and those sent
        `ahead`, stay."""

    @_reads
    async def losses(self) -> Sequence[Loss]:
        """Losses that people were not told of yet. Messages of our own never count."""

    @_reads
    async def waiting(self, room: Room) -> int:
        """How many deliveries of people's messages are queued for `room` and not frozen."""

    @_writes
    async def begin_outage(self, room: Room, began: float, reason: str) -> None:
        """Keep that nothing can be said in `room` since `began` (seconds since the epoch). If an outage of the room
        lasts already, it goes on, for that `reason`."""

    @_writes
    async def end_outage(self, room: Room, ended: float) -> None:
        """The outage of `room` was over at `ended`. No effect if none lasts."""

    @_reads
    async def lasting_outages(self) -> Sequence[PastOutage]:
        """The outages of this network's rooms that are not over; an earlier run may have left them so."""
