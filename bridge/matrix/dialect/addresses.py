"""Addresses that Matrix messages may link: web pages, people ("pills") and rooms."""

import re
from urllib.parse import unquote

from bridge.model import identifiers

_SCHEMES = (
    "bitcoin|geo|im|irc6?|ircs|magnet|mailto|matrix|mms|news|nntp|openpgp4fpr|sips?|sms|smsto|ssh|tel|urn|webcal|xmpp"
)
"""Schemes of links to people, rooms and things, as Matrix clients allow them; none of them can run a script."""
_LINK = re.compile(rf"(?:(?:https?|s?ftps?|gemini|gopher)://|(?:{_SCHEMES}):)[^\s\x00-\x20\x7f]+", re.IGNORECASE)
_PILL = re.compile(r"(?:https?://matrix\.to/#/|matrix:u/)([^?\n]+)(?:\?.*)?", re.IGNORECASE)


def safe_link(url: str) -> str | None:
    """`url` if it may be offered to a reader: one of a web page, a file, a person or a room; else None."""
    return url if _LINK.fullmatch(url) else None


def person(href: str) -> str | None:
    """The Matrix id, valid or not, that a link to a person ("pill") names; None for any other link (spec, "URIs")."""
    pill = _PILL.fullmatch(href)
    if pill is None:
        return None
    if href[0] in "mM":
        return f"@{unquote(pill[1])}"
    name = unquote(pill[1])
    return name if name.startswith("@") and "/" not in pill[1] else None


def is_person(address: str) -> bool:
    """Whether `address` is a valid Matrix id of a person."""
    if not address:
        return False
    try:
        return bool(identifiers.matrix_user(address))
    except ValueError:
        return False
