"""Checks that names are well formed: Matrix ids and rooms, IRC channels, nicks and accounts."""

import re

MATRIX_ID_LIMIT = 255
"""Bytes of a Matrix identifier at most, sigil and server included
(https://spec.matrix.org/latest/appendices/#identifier-grammar)."""

_SERVER = r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]+)(?::[0-9]{1,5})?"
_MATRIX_USER = re.compile(rf"@[\x21-\x39\x3b-\x7e]+:{_SERVER}")  # also historical local parts, which some people have
_MATRIX_ALIAS = re.compile(rf"#[^:\s\x00-\x1f\x7f-\x9f]+:{_SERVER}")
_MATRIX_ROOM = re.compile(rf"![^:\s\x00-\x1f\x7f-\x9f]+(?::{_SERVER})?")  # no server since room version 12
_CHANNEL = re.compile(r"[!\"#%&'()+./;<=>~][^ ,\x00\x07\r\n]{0,199}")
"""RFC 2812, section 1.3. A server may have any sign for its channels (CHANTYPES) that no nick begins with."""
_NICK = re.compile(r"[^\s,*?!@.$:#&+%~0-9\x00-\x1f\x7f-][^\s,*?!@.\x00-\x1f\x7f]{0,63}")
_ACCOUNT = re.compile(r"[^\s,*?!@:\x00-\x1f\x7f][^\s,*?!@\x00-\x1f\x7f]{0,63}")
_LOOSE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


def matrix_user(text: str) -> str:
    """Return `text` if it is `@name:server`, else raise ValueError."""
    if not _MATRIX_USER.fullmatch(text) or len(text.encode()) > MATRIX_ID_LIMIT:
        raise ValueError(f"{text!r} is not a Matrix id: @name:server")
    return text


def matrix_room(text: str) -> str:
    """Return `text` if it is `#alias:server` or `!id`, else raise ValueError."""
    shape = _MATRIX_ALIAS if text.startswith("#") else _MATRIX_ROOM
    if not shape.fullmatch(text) or len(text.encode()) > MATRIX_ID_LIMIT:
        raise ValueError(f"{text!r} is not a Matrix room: #alias:server, or !id")
    return text


def irc_channel(text: str) -> str:
    """Return `text` if it is one channel's name, else raise ValueError. A comma or a space would make it two names."""
    if not _CHANNEL.fullmatch(text):
        raise ValueError(f"{text!r} is not an IRC channel: a sign first, mostly #; no space, comma or line break")
    return text


def irc_nick(text: str) -> str:
    """Return `text` if it may be a nick (https://modern.ircdocs.horse/#clients), else raise ValueError."""
    if not _NICK.fullmatch(text):
        raise ValueError(f"{text!r} is not a nick: a letter first; no space, comma, dot, or any of * ? ! @")
    return text


def irc_account(text: str) -> str:
    """Return `text` if it may be a services account, else raise ValueError. `*` and `0` mean "not logged in" in IRC."""
    if not _ACCOUNT.fullmatch(text) or text == "0":
        raise ValueError(f"{text!r} is not an IRC services account: no space, comma, or any of * ? ! @")
    return text


def one_word(text: str, limit: int = 64) -> str:
    """Return `text` if it is one visible word of at most `limit` characters, else raise ValueError."""
    if not text or len(text) > limit or _LOOSE.search(text) or not text.isprintable():
        raise ValueError(f"{text!r} must be one word of 1 to {limit} visible characters")
    return text
