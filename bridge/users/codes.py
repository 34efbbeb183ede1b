"""One-time codes by which a user who is known on one network becomes known on another."""

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import TypeAdapter

from bridge.lib.lru import LruDict
from bridge.model.people import Sender
from bridge.users.shared import Slips

_SENDER: TypeAdapter[Sender] = TypeAdapter(Sender)

LASTS = 600.0
"""Seconds that a code is valid: enough to switch to another program and type it."""
_MOST = 1_000
"""Most codes at a time; then the least recently used is dropped."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""No two look alike. Eight are 39 bits: with the pauses after wrong codes, too many to guess."""

_KIND = "code"
_SHAPE = re.compile(f"[{_LETTERS}]{{4}}-[{_LETTERS}]{{4}}")


@dataclass(frozen=True, slots=True)
class Claim:
    """A guest with a proven identity has asked for a code, valid until `until` (seconds)."""

    sender: Sender
    until: float


def random_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Codes(Protocol):
    """Issues, finds and redeems codes. A code can be used once. Where codes cannot be kept, OSError is raised."""

    async def issue(self, sender: Sender, now: float) -> str: ...

    async def claim(self, code: str, now: float) -> Claim | None:
        """Who asked for `code`; None if it was never issued, was used, or has expired."""
        ...

    async def redeem(self, code: str) -> None:
        """Use up `code`."""
        ...


class OwnCodes:
    """Codes that this daemon alone has to know."""

    def __init__(self, make: Callable[[], str] = random_code) -> None:
        self._make = make
        self._claims: LruDict[str, Claim] = LruDict(_MOST)

    async def issue(self, sender: Sender, now: float) -> str:
        """See `Codes`."""
        code = self._make()
        self._claims[code] = Claim(sender, now + LASTS)
        return code

    async def claim(self, code: str, now: float) -> Claim | None:
        """See `Codes`."""
        claim = self._claims.get(code.strip().lower())
        return claim if claim is not None and now < claim.until else None

    async def redeem(self, code: str) -> None:
        """See `Codes`."""
        self._claims.pop(code.strip().lower())


class SharedCodes:
    """Codes that all workers know: one gives them out, another may be asked with them."""

    def __init__(self, slips: Slips) -> None:
        self._slips = slips

    async def issue(self, sender: Sender, now: float) -> str:
        """See `Codes`."""
        code = random_code()
        await asyncio.to_thread(self._slips.keep, _KIND, code, _SENDER.dump_json(sender).decode(), now + LASTS, now)
        return code

    async def claim(self, code: str, now: float) -> Claim | None:
        """See `Codes`."""
        if not _SHAPE.fullmatch(name := code.strip().lower()):  # whatever people type is not looked up
            return None
        found = await asyncio.to_thread(self._slips.find, _KIND, name)
        return Claim(_SENDER.validate_json(found[0]), found[1]) if found is not None and now < found[1] else None

    async def redeem(self, code: str) -> None:
        """See `Codes`."""
        await asyncio.to_thread(self._slips.drop, _KIND, code.strip().lower())
