"""Lines that may hold a password: recognised before anything is done with them, so that they go nowhere. Pure."""

import re

from bridge.text import printable

_VERBS = ("login", "passwd")
_MEANT = re.compile(
    r"[\W_]*+"  # a mark of some client's commands, or of a quotation
    r"(?:(?:msg|query|privmsg|notice|m|q)\s++\S++\s++)?+"  # "/msg duck login ..." with a blank before it
    r"(?:[^:,]{1,64}[:,])?"  # "duck: login ..."
    r"[\W_]*+(?P<verb>login|passwd)[\s:]++(?P<rest>\S.*)",
    re.IGNORECASE,
)
_LOOKED_AT = 300
"""Characters of a line: nobody types more before a command by mistake."""


def holds_secret(text: str, *, private: bool) -> bool:
    """Whether a line of `text` gives a password to the duck, or would if it had been said in private.

    In public it takes as many words as a password needs, `login NAME PASSWORD` or `passwd PASSWORD`; a sentence that
    happens to begin so is caught too, and its sender told: better than a password on two networks.
    """
    lowered = text.lower()
    if not any(verb in lowered for verb in _VERBS):
        return False
    return any(_gives_one(printable(line), private=private) for line in text.splitlines())


def _gives_one(line: str, *, private: bool) -> bool:
    match = _MEANT.match(line[:_LOOKED_AT])
    if match is None:
        return private and line.strip().lower() in _VERBS
    return private or match["verb"].lower() == "passwd" or len(match["rest"].split()) > 1
