"""The 99 colours that IRC has numbers for (https://modern.ircdocs.horse/formatting, "Colors" and "Colors 16-98")."""

import re
from functools import lru_cache

DEFAULT = "99"
"""The number of the reader's own colour, in front as behind."""
_TABLE = """
ffffff 000000 00007f 009300 ff0000 7f0000 9c009c fc7f00 ffff00 00fc00 009393 00ffff 0000fc ff00ff 7f7f7f d2d2d2
470000 472100 474700 324700 004700 00472c 004747 002747 000047 2e0047 470047 47002a
740000 743a00 747400 517400 007400 007449 007474 004074 000074 4b0074 740074 740045
b50000 b56300 b5b500 7db500 00b500 00b571 00b5b5 0063b5 0000b5 7500b5 b500b5 b5006b
ff0000 ff8c00 ffff00 b2ff00 00ff00 00ffa0 00ffff 008cff 0000ff a500ff ff00ff ff0098
ff5959 ffb459 ffff71 cfff60 6fff6f 65ffc9 6dffff 59b4ff 5959ff c459ff ff66ff ff59bc
ff9c9c ffd39c ffff9c e2ff9c 9cff9c 9cffdb 9cffff 9cd3ff 9c9cff dc9cff ff9cff ff94d3
000000 131313 282828 363636 4d4d4d 656565 818181 9f9f9f bcbcbc e2e2e2 ffffff
"""
_COLOURS = tuple(f"#{colour}" for colour in _TABLE.split())
"""By number. The first 16 depend on the reader's theme; these are those of mIRC."""
WHITE, BLACK = _COLOURS[:2]
_HEX = re.compile("#[0-9a-f]{6}")


def colour(number: str) -> str:
    """The colour of `number` (0 to 99, one or two digits) as `#rrggbb`; empty for the reader's own."""
    at = int(number)
    return _COLOURS[at] if at < len(_COLOURS) else ""


@lru_cache(maxsize=4096)
def number(colour: str) -> str:
    """The number, in two digits, of the colour that looks most like `colour`; empty if it is none.

    A colour that has a number gets just that. Of the six that have two, the lower one, which more clients know.
    """
    if not _HEX.fullmatch(colour):
        return ""
    if colour in _COLOURS:
        return f"{_COLOURS.index(colour):02}"
    red, green, blue = _parts(colour)

    def distance(other: tuple[int, int, int]) -> int:
        """How different they look, squared: "redmean" (https://www.compuphase.com/cmetric.htm), times 512."""
        mean, r, g, b = red + other[0], red - other[0], green - other[1], blue - other[2]
        return (1024 + mean) * r * r + 2048 * g * g + (1534 - mean) * b * b

    distances = [distance(one) for one in _PARTS]
    return f"{distances.index(min(distances)):02}"


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:], 16)


_PARTS = tuple(map(_parts, _COLOURS))
