"""The contract of a chat network, and the errors that it raises."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from bridge.model.accounting import Count
from bridge.model.event import Event, EventKey, Room
from bridge.model.outbox import Attached, Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import DEFAULT, Presentation

# Exceptions of a network:
#   SendError
#     TransientError    sending may work later
#       Silenced        sending works once we may speak in the room
#     PermanentError    sending will never work
#       FaceRemoved     the speaker was banned there
#     InDoubt           the post may have been sent already
#   Needless            there is nothing to send
#   Refused             our configuration is not accepted: the operator has to act
#   NotNow              what the server tells us cannot be taken in now
#   NotStored           the network does not take a file
#   NotFetched          a file cannot be had now
#     NoSuchFile        nor ever


class SendError(Exception):
    """A post was not sent. The text is shown to the operator."""


class TransientError(SendError):
    """Sending failed: try again, after `retry_after` seconds if the network gave a time. `refused`: the network has
    answered to this very post, so that the post, not the room, may be the cause. `unclear`: the post may have been
    sent, and sending it again is safe; else it was surely not sent."""

    def __init__(
        self, reason: str, retry_after: float | None = None, *, refused: bool = False, unclear: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.refused = refused
        self.unclear = unclear


class Silenced(TransientError):
    """We are in the room, but may not speak there."""


class PermanentError(SendError):
    """This post can never be sent. Its deliveries are dead; the next ones of the room go on."""


class FaceRemoved(PermanentError):
    """The account or connection that the speaker has there was removed from the room, and nobody else may speak for
    them. They are told in private."""


class Needless(Exception):
    """The network shows nothing of the first of what is owed to a room, and that is as it should be: its delivery is
    done. `deliveries`, if any, are done together with it: the first of them is the first that is owed."""

    def __init__(self, reason: str = "", deliveries: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.deliveries = tuple(deliveries)


class InDoubt(SendError):
    """Delivery status unknown: the post may have been sent before. Calling `send` once more sends it. `resend` says
    whether the operator prefers a duplicate to a loss."""

    def __init__(self, reason: str, *, resend: bool) -> None:
        super().__init__(reason)
        self.resend = resend


class Refused(Exception):
    """The network rejects our configuration (such as the password): trying again does not help. `key` is what is wrong
    in it, as the keys that lead there (`networks`, `home`, `password_file`); empty if that is unknown."""

    def __init__(self, reason: str, key: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.key = key


class NotNow(Exception):
    """What the network's server tells us cannot be taken in now: it has to tell it again later."""


class NotStored(Exception):
    """The network does not take a file. The text is for the log."""


class NotFetched(Exception):
    """The network does not give us a file now. The text may be shown to anybody."""


