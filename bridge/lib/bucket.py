"""Rate limits: a token bucket (a burst, then a steady rate) and a sliding window (so many in any hour). Pure.

Times are seconds of any one clock. No token is lost if it is set back.
"""

from collections import deque

_WHOLE = 1 - 1e-9
"""One token, with tolerance for rounding errors."""


class TokenBucket:
    """A token bucket: `burst` tokens at once, then `per_second` more each second. It is full at first."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._tokens = self._burst
        self._filled_at: float | None = None

    def has_token(self, now: float) -> bool:
        """Whether there is a whole token."""
        return self._filled(now) >= _WHOLE

    def is_full(self, now: float) -> bool:
        """Whether all `burst` tokens are there."""
        return self._filled(now) >= self._burst

    def spend(self, now: float, debt: float = 0.0) -> None:
        """Spend one token, even if there is none: the bucket may owe up to `debt` tokens."""
        self._tokens = max(self._filled(now) - 1, -debt)

    def give_back(self) -> None:
        """Have one token more, if it is not full."""
        self._tokens = min(self._burst, self._tokens + 1)

    def wait_s(self, now: float) -> float:
        """Seconds until there is a whole token; 0 if there is one. `per_second` must not be 0."""
        return max(0.0, (1 - self._filled(now)) / self._per_second)

    def level(self) -> tuple[float, float] | None:
        """The tokens that were left, and when that was; None if it was never used. See `refill`."""
        return None if self._filled_at is None else (self._tokens, self._filled_at)

    def refill(self, tokens: float, now: float) -> None:
        """Have `tokens` at `now`, as `level` said before a restart."""
        self._tokens = max(0.0, min(self._burst, tokens))
        self._filled_at = now

    def _filled(self, now: float) -> float:
        if self._filled_at is not None:
            gained = max(0.0, now - self._filled_at) * self._per_second
            self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
        return self._tokens


class SlidingWindow:
    """A sliding window: at most `limit` times in any period of `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._spent: deque[float] = deque()

    def left(self, now: float) -> int:
        """How many times are left."""
        while self._spent and self._spent[0] <= now - self._seconds:
            self._spent.popleft()
        return self._limit - len(self._spent)

    def spend(self, now: float) -> None:
        """Count one time; ask `left` first."""
        self._spent.append(now)
