"""Limits the speed of all downloads together, evenly, so that messages do not wait for the event loop. Pure."""


class Throttle:
    """Lets `per_s` bytes pass a second. Nothing is saved up: after a pause there is no burst."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._free = 0.0

    def spend(self, size: int, now: float) -> float:
        """Take the next turn, to send `size` bytes; returns how many seconds to wait for it. `now`: seconds on a
        monotonic clock."""
        begins = max(now, self._free)
        self._free = begins + size / self._per_s
        return begins - now
