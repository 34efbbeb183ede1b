"""What a chat network must do for the bridge, and the errors by which it says that it could not."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bridge.model.event import Event, Room
from bridge.model.outbox import Owed, Post

# Exceptions of a network:
#   SendError
#     TransientError    it may go through later
#       Silenced        once we may speak in the room
#     PermanentError    it never will
#     InDoubt           it may have gone through already
#   Refused             our configuration is not accepted: the operator has to act


class SendError(Exception):
    """A post was not sent. The text is what the operator reads."""


class TransientError(SendError):
    """Try again, after `retry_after` seconds where the network said so."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Silenced(TransientError):
    """We are in the room, and may not speak there."""


class PermanentError(SendError):
    """This post can never be sent; its deliveries are dead, and the room goes on."""


class InDoubt(SendError):
    """Delivery status unknown: the post may have been sent before. `send` sends it when it is asked once more. `resend`
    says whether the operator prefers a duplicate to a loss."""

    def __init__(self, reason: str, *, resend: bool) -> None:
        super().__init__(reason)
        self.resend = resend


class Refused(Exception):
    """The network does not accept what the configuration says (a wrong password): trying again does not help."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What was said in `room` between two times (seconds since the epoch) is unknown."""

    room: Room
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order in which they happened, and where to resume once they are stored.

    More may have happened in the `gaps`. `changes` is what the network must remember in the same transaction as the
    cursor (see `Memory`); None forgets a key.
    """

    events: tuple[Event, ...]
    cursor: str
    gaps: tuple[Gap, ...] = ()
    changes: Mapping[str, str | None] = field(default_factory=dict)


class Memory(Protocol):
    """What a network may keep between runs, next to its cursor: a device id, an access token."""

    async def recall(self) -> Mapping[str, str]: ...

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        """Set the keys of `changes`; None forgets one."""


class Network(Protocol):
    """One account of ours on one chat system. Being offline is its own to absorb: it reconnects by itself."""

    name: str
    window: int
    """How many posts of one room may be on their way at once. Sends that are begun in order arrive in order; once one
    has failed with a `TransientError`, those of its room that were begun behind it and are not out yet fail too."""

    def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Connect, stay connected, and yield what is said in our rooms after `cursor` (None: from now on).

        Being resumed after a yield is the acknowledgement of that batch. Never yields what we said ourselves. Raises
        `Refused` where the login is not accepted. Closing it (`aclose`) leaves the network politely.
        """
        ...

    def render(self, owed: Sequence[Owed]) -> Sequence[Post]:
        """The posts for a non-empty run of one room's deliveries, in order, in this network's dialect. No I/O.

        Each post names the deliveries it carries a part of; it need not cover all of `owed`, but it covers the first.
        A `PermanentError` concerns the first of `owed`.
        """
        ...

    async def send(self, post: Post, *, again: bool = False) -> str:
        """Send, wait for the network's proof, and return the id by which the network knows it.

        `again`: an earlier run may have sent it. Safe to repeat, except where it raises `InDoubt`; else it raises
        `TransientError` or `PermanentError`, and nothing that is expected besides.
        """
        ...

    def leave(self) -> bool:
        """Say goodbye. True where what is still on its way to us cannot be had again: then `events` goes on with it for
        a moment, and ends by itself. False where closing it is enough."""
        ...

    def absence(self, room: Room) -> str | None:
        """Why nothing can be said in `room` right now; None where it can."""
        ...

    def use(self, rooms: Sequence[Room]) -> None:
        """From now on these are the configured rooms: new ones are joined, those that are gone are not heard any more.
        The connection stays, and so does being in the rooms that stay."""
        ...

    async def ready(self) -> None:
        """Return when every configured room has been joined once, and what is said from then on is not missed: where to
        resume is kept."""
        ...


@runtime_checkable
class Signals(Protocol):
    """A network that shows others what happens right now, and is not stored."""

    async def typing(self, room: Room, active: bool) -> None:  # noqa: FBT001
        """Show others in `room` that we type, or that we do not any more. Never raises."""
        ...
