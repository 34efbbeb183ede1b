"""Rate limit per person: a token bucket for each spender. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass

from bridge.lib.bucket import TokenBucket
from bridge.lib.lru import LruDict


@dataclass(frozen=True, slots=True)
class Allowance:
    """A rate limit: `burst` at once, then `per_minute`."""

    burst: int
    per_minute: float


@dataclass(slots=True)
class _Account:
    bucket: TokenBucket
    told: bool = False


class Budget:
    """One allowance each for at most `limit` spenders. The least recently seen one is forgotten, and then has the whole
    allowance again. Times are seconds of one clock."""

    def __init__(self, allowance: Allowance, limit: int = 10_000) -> None:
        self._allowance = allowance
        self._accounts: LruDict[Hashable, _Account] = LruDict(limit)

    def has(self, spender: Hashable, now: float) -> bool:
        """Whether `spender` has a token left."""
        return self._account(spender, now).bucket.has_token(now)

    def spend(self, spender: Hashable, now: float) -> None:
        """Spend one token of `spender`; ask `has` first."""
        self._account(spender, now).bucket.spend(now)

    def news(self, spender: Hashable, now: float) -> bool:
        """True if `spender` was not told yet that no token is left, and marks them as told until the bucket is full."""
        account = self._account(spender, now)
        fresh, account.told = not account.told, True
        return fresh

    def _account(self, spender: Hashable, now: float) -> _Account:
        account = self._accounts.get(spender)
        if account is None:
            bucket = TokenBucket(self._allowance.burst, self._allowance.per_minute / 60)
            account = self._accounts[spender] = _Account(bucket)
        account.told = account.told and not account.bucket.is_full(now)
        return account
