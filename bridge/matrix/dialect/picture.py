"""Pictures for people who have none: a pattern of squares in a colour, as PNG, from a digest of who it is. Pure."""

import colorsys
import struct
import zlib
from hashlib import blake2b

SIDE = 5
"""Squares on each side."""
_SQUARE = 16
"""Pixels of a square."""
_MARGIN = 8
_BACKGROUND = (240, 240, 244)


def picture(who: str) -> bytes:
    """The picture of `who`, the same each time: a PNG (RFC 2083) of 96 by 96 pixels and some hundred bytes."""
    seed = blake2b(who.encode(errors="surrogatepass"), digest_size=8, person=b"picture").digest()
    hue, lightness = seed[0] / 256, 0.38 + 0.14 * seed[1] / 256
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.6)
    colour = (round(255 * red), round(255 * green), round(255 * blue))
    bits = int.from_bytes(seed[2:4], "big")
    half = (SIDE + 1) // 2
    cells = [
        [bits >> (row * half + min(column, SIDE - 1 - column)) & 1 for column in range(SIDE)] for row in range(SIDE)
    ]
    cells[SIDE // 2][SIDE // 2] = 1  # nobody is blank
    return _png(_pixels(cells), (_BACKGROUND, colour))


def _pixels(cells: list[list[int]]) -> list[bytes]:
    """One byte for each pixel, 0 or 1, row by row."""
    side = SIDE * _SQUARE + 2 * _MARGIN
    margin = [bytes(side)] * _MARGIN
    rows = [bytes(_MARGIN) + b"".join(bytes([cell]) * _SQUARE for cell in row) + bytes(_MARGIN) for row in cells]
    return [*margin, *(row for row in rows for _ in range(_SQUARE)), *margin]


def _png(rows: list[bytes], palette: tuple[tuple[int, int, int], ...]) -> bytes:
    """Rows of palette indexes as a PNG."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)  # 8 bits, palette, not interlaced
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    colours = b"".join(map(bytes, palette))
    parts = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, part) for kind, part in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
