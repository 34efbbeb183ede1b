"""How much somebody may ask for: a bucket of tokens for each, which fills again with time. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """`burst` at once, then `per_minute`."""

    burst: int
    per_minute: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float
    told: bool = False


class Budget:
    """An allowance each for at most `limit` spenders; who has not been seen for longest is forgotten, and has it all
    again. Times are seconds of one clock."""

    def __init__(self, allowance: Allowance, limit: int = 10_000) -> None:
        self._allowance = allowance
        self._limit = limit
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def has(self, spender: Hashable, now: float) -> bool:
        """Whether `spender` has a token left."""
        return self._bucket(spender, now).tokens >= 1

    def spend(self, spender: Hashable, now: float) -> None:
        """Take one token, which there must be."""
        self._bucket(spender, now).tokens -= 1

    def news(self, spender: Hashable, now: float) -> bool:
        """Whether `spender` was not told yet, since the bucket was full, that there is none left."""
        bucket = self._bucket(spender, now)
        fresh, bucket.told = not bucket.told, True
        return fresh

    def _bucket(self, spender: Hashable, now: float) -> _Bucket:
        bucket = self._buckets.get(spender)
        if bucket is None:
            bucket = self._buckets[spender] = _Bucket(float(self._allowance.burst), now)
            if len(self._buckets) > self._limit:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(spender)
        gained = max(0.0, now - bucket.filled_at) * self._allowance.per_minute / 60
        bucket.tokens = min(float(self._allowance.burst), bucket.tokens + gained)
        bucket.filled_at = now
        bucket.told = bucket.told and bucket.tokens < self._allowance.burst
        return bucket
