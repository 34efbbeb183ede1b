"""What the SASL mechanisms have in common: the interface of one exchange, and how it can fail."""

from enum import StrEnum
from typing import Protocol


class Name(StrEnum):
    """The mechanisms that we know, by their names on the wire, the strongest first.

    EXTERNAL and ECDSA send no secret; SCRAM sends none either, and proves that the server knows the password, too."""

    EXTERNAL = "EXTERNAL"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    ECDSA = "ECDSA-NIST256P-CHALLENGE"
    PLAIN = "PLAIN"


class Distrusted(Exception):
    """The server does not do what an honest one would: nothing may go on with it."""


class Declined(Exception):
    """The server says no in the words of the mechanism. Its numeric follows."""


class Unfit(Exception):
    """We cannot use this mechanism: the account's name or the password cannot be said in it."""


class Mechanism(Protocol):
    """One exchange from our side. Sans I/O."""

    mutual: bool
    """Whether the server has to prove itself, too."""

    @property
    def judged(self) -> bool:
        """Whether the server has all that it needs to judge the password: a refusal now means that it is wrong."""

    @property
    def trusted(self) -> bool:
        """Whether the server may be believed when it says that we are logged in."""

    def respond(self, challenge: bytes) -> bytes:
        """The answer to one challenge; the first one is empty. Raises `Distrusted`, `Declined`."""
