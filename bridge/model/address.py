"""Tells whether the words of a link are its URL in another spelling. Pure."""

import re
from urllib.parse import quote

_AS_WRITTEN = ":/?#@!$&'()*+,;=%~"
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("-._~!'()*")
"""Signs that mean the same escaped or not (RFC 3986 section 2.3), and those that clients escape for their markup."""
_NAME_LIMIT = 253
"""Characters of a host name (RFC 1035 section 2.3.4)."""
_UNSAID = re.compile("(?:https?://|mailto:|tel:)", re.IGNORECASE)
"""Schemes that people leave out."""


def is_address_of(shown: str, link: str) -> bool:
    """Whether `shown` is the URL `link`, perhaps with other escapes, or without its scheme or the slash at its end."""
    shown = shown.strip()
    if _UNSAID.match(shown) is None:
        link = _UNSAID.sub("", link, count=1)
    return _normal(shown) == _normal(link)


def _normal(address: str) -> str:
    """`address` in normal form (RFC 3986 section 6.2.2): without differences in escapes, in the case of scheme and
    host, and in the last slash."""
    scheme, slashes, rest = address.rpartition("://") if address.count("://") == 1 else ("", "", address)
    place = re.match("[^/?#]*", rest)
    host = place[0] if place else ""
    path = _ESCAPE.sub(_escape, quote(rest[len(host) :], safe=_AS_WRITTEN)).removesuffix("/")
    return f"{scheme.lower()}{slashes}{_ascii(host)}{path}"


def _escape(match: re.Match[str]) -> str:
    sign = chr(int(match[0][1:], 16))
    return sign if sign in _UNRESERVED or (sign.isascii() and sign.isalnum()) else match[0].upper()


def _ascii(host: str) -> str:
    """`host` in lower case, as the name service knows it (RFC 5891: `xn--...`)."""
    try:
        return host.encode("idna").decode().lower() if len(host) <= _NAME_LIMIT else host
    except UnicodeError:
        return host.lower()
