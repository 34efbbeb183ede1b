"""Finds what somebody meant who mistyped the name of a command. Pure.

Commands need no sign before them, so a word that is almost a name means nothing by itself: what stands behind it has to
look as it does behind that name.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from bots.commands.command import Command
from bridge.model.text import one_line

_LONGEST = 100
_ALIKE = 0.75  # one sign more, less or other of four; two that have changed places
_BEHIND: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "roll": re.compile(r"\d{0,3}[dw]\d{1,4}(?: ?[+-] ?\d{1,4})?"),
        "calc": re.compile(r"[\d(][^a-z]{0,80}[-+*/^%!][^a-z]{0,80}"),
        "choose": re.compile(r"[^|]+\|.+"),
        "poll": re.compile(r"[^|]+\|.+"),
        "vote": re.compile(r"\d{1,2}"),
        "delete": re.compile(r"\d{1,2}"),
        "remind": re.compile(r"me (?:in|at|on|every|tomorrow|to)\b.*"),
        "list": re.compile(r"reminders"),
        "time": re.compile(r"in \w+.*"),
        "zone": re.compile(r"\w+/\w+"),
        "tell": re.compile(r"@?[^\s:]+: .+"),
    }
)


def meant(text: str, prefix: str, known: Mapping[str, Command]) -> str | None:
    """The command that `text` was probably to be; None if it may be anything."""
    text = one_line(text.strip(), _LONGEST + 1)
    if len(text) > _LONGEST or not text.startswith(prefix):
        return None
    word, _, rest = text.removeprefix(prefix).strip().partition(" ")
    names = {name.partition(" ")[0] for name in known} & _BEHIND.keys()
    if len(word) < 3 or word.lower() in names:
        return None
    (name,) = get_close_matches(word.lower(), names, 1, _ALIKE) or ("",)
    behind = _BEHIND.get(name)
    rest = rest.strip()
    return f"{prefix}{name} {rest}" if behind is not None and behind.fullmatch(rest.lower()) else None
