"""The contract of the user database: users, their proven identities, and sanctions."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bridge.model.people import Identity, Role, Sender


@dataclass(frozen=True, slots=True)
class User:
    """A person on the allowlist. `password` is an Argon2id hash, never shown."""

    name: str
    role: Role = Role.MEMBER
    identities: tuple[Identity, ...] = ()
    password: str | None = None


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
        """Move the identities and sanctions on the network `old` to `new`; returns how many. Raises UsersError if one
        belongs to another user there."""
        ...

    def refresh(self) -> bool:
        """Reload what other processes have written; returns whether anything had changed."""
        ...
