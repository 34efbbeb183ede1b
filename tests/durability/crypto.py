"""The rows of encryption at work: those that come with what is heard, and those on which hangs what we send."""

import random
from collections.abc import Mapping

from bridge.matrix.crypto.olm.group_sessions import MEGOLM
from bridge.matrix.crypto.olm.sessions import OLM
from bridge.matrix.crypto.olm.store import ACCOUNT
from bridge.matrix.crypto.rows import PREFIX, Changes, Rows
from bridge.store import Lease
from tests.durability.record import Record, say

_SIZES = (60, 300, 1_500)  # bytes of a row: a device, an Olm session, a key of room messages
_MOST = 12  # rows of a kind: they are changed more often than they are made


class Crypto:
    """The memory that the rows of a network have, which says what each store of them changes."""

    def __init__(self, lease: Lease, record: Record, rng: random.Random) -> None:
        self._lease = lease
        self._record = record
        self._rng = rng
        self.rows = Rows(self)

    async def recall(self) -> Mapping[str, str]:
        return await self._lease.recall()

    async def remember(self, changes: Changes) -> None:
        await self._record.making(named(changes), lambda: self._lease.remember(changes))

    def hear(self, number: int) -> None:
        """Something comes: a new key of room messages, the account changes, an old key goes."""
        for _ in range(self._rng.randint(0, 2)):
            self.rows.put(MEGOLM, f"{self._rng.randrange(_MOST)}", self._text(number))
        if self._rng.random() < 0.2:
            self.rows.put(MEGOLM, f"{self._rng.randrange(_MOST)}", None)
        if self._rng.random() < 0.3:
            self.rows.put(ACCOUNT, "", self._text(number))

    async def send(self, number: int) -> None:
        """A key for somebody leaves, sealed with the next steps of some ratchets: they are stored by then."""
        steps = {f"{self._rng.randrange(_MOST)}": self._text(number) for _ in range(self._rng.randint(1, 3))}
        for name, text in steps.items():
            self.rows.put(OLM, name, text)
        await self.rows.flush()
        say({"left": {f"row {PREFIX}{OLM} {name}": text for name, text in steps.items()}})

    def _text(self, number: int) -> str:
        return f"{number} {self._rng.randbytes(self._rng.choice(_SIZES) // 2).hex()}"


def named(rows: Changes) -> dict[str, str | None]:
    """Rows as values of the store (promises.py)."""
    return {f"row {key}": text for key, text in rows.items()}
