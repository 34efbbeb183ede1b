"""The user database: who the members are, and by which proven identities they are known."""

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
    """What is done about somebody: a muted one is carried nowhere, a banned one is answered by nobody either."""

    MUTE = "mute"
    BAN = "ban"


@dataclass(frozen=True, slots=True)
class Sanction:
    """Somebody is muted or banned: `target` is a user's name or a pattern (bridge.patterns). In one link, or in all
    where `link` is None; `until` that time, or for good. Times are seconds since the epoch; `by` is who said so."""

    target: str
    measure: Measure
    link: str | None
    since: float
    until: float | None
    reason: str
    by: str


class UsersError(Exception):
    """The user database could not do what it was asked; nothing was changed. The text is what the operator reads."""


class UsersUnavailable(UsersError):
    """It may work later: somebody holds the lock, or the disk is full."""


class Users(Protocol):
    """Every verb that writes is atomic between processes; a `UsersError` says what to do and changes nothing."""

    def acting(self, by: str) -> "Users":
        """The same database for `by`, as whose doing the audit log has what is changed."""
        ...

    def identify(self, sender: Sender) -> User | None:
        """The user whom the sender's proofs name, or None: a guest. From memory: no I/O, microseconds."""
        ...

    def list(self) -> Sequence[User]:
        """All users, by name."""
        ...

    def find(self, name: str) -> User | None:
        """The user of that name, in any letter case. From memory."""
        ...

    def get(self, name: str) -> User:
        """UsersError where there is no such user."""
        ...

    def add(self, *users: User) -> None:
        """All of them, or UsersError where a name is taken, or an identity belongs to somebody else."""
        ...

    def put(self, *users: User) -> None:
        """All of them, each in the place of the user of that name where there is one."""
        ...

    def remove(self, name: str) -> None:
        """The user, and what was done about them by name."""
        ...

    def set_role(self, name: str, role: Role) -> None: ...

    def set_password(self, name: str, password: str | None) -> None:
        """`password` is a hash."""
        ...

    def link_identity(self, name: str, *identities: Identity) -> None:
        """All of them, or UsersError where one belongs to somebody else; nothing where it is theirs already."""
        ...

    def unlink_identity(self, name: str, *identities: Identity) -> None:
        """All of them, or UsersError where one is not theirs."""
        ...

    def sanctions(self) -> Sequence[Sanction]:
        """All that are in force or will not be thought of again: who asks looks at `until`."""
        ...

    def sanctioned(self, sender: Sender, user: User | None, link: str | None, now: float) -> Sanction | None:
        """The hardest that is in force at `now` in `link` against `sender`, who is `user`. From memory."""
        ...

    def sanction(self, sanction: Sanction) -> None:
        """In the place of one that says the same of the same target and link. UsersError where it is about a user whom
        there is not, or its pattern is none."""
        ...

    def lift(self, target: str, link: str | None) -> Sequence[Sanction]:
        """End what is in force about `target` in `link`; what it was. UsersError where there is nothing."""
        ...

    def refresh(self) -> bool:
        """Take over what other processes have written since; whether there was anything."""
        ...
