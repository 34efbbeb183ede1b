"""Durations: parses "90s", "30m", "12h", "7d", "2w", and spells seconds for people. Pure."""

import re

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SHAPE = re.compile(r"(\d{1,6})\s*([smhdw])", re.IGNORECASE)
_LONGEST = 10 * 365 * 86_400
"""Seconds (ten years): longer durations are rejected."""


def parse(text: str) -> float:
    """Parse a duration into seconds. Raises ValueError if it is not one, is 0, or is too long."""
    match = _SHAPE.fullmatch(text.strip())
    seconds = int(match[1]) * _UNITS[match[2].lower()] if match else 0
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{text!r} is no duration: a number and s, m, h, d or w, as in 30m or 7d")
    return float(seconds)


def spelled(seconds: float) -> str:
    """`seconds` in the largest unit that fits, rounded down: "2 days", "1 hour", "40 seconds"."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return _counted(int(seconds // size), unit)
    return _counted(max(0, int(seconds)), "second")


def about(seconds: float) -> str:
    """`seconds` as people say it: "half a minute", "3 minutes", "2 hours"."""
    if 25 <= seconds < 50:
        return "half a minute"
    if 50 <= seconds < 90:
        return "a minute"
    return spelled(seconds)


def clock_time(seconds: float) -> str:
    """`seconds` as players show them: "0:07", "12:30", "1:02:03"."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
