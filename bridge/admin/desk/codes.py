"""One-time codes by which a user who is known on one network becomes known on another. Pure but for chance."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bridge.lib.lru import LruDict
from bridge.model.people import Sender

LASTS = 600.0
"""Seconds that a code is valid: enough to switch to another program and type it."""
_MOST = 1_000
"""Most codes at a time; then the least recently used is dropped."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""No two look alike. Eight are 39 bits: with the pauses after wrong codes, too many to guess."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A guest with a proven identity has asked for a code, valid until `until` (seconds)."""

    sender: Sender
    until: float


def random_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Codes:
    """Issues, finds and redeems codes. A code can be used once."""

    def __init__(self, make: Callable[[], str] = random_code) -> None:
        self._make = make
        self._claims: LruDict[str, Claim] = LruDict(_MOST)

    def issue(self, sender: Sender, now: float) -> str:
        code = self._make()
        self._claims[code] = Claim(sender, now + LASTS)
        return code

    def claim(self, code: str, now: float) -> Claim | None:
        """Who asked for `code`; None if it was never issued, was used, or has expired."""
        claim = self._claims.get(code.strip().lower())
        return claim if claim is not None and now < claim.until else None

    def redeem(self, code: str) -> None:
        """Use up `code`."""
        self._claims.pop(code.strip().lower())
