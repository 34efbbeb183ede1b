"""When it is tried again what a homeserver did not do."""

AGAIN_S = 60.0
"""Seconds until what has failed is tried again: a device had no one-time key, or a homeserver did not tell its people's
devices, or did not take our keys."""


def is_recent(at: float | None, now: float) -> bool:
    """Whether it was tried so shortly before `now`, at `at` (seconds; None: never), that it is not tried yet."""
    return at is not None and 0 <= now - at < AGAIN_S
