"""Reads the size of a picture, and computes its BlurHash if it is small enough to be decoded."""

import io
import warnings
from dataclasses import dataclass, replace

from bridge.previews.blurhash import blurhash
from bridge.previews.kinds import GIF, JPEG, PNG, WEBP, FileType

_FORMATS = {PNG: "PNG", JPEG: "JPEG", GIF: "GIF", WEBP: "WEBP"}
_MOST_DECODED = 4_000_000
"""Pixels of a picture at most whose colours are looked at: decoding more takes long, and much memory."""
_SIDE = 32
"""Pixels of a side of what the BlurHash is made from."""
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
"""The tag of EXIF that says how to turn a picture, and the values where width becomes height."""
_CLEAR = ("RGBA", "LA", "PA", "P", "RGBa", "La")
"""Modes of pictures that one may see through."""


@dataclass(frozen=True, slots=True)
class Looks:
    """`width` and `height` in pixels, as people see it; None: unknown. `blurhash`: '' if unknown."""

    width: int | None = None
    height: int | None = None
    blurhash: str = ""


def looks(data: bytes, file_type: FileType) -> Looks:
    """How the picture `data` looks. Of a hostile file it may take hours: for a process (see
    `apart`). Never raises: what cannot be read is unknown.

    Only the decoder of that type is used, and only if the picture is small: for others the header is read."""
    found = Looks()
    if file_type not in _FORMATS:
        return found
    if file_type is WEBP:  # its decoder makes room for all of it as soon as it is opened
        found = _webp(data)
        if not _is_small(found):
            return found
    from PIL import Image, ImageOps  # most bridges never need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=[_FORMATS[file_type]])
        with picture:
            found = Looks(*picture.size)
            if file_type is JPEG and picture.getexif().get(_ORIENTATION) in _LYING:
                found = Looks(found.height, found.width)
            if not _is_small(found):
                return found
            if file_type is JPEG:
                picture.draft("RGB", (_SIDE, _SIDE))  # decodes an eighth of it
            upright = ImageOps.exif_transpose(picture)
            small = upright.convert("RGBA" if upright.mode in _CLEAR else "RGB")
            small = small.resize((min(_SIDE, small.width), min(_SIDE, small.height)), Image.Resampling.BOX)
            if small.mode == "RGBA":
                small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
            return replace(found, blurhash=blurhash(small.tobytes(), *small.size))
    except Exception:  # whatever a hostile file does to a decoder
        return found


def _is_small(found: Looks) -> bool:
    return 0 < (found.width or 0) * (found.height or 0) <= _MOST_DECODED


def _webp(data: bytes) -> Looks:
    """The size that the header of a WebP file says (RFC 9649 section 2)."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        return Looks()
    if chunk == b"VP8X":
        return Looks(int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1)
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return Looks((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8 ":
        width, height = int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
        return Looks(width & 0x3FFF, height & 0x3FFF)
    return Looks()
