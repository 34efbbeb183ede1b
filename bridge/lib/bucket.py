"""A token bucket: so many at once, then so many a second."""

_WHOLE = 1 - 1e-9
"""One token, however the sum of its parts is rounded."""


class TokenBucket:
    """`burst` tokens at most, refilled by `per_second`. Times are seconds of one clock; one that goes back refills
    nothing."""

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self.burst = burst
        self.per_second = per_second
        self.tokens = burst
        self._at = now

    def refill(self, now: float) -> None:
        if now > self._at:
            self.tokens = min(self.burst, self.tokens + (now - self._at) * self.per_second)
            self._at = now

    def has_one(self, now: float) -> bool:
        """Whether a token is left."""
        self.refill(now)
        return self.tokens >= _WHOLE

    def spend(self) -> None:
        """Use up a token. Where there is none, that is a debt."""
        self.tokens -= 1

    def is_full(self) -> bool:
        return self.tokens >= self.burst

    def wait(self, now: float) -> float:
        """Seconds until there is a whole token."""
        self.refill(now)
        return max(0.0, (1 - self.tokens) / self.per_second)
