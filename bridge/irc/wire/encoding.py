"""Bytes of a line to text: UTF-8 wherever it is UTF-8, and an older encoding for the rest."""

import codecs
import re

FALLBACK = "cp1252"
"""Windows-1252, what old clients in Western Europe and America send; nearly Latin-1."""

_CUT = 400
"""Bytes: a server cuts lines that are longer than 512 for all, whatever stands before the text for some."""
_UNKNOWN = "\ufffd"
_UTF8 = re.compile(
    rb"(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+"
)
"""Whole characters of UTF-8 that are not ASCII (RFC 3629, section 4)."""
_BEGUN = re.compile(
    rb"(?:[\xc2-\xf4]|\xe0[\xa0-\xbf]|[\xe1-\xef][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]?"
    rb"|[\xf1-\xf4][\x80-\xbf]{1,2})\Z"
)
_PLAIN = "".join(map(chr, range(32, 126))).replace("\\", "")
_SHIFTS = b"~{VP~} \\u0041 +AGE- \\101"
"""What HZ, UTF-7 and Python's own escapes take for something else."""
_HIGH = bytes(range(128, 256))


def text_codec(name: str) -> str:
    """Python's name of the encoding `name`. Raises ValueError if there is none, or if ASCII is not ASCII in it: the
    commands of IRC are."""
    try:
        is_safe = (_PLAIN.encode() + _SHIFTS).decode(name) == _PLAIN + _SHIFTS.decode()
        is_safe &= not set("\r\n\0").intersection(_HIGH.decode(name, errors="replace"))
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise ValueError(f"{name!r} is no encoding of text for IRC: cp1252, koi8-r, gbk and the like") from None
    if not is_safe:
        raise ValueError(f"{name!r} is no encoding for IRC: ASCII is not ASCII in it")
    return found


class LineDecoder:
    """Decodes lines, each by itself. Never raises. `fallback` (see `text_codec`): the encoding of what is not UTF-8.

    In a line that is not all UTF-8, characters of UTF-8 are what they are, and the bytes between them are the
    fallback's: one client's bad byte spoils nothing else. Bytes that are nothing in the fallback (five in Windows-1252)
    become U+FFFD: a C1 control character, as in HTML, would be invisible, and terminals obey some.

    In an encoding of several bytes to a character, bytes that look like UTF-8 are often not: if a line is valid as a
    whole in it, it is not mixed.
    """

    def __init__(self, fallback: str = FALLBACK) -> None:
        self._fallback = fallback
        self._is_multibyte = len(_HIGH.decode(fallback, errors="replace")) != len(_HIGH)
        self._has_escapes = fallback.startswith("iso2022")

    def decode(self, data: bytes) -> str:
        """Decode a line, without its line break."""
        if self._has_escapes and b"\x1b" in data and (text := self._whole(data)) is not None:
            return text
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
        if self._is_multibyte and (text := self._whole(data)) is not None:
            return text
        return self._mixed(data[: -len(part)]) + _UNKNOWN if (part := _cut_off(data)) else self._mixed(data)

    def _whole(self, data: bytes) -> str | None:
        """The line in the fallback, but for a last character that is cut; None if it is not valid."""
        decoder = codecs.getincrementaldecoder(self._fallback)()
        try:
            text = decoder.decode(data)
        except UnicodeDecodeError:
            return None
        return text + _UNKNOWN if decoder.getstate()[0] else text

    def _mixed(self, data: bytes) -> str:
        parts: list[str] = []
        at = 0
        for good in _UTF8.finditer(data):
            parts += data[at : good.start()].decode(self._fallback, errors="replace"), good[0].decode()
            at = good.end()
        return "".join([*parts, data[at:].decode(self._fallback, errors="replace")])


def _cut_off(data: bytes) -> bytes:
    """The beginning of a character of UTF-8 that the server has cut at the end of a line; b"" if it is none. One byte
    may as well be a letter of the fallback: it is, unless the line is long, and has UTF-8 or nothing but ASCII."""
    match = _BEGUN.search(data)
    if match is None:
        return b""
    is_long, part, rest = len(data) >= _CUT, match[0], data[: match.start()]
    is_utf8 = _UTF8.search(rest) is not None
    return part if (is_utf8 and (is_long or len(part) > 1)) or (is_long and rest.isascii()) else b""
