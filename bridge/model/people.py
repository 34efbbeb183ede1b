"""Who spoke, and what a network proves of them."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.casemap import Casemapping


class Proof(StrEnum):
    """What a network can prove of a sender, named as on the command line (`--matrix`, `--irc`, `--irc-mask`)."""

    MATRIX = "matrix"
    IRC = "irc"
    IRC_MASK = "irc-mask"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A sender id that may be trusted: a Matrix id (network empty: ids are global), an IRC services account, or an IRC
    `nick!user@host` (a glob where a user holds it, the real mask where a sender proves it)."""

    kind: Proof
    network: str
    value: str

    def __str__(self) -> str:
        return f"{self.network}/{self.value}" if self.network else self.value


@dataclass(frozen=True, slots=True)
class Sender:
    """Who spoke. Only `proofs` say who it is; `address` is where an answer reaches them (Matrix id, IRC nick), `name`
    is only shown, and neither is ever compared with a user.

    `mask` is the `nick!user@host` that an IRC network shows, and proves nothing. `connection` is theirs alone for as
    long as the network shows us without a break that it is the same one, whatever nick it takes, and never comes again
    after that; '' where nobody can tell.
    """

    network: str
    address: str
    name: str
    proofs: tuple[Identity, ...] = ()
    casemapping: Casemapping = Casemapping.EXACT
    bot: bool = False
    mask: str = ""
    connection: str = ""
