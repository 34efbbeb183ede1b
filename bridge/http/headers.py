"""The headers of a file that is served: which part of it, as what type, under what name. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

_SAFE = {
    "image": "png jpeg gif webp avif bmp",
    "audio": "mpeg mp4 aac ogg opus flac x-flac wav x-wav webm",
    "video": "mp4 webm ogg quicktime",
    "text": "plain",
    "application": "pdf",
}
"""Types that a browser may show: none of them can hold a script that runs as of our site."""
_DOWNLOAD = "application/octet-stream"
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII | re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._ ()+-]", re.ASCII)
_NAME = 150
"""Characters of a name at most."""
_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; img-src 'self'; media-src 'self'; object-src 'self';"
    " style-src 'unsafe-inline'"
)
"""No script runs, whatever the file is. As of our own origin: of another, browsers play no sound and no video."""
ALWAYS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Headers of every answer, also of errors."""


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `start` up to and without `end` of a file of `size` bytes."""

    start: int
    end: int
    size: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


class Unsatisfiable(Exception):
    """The file has no byte in the range that was asked for."""


def part(asked: str | None, size: int) -> Part | None:
    """The part of a file of `size` bytes for which a `Range` header asks; None: all of it, also for what is no range of
    bytes, and for several ranges (RFC 9110 section 14.2 lets a server ignore them). Raises Unsatisfiable."""
    found = _RANGE.fullmatch(asked.strip()) if asked is not None else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # the last bytes
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:  # not valid, and so ignored
            return None
    if start >= size:
        raise Unsatisfiable
    return Part(start, end, size)


def wants_part(if_range: str | None, etag: str) -> bool:
    """Whether a `Range` counts under that `If-Range` (RFC 9110 section 13.1.5). We give no dates: none matches."""
    return if_range is None or if_range.strip() == etag


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has the file already (RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return "*" in tags or etag in tags


def content(mime: str, name: str) -> Mapping[str, str]:
    """`Content-Type` and `Content-Disposition`: what browsers may show, or else a download."""
    kind = mime.partition(";")[0].strip().lower()
    group, _, name_of_kind = kind.partition("/")
    is_safe = name_of_kind in _SAFE.get(group, "").split()
    shown = f"{kind}; charset=utf-8" if kind == "text/plain" else kind
    return {
        "Content-Type": shown if is_safe else _DOWNLOAD,
        "Content-Disposition": disposition("inline" if is_safe else "attachment", name),
    }


def disposition(kind: str, name: str) -> str:
    """`Content-Disposition` with a name of any characters (RFC 6266, RFC 8187)."""
    name = re.split(r"[/\\]", name)[-1].strip(". ")[:_NAME] or "file"
    name = "".join(char if char.isprintable() else "_" for char in name)
    plain = _UNSAFE.sub("_", name)
    if plain == name:
        return f'{kind}; filename="{name}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode(errors='replace'), safe='')}"