class NoSuchFile(NotFetched):
    """The network has no such file, or has it no more."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What was said in `room` between two times (seconds since the epoch) is unknown."""

    room: Room
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Typing:
    """`sender` types in `room`, or has stopped."""

    room: Room
    sender: Sender
    active: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """People who talk in `room` go on in another place, which the network calls `place`, and so do we; `why` says it in
    words."""

    room: Room
    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Unread:
    """Somebody has said something in `room` that we cannot read, for that `reason`. `who`: as we show them; `private`:
    in a conversation with us alone. `told`: why, and what helps, for the people there, with `{who}` in it."""

    room: Room
    who: str
    reason: str
    private: bool = False
    told: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """What the bridge's admins should know, in words, or only the `user` whom it concerns. No two pieces of news of a
    network have the same `id`: what comes again is told once."""

    id: str
    text: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order in which they happened, and the `cursor` from which to resume once they are stored.

    Events may be missing in the `gaps`. `counts`: what was heard and is no event, by rooms. `moves`: rooms that are in
    another place since then. `unread`: what was said that we cannot read. `news` are for the bridge's admins. `signals`
    are never stored. `changes` is what the network must remember in the same transaction as the cursor (see `Memory`);
    None forgets a key.
    """

    events: tuple[Event, ...]
    cursor: str
    gaps: tuple[Gap, ...] = ()
    counts: tuple[Count, ...] = ()
    moves: tuple[Moved, ...] = ()
    changes: Mapping[str, str | None] = field(default_factory=dict)
    signals: tuple[Typing, ...] = ()
    unread: tuple[Unread, ...] = ()
    news: tuple[News, ...] = ()

    @property
    def is_momentary(self) -> bool:
        """Whether nothing in it is to be stored, save perhaps the cursor."""
        heard = self.events or self.gaps or self.counts or self.moves or self.unread
        return not (heard or self.changes or self.news)


UNCOPIED = "uncopied "
"""How the keys of a `Memory` begin that no copy of the store has: what they keep is wrong once it is old."""


class Memory(Protocol):
    """What a network may keep between runs, next to its cursor: a device id, an access token. See `UNCOPIED`."""

    async def recall(self) -> Mapping[str, str]: ...

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        """Set the keys of `changes`; None forgets one."""


class Network(Protocol):
    """One account of ours on one chat system. It reconnects by itself."""

    name: str
    window: int
    """How many posts of one room may be on their way at once. Sends started in order arrive in order; if one fails with
    a `TransientError`, later sends to that room that are not out yet fail too."""

    def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Connect, stay connected, and yield what is said in our rooms after `cursor` (None: from now on).

        Resuming after a yield acknowledges that batch. Never yields what we said ourselves. Raises `Refused` if the
        login is not accepted. Closing it (`aclose`) leaves the network politely.
        """
        ...

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        """Turn consecutive deliveries of one room (at least one) into posts in this network's format, in order. No I/O.

        Each post names the deliveries it carries a part of (`Owed.deliveries`). The posts need not cover all of `owed`,
        but the first. A `PermanentError` or `Needless` concerns the first of `owed`.
        """
        ...

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """Send, wait for the network's proof, and return the id by which the network knows it.

        `trial`: send it now, even if the room lets nothing through as far as we know, or fail at once. `again`: an
        earlier run may have sent it. Safe to repeat, unless it raises `InDoubt`. The other expected errors
        are `TransientError` and `PermanentError`.
        """
        ...

    def leave(self) -> bool:
        """Say goodbye. True if events on their way to us would be lost: then `events` still yields them for a moment,
        and ends by itself. False if closing `events` is enough."""
        ...

    def absence(self, room: Room) -> str | None:
        """Why nothing can be said in `room` right now; None if it can."""
        ...

    def use(self, rooms: Sequence[Room]) -> None:
        """Replace the configured rooms: joins new ones, stops listening in removed ones. The connection and the
        membership in unchanged rooms stay."""
        ...

    async def ready(self) -> None:
        """Return once every configured room has been joined and the resume position is kept, so that nothing said from
        then on is missed."""
        ...


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a network is now. `problem`: why we are not logged in, or why its server counts as dead (it may be frozen,
    with an open connection); else empty. `heard`: when it last gave a sign of life (seconds since the epoch).
    `puppets`: how many members have a connection of their own there. `ghosts`: how many people have an account of their
    own there; None if nobody may have one."""

    problem: str = ""
    heard: float | None = None
    puppets: int = 0
    ghosts: int | None = None


@runtime_checkable
class Reports(Protocol):
    """A network that tells how it is. No I/O; cheap enough to be asked once a second."""

    def vitals(self) -> Vitals:
        """How it is now. A server that has died without a word is found within 13 s."""
        ...

    def joined(self, room: Room) -> bool:
        """Whether we are in `room`, even if we may not speak there."""
        ...


@dataclass(frozen=True, slots=True)
class GhostState:
    """How many people of other networks have an account of their own on a network. `problem`: why nobody new can have
    one, else empty."""

    number: int
    problem: str = ""


@runtime_checkable
class HasGhosts(Protocol):
    """A network where people of other networks may have accounts of their own."""

    def ghosts(self) -> GhostState | None:
        """How that is now; None if nobody has one, and nobody has wanted one since we run. No I/O."""
        ...


@runtime_checkable
class ReceivesTransactions(Protocol):
    """A network whose server tells us by requests of its own what happens: an application service."""

    async def receive_transaction(self, transaction: str, body: bytes) -> None:
        """Take in a transaction. Returns once all in it that concerns us is stored. Raises NotNow, and ValueError if
        the body is none."""
        ...

    async def receive_ping(self) -> None:
        """The server has tried whether it reaches us."""
        ...

    def is_ghost(self, user: str) -> bool:
        """Whether `user` is the account of somebody on another network. No I/O."""
        ...


@runtime_checkable
class Signals(Protocol):
    """A network that can show momentary signals, which are not stored."""

    async def typing(self, room: Room, active: bool) -> None:  # noqa: FBT001
        """Show others in `room` that we are typing, or have stopped. Never raises."""
        ...


IsAway = Callable[[str], Awaitable[bool | None]]
"""Whether a person is away, by their address on another network; None if that is not known."""


@runtime_checkable
class KnowsPresence(Protocol):
    """A network that tells who is away."""

    async def is_away(self, user: str) -> bool | None:
        """Whether the person with that address is away; None if they are not of this network, or it does not say.
        Never raises."""
        ...


@runtime_checkable
class Receipts(Protocol):
    """A network where people see who has read what."""

    def read(self, event: EventKey) -> None:
        """Show others in its room that we have read `event`, which arrived elsewhere. Never raises."""
        ...


@runtime_checkable
class Recognises(Protocol):
    """A network that may know a post again when it is sent twice."""

    def recognises(self, room: Room) -> bool:
        """Whether a post to `room` that was sent, and is sent once more by the next run, is shown once. No I/O."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """A network where it is better to say several things of a type as one."""

    def gather(self, event: Event) -> float:
        """How many seconds `event` may wait for more of its type."""
        ...


@dataclass(frozen=True, slots=True)
class Download:
    """A file that the network sends: `size` in bytes, None if it does not say; `mime` is its type, as it claims.
    `chunks` are of bounded size; they raise NotFetched if the file ends too early. `cacheable`: its bytes may be
    cached on disk; False for a file that is stored encrypted, because its content would lie here decrypted.
    `proved_last`: the bytes are proved to be right only once all `chunks` came; the end of a part is not to be given
    before."""

    size: int | None
    mime: str
    chunks: AsyncGenerator[bytes, None]
    cacheable: bool = True
    proved_last: bool = False


@runtime_checkable
class MediaSource(Protocol):
    """A network that has the files of its messages."""

    def download(self, source: str) -> AbstractAsyncContextManager[Download]:
        """Begin to fetch the file `source` (see `Media`), from its first byte. Leaving the context ends it. Raises
        NotFetched, and TimeoutError if the network does not have it yet."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that somebody's words link to, as it was fetched: `data` is all of it, `kind` and `mime` are told by its
    bytes. The others: as in `Attached`."""

    kind: Literal["image", "audio", "video"]
    name: str
    data: bytes
    mime: str
    width: int | None = None
    height: int | None = None
    length: float | None = None
    blurhash: str = ""


@runtime_checkable
class MediaSink(Protocol):
    """A network where messages can have files."""

    async def attach(self, file: Fetched, rooms: Collection[Room] = ()) -> Attached:
        """Store `file` there, to be sent with a message to `rooms`, and to any others where the like is shown. Raises
        NotStored. Not retried."""
        ...


@dataclass(frozen=True, slots=True)
class EncryptionState:
    """How end-to-end encryption is on a network. `problem`: why there is none, else empty. `unsigned`: why clients warn
    of our `device`, as it is not signed by its account; empty if it is signed. `keys`: one-time keys left at the
    homeserver, None if unknown. `rooms`: those of our rooms that are encrypted."""

    problem: str = ""
    device: str = ""
    unsigned: str = ""
    keys: int | None = None
    rooms: tuple[Room, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A person's client and we have each made out of both sides' keys what follows, for people to compare: it is the
    same on both sides, unless somebody between them has exchanged the keys. `emoji`: seven, each with its name;
    `numbers`: three, which say the same. It is over at `until` (seconds since the epoch). `id`: short, to be typed."""

    id: str
    user: str
    device: str
    emoji: tuple[tuple[str, str], ...]
    numbers: tuple[int, int, int]
    until: float


