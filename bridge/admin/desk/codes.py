"""One-time codes: a person who is known on one network uses one to be known on another. Pure but for chance."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bridge.lib.lru import LruDict
from bridge.model.people import Sender

LASTS = 600.0
"""Seconds: time enough to change to another program and type it."""
_MOST = 1_000
"""Codes at a time; the oldest gives way."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""None that looks like another. Eight of them are 39 bits: with the delays for wrong ones, nobody guesses that."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A guest asked for a code, who is proven to be somebody."""

    sender: Sender
    until: float


def random_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Codes:
    """Each is good once."""

    def __init__(self, make: Callable[[], str] = random_code) -> None:
        self._make = make
        self._claims: LruDict[str, Claim] = LruDict(_MOST)

    def issue(self, sender: Sender, now: float) -> str:
        code = self._make()
        self._claims[code] = Claim(sender, now + LASTS)
        return code

    def claim(self, code: str, now: float) -> Claim | None:
        """Who asked for `code`; None where it was never given, or is used or over."""
        claim = self._claims.get(code.strip().lower())
        return claim if claim is not None and now < claim.until else None

    def redeem(self, code: str) -> None:
        """It is good no more."""
        self._claims.pop(code.strip().lower())
