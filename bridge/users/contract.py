"""The user database: who the members are, and by which proven identities they are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bridge.model import Identity, Sender


class Role(StrEnum):
    """What a user may do: be carried, or administer too."""

    MEMBER = "member"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """A person on the allowlist. `password` is an Argon2id hash, never shown."""

    name: str
    role: Role = Role.MEMBER
    identities: tuple[Identity, ...] = ()
    password: str | None = None


class UsersError(Exception):
    """The user database could not do what it was asked; nothing was changed. The text is what the operator reads."""


class UsersUnavailable(UsersError):
    """It may work later: somebody holds the lock, or the disk is full."""


class Users(Protocol):
    """Every verb that writes is atomic between processes; a `UsersError` says what to do and changes nothing."""

    def identify(self, sender: Sender) -> User | None:
        """The user whom the sender's proofs name, or None: a guest. From memory: no I/O, microseconds."""
        ...

    def list(self) -> Sequence[User]:
        """All users, by name."""
        ...

    def get(self, name: str) -> User:
        """UsersError where there is no such user."""
        ...

    def add(self, user: User) -> None:
        """UsersError where the name is taken, or an identity belongs to somebody else."""
        ...

    def remove(self, name: str) -> None: ...

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

    def refresh(self) -> bool:
        """Take over what other processes have written since; whether there was anything."""
        ...
