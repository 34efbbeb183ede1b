"""People: senders, and the identities that a network proves."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.lib.ids import digest
from bridge.model.casemap import Casemapping


class Proof(StrEnum):
    """Kinds of identity that a network can prove, named as on the command line (`--matrix`, `--irc`, `--irc-mask`)."""

    MATRIX = "matrix"
    IRC = "irc"
    IRC_MASK = "irc-mask"


class Role(StrEnum):
    """What a user may do: have messages carried, or also administer the bridge."""

    MEMBER = "member"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A proven id: a Matrix id (`network` is empty: ids are global), an IRC services account, or an IRC
    `nick!user@host` (a glob if a user holds it, the real mask if a sender proves it)."""

    kind: Proof
    network: str
    value: str

    def __str__(self) -> str:
        return f"{self.network}/{self.value}" if self.network else self.value


GUEST = "guest"
"""The note of who is no member of the link where they speak."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of an event.

    Only `proofs` say who it is. `address` is where an answer reaches them (Matrix id, IRC nick), `name` is what they
    call themselves; neither is ever compared with a user.
    `mask` is the `nick!user@host` that an IRC network shows; it proves nothing. `connection` names their IRC connection
    while we see it without a break, even if the nick changes; it is never reused, and '' if unknown.
    `avatar` is their picture, in a form that only their network's adapter reads; '' if there is none.

    The gate adds `user`, the name of their user (None: no user), and `note`, which renderers show behind the name:
    `GUEST`, or the user's name if they go by the name of another user.
    """

    network: str
    address: str
    name: str
    proofs: tuple[Identity, ...] = ()
    casemapping: Casemapping = Casemapping.EXACT
    bot: bool = False
    mask: str = ""
    connection: str = ""
    avatar: str = ""
    user: str | None = None
    note: str = ""

    @property
    def is_guest(self) -> bool:
        """Whether the gate has found that they are no member there."""
        return self.note == GUEST

    def is_same_person(self, other: "Sender") -> bool:
        """Whether the network proves that both are one person: by a common identity; if none has any, by connection."""
        if self.network != other.network:
            return False
        if self.proofs or other.proofs:
            return not set(self.proofs).isdisjoint(other.proofs)
        return bool(self.connection) and self.connection == other.connection


def owner_key(network: str, mask: str) -> str:
    """By what somebody on IRC without an account is known again: a digest of user and host of their `nick!user@host`;
    '' if these are not known."""
    host = mask.partition("!")[2]
    return digest("owner", network, host) if host else ""