class NoComparison(Exception):
    """There is no such comparison, or it is over. The text is for the admin who has answered it."""


class NotSigned(Exception):
    """Our device is not signed by its account, for that `reason`; the text also says what helps. `needs`: a "recovery
    key" or a "password" would, else empty."""

    def __init__(self, reason: str, hint: str = "", needs: str = "") -> None:
        super().__init__(f"{reason}: {hint}" if hint else reason)
        self.reason = reason
        self.hint = hint
        self.needs = needs


@runtime_checkable
class Comparisons(Protocol):
    """A network where people verify us by comparing what both sides show."""

    def comparisons(self) -> Sequence[Comparison]:
        """Those that wait for an admin's answer, the oldest first."""
        ...

    async def answer_comparison(self, id_: str, *, same: bool) -> str:
        """An admin says whether both show the same. Returns what came of it, in words. Raises NoComparison."""
        ...


@runtime_checkable
class Encrypts(Comparisons, Protocol):
    """A network with end-to-end encryption."""

    def encryption(self) -> EncryptionState:
        """How it is now. No I/O."""
        ...

    async def sign_device(self, recovery_key: str | None, password: str | None) -> str:
        """See to it that our device is signed by its account: with the keys that we have, or that `recovery_key` opens,
        or with new ones if the account has none, for which the homeserver may want its `password`. Returns what came of
        it, in words. Raises NotSigned."""
        ...

    async def new_recovery_key(self) -> str:
        """Let another recovery key open the account's secret storage, if it is ours. It waits to be shown. Returns what
        came of it, in words. Raises NotSigned."""
        ...

    async def recovery_key_shown(self) -> None:
        """The recovery key that waits was shown, and is kept no longer."""
        ...
