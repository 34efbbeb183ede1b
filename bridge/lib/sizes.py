"""Sizes in bytes: parses "500K", "100M", "2G", and spells bytes for people. Pure."""

import re

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_SHAPE = re.compile(r"(\d{1,12})\s*([KMG]?)B?", re.IGNORECASE | re.ASCII)
_LARGEST = 10**12


def parse(text: str) -> int:
    """Parse a size into bytes. Raises ValueError if it is not one, is 0, or is larger than 1000 GB."""
    match = _SHAPE.fullmatch(text.strip())
    size = int(match[1]) * _UNITS[match[2].upper()] if match else 0
    if not 0 < size <= _LARGEST:
        raise ValueError(f"{text!r} is no size: a number and K, M or G, as in 500K or 100M")
    return size


def spelled(size: int) -> str:
    """`size` bytes in the largest unit that fits: "512 bytes", "1.2 MB", "34 KB"."""
    if size < 1000:
        return "1 byte" if size == 1 else f"{size} bytes"
    for unit, factor in (("KB", 10**3), ("MB", 10**6), ("GB", 10**9)):
        if round(size / factor, 1) < 1000 or unit == "GB":
            value = size / factor
            return f"{value:.1f} {unit}" if round(value, 1) < 10 else f"{value:.0f} {unit}"
    raise AssertionError
