"""Recognises lines that may hold a password, so that they are neither carried nor stored. Pure."""

import re
from collections.abc import Iterable

from bridge.model.text import addressed, visible

_VERBS = ("login", "passwd", "set-password")
_MEANT = re.compile(
    r"[\W\d_]*+"  # a client's command prefix, a quotation mark, a list number
    r"(?:(?:msg|query|privmsg|notice|tell|whisper|w|m|q)\s++\S++\s++)?+"  # "/msg duck login ..." after a blank
    r"(?:[^:,]{1,64}[:,])?"  # "duck: login ..."
    r"[\W\d_]*+(?P<verb>login|passwd|set-password)(?P<rest>[\s:]++\S.*|\s*+$)",
    re.IGNORECASE,
)
_LOOKED_AT = 300
"""Characters of a line that are checked: nobody types more before a command by mistake."""
_PROSE = frozenset(
    {
        "a",
        "an",
        "and",
        "as",
        "at",
        "broken",
        "button",
        "command",
        "does",
        "doesn't",
        "fail",
        "failed",
        "failing",
        "fails",
        "file",
        "for",
        "form",
        "from",
        "in",
        "is",
        "issue",
        "issues",
        "it",
        "on",
        "or",
        "page",
        "please",
        "problem",
        "problems",
        "prompt",
        "screen",
        "still",
        "the",
        "to",
        "via",
        "was",
        "with",
        "work",
        "works",
    }
)
"""Words that follow the verb in sentences about it, and are nobody's name."""


def holds_secret(text: str, names: Iterable[str] = (), *, private: bool) -> bool:
    """Whether a line of `text` gives a password to a bot that listens to `names`, or would if it were said in private.

    In public, only lines with enough words for a password count: `login NAME PASSWORD` or `passwd PASSWORD`, also split
    over two lines. False alarms are accepted, and the sender is told: better than a password on two networks.
    """
    text = visible(text)
    lowered = text.lower()
    if not any(verb in lowered for verb in _VERBS):
        return False
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        first = line[:_LOOKED_AT]
        said = [first, *filter(None, [addressed(first, (name,)) for name in names])]
        after = "" if number + 1 == len(lines) else lines[number + 1][:_LOOKED_AT]
        if any(_gives_one(each, after, private=private) for each in said):
            return True
    return False


def _gives_one(line: str, after: str, *, private: bool) -> bool:
    match = _MEANT.match(line)
    if match is None:
        return False
    given = re.split(r"[\s:]+", f"{match['rest']} {after}".strip(" :\t"))
    if private:
        return True
    if given[0].lower() in _PROSE:
        return False
    return len(given) > 1 or (match["verb"].lower() != "login" and bool(given[0]))
