"""The contract of the user database: users, their proven identities, and sanctions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bridge.model.event import Room
from bridge.model.people import Identity, Role, Sender


@dataclass(frozen=True, slots=True)
class IrcLogin:
    """A user's own services account on an IRC network, for their puppet. `sealed` is its password, which only
    `bridge.users.vault` can open; never shown."""

    network: str
    account: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A person on the allowlist. `password` is an Argon2id hash, never shown. `puppet`: where a link has puppets, they
    speak on IRC with a connection of their own; `logins` are their accounts there, one a network at most."""

    name: str
    role: Role = Role.MEMBER
    identities: tuple[Identity, ...] = ()
    password: str | None = None
    puppet: bool = True
    logins: tuple[IrcLogin, ...] = ()

    def login(self, network: str) -> IrcLogin | None:
        """Their account on an IRC network."""
        return next((each for each in self.logins if each.network == network), None)


class Measure(StrEnum):
    """A kind of sanction: muted people are not carried; banned people are not answered either."""

    MUTE = "mute"
    BAN = "ban"


@dataclass(frozen=True, slots=True)
class Sanction:
    """A mute or ban of `target`, a user's name or a pattern (`bridge.model.patterns`). `link`: None means all links;
    `until`: None means permanent. Times are seconds since the epoch; `by` is who imposed it."""

    target: str
    measure: Measure
    link: str | None
    since: float
    until: float | None
    reason: str
    by: str


class Standing(StrEnum):
    """What has become of a request: it waits for an admin; an admin approved or denied it; or it was dropped, since too
    many others waited."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class MembershipRequest:
    """A guest asks to become a member. `identity` is what the network proves of them; `handle` is the short name by
    which admins decide, given by the database and not reused while the request is kept. `room` is the private
    conversation where they are told. Times are seconds since the epoch; `decided` is None while it is open. `user` is
    the user that they have become."""

    identity: Identity
    room: Room
    since: float
    handle: str = ""
    standing: Standing = Standing.OPEN
    decided: float | None = None
    user: str = ""


class UsersError(Exception):
    """An operation of the user database failed; nothing was changed. The text is shown to the operator."""


class UsersUnavailable(UsersError):
    """A failure that may pass: another process holds the lock, or the disk is full."""


class Users(Protocol):
    """The user database. Writes are atomic between processes. A `UsersError` says what to do; nothing was changed."""

    def acting(self, by: str) -> "Users":
        """The same database; the audit log records its changes as done by `by`."""
        ...

    def identify(self, sender: Sender) -> User | None:
        """The user whom the sender's proofs name; None for a guest. From memory: no I/O, microseconds."""
        ...

    def list(self) -> Sequence[User]:
        """All users, by name."""
        ...

    def find(self, name: str) -> User | None:
        """The user of that name, in any letter case. From memory."""
        ...

    def get(self, name: str) -> User:
        """The user of that name. Raises UsersError if there is none."""
        ...

    def add(self, *users: User) -> None:
        """Add all users. Raises UsersError if a name is taken, or an identity belongs to another user."""
        ...

    def put(self, *users: User) -> None:
        """Add all users; each replaces the user of the same name, if there is one."""
        ...

    def remove(self, name: str) -> None:
        """Remove the user, and the sanctions against their name."""
        ...

    def set_role(self, name: str, role: Role) -> None: ...

    def set_password(self, name: str, password: str | None) -> None:
        """Set the user's password; `password` is its hash."""
        ...

    def set_puppet(self, name: str, *, on: bool) -> None:
        """Set whether the user has a connection of their own on IRC, where a link has such."""
        ...

    def set_irc_login(self, name: str, network: str, login: IrcLogin | None) -> None:
        """Set the user's services account on an IRC network, or take it back. Raises UsersError if there is none to
        take back."""
        ...

    def link_identity(self, name: str, *identities: Identity) -> None:
        """Add the identities to the user. Raises UsersError if one belongs to another user; skips the user's own."""
        ...

    def unlink_identity(self, name: str, *identities: Identity) -> None:
        """Remove the identities from the user. Raises UsersError if one is not theirs."""
        ...

    def sanctions(self) -> Sequence[Sanction]:
        """All stored sanctions, some of which may have ended: check `until`."""
        ...

    def sanctioned(self, sender: Sender, user: User | None, link: str | None, now: float) -> Sanction | None:
        """The hardest sanction in force at `now` in `link` against `sender`, who is `user`. From memory."""
        ...

    def sanction(self, sanction: Sanction) -> None:
        """Add a sanction; it replaces one of the same measure, target and link. Raises UsersError if the user does not
        exist, or the pattern is invalid."""
        ...

    def lift(self, target: str, link: str | None) -> Sequence[Sanction]:
        """Remove the sanctions against `target` in `link`, and return them. Raises UsersError if there are none."""
        ...

    def rename_network(self, old: str, new: str) -> int:
        """Move identities, sanctions and requests on the network `old` to `new`; returns how many. Raises UsersError if
        one belongs to another user there."""
        ...

    def requests(self) -> Sequence[MembershipRequest]:
        """All kept requests to become a member; `bridge.users.requests` tells which are open. From memory."""
        ...

    def ask(self, request: MembershipRequest) -> MembershipRequest:
        """Store a request, and return it with its handle; if the identity has an open one, that one. Of too many open
        requests the oldest is dropped. Raises UsersError if a user holds the identity, or it was denied of late."""
        ...

    def approve(self, request: str, name: str, now: float) -> MembershipRequest:
        """Add the user `name` with the identity of the open `request` (its handle, or its identity)."""
        ...

    def approve_as(self, request: str, name: str, now: float) -> MembershipRequest:
        """Add the identity of the open `request` to the existing user `name`."""
        ...

    def deny(self, request: str, now: float) -> MembershipRequest:
        """Deny the open `request`: its identity may not ask again for `bridge.users.requests.LASTS_S`."""
        ...

    def refresh(self) -> bool:
        """Reload what other processes have written; returns whether anything had changed."""
        ...
