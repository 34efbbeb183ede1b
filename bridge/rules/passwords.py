"""Recognises lines that may hold a password, so that they are neither carried nor stored. Pure."""

import re
from collections.abc import Callable, Iterable
from itertools import islice

from bridge.model.text import addressed, visible

_VERBS = ("login", "passwd", "set-password")
_MEANT = re.compile(
    r"[\W\d_]*+"  # a client's command prefix, a quotation mark, a list number
    r"(?:(?:msg|query|privmsg|notice|tell|whisper|w|m|q)\s++\S++\s++)?+"  # "/msg duck login ..." after a blank
    r"(?:[^:,]{1,64}[:,])?"  # "duck: login ..."
    r"[\W\d_]*+(?P<verb>(?:(?:set-)?irc[-_ ]?)?login|passwd|set-password)(?P<rest>[\s:]++\S.*|\s*+$)",
    re.IGNORECASE,
)
_LOOKED_AT = 300
"""Characters of a line that are checked: nobody types more before a command by mistake."""
_MOST_LINES = 200
"""Lines with one of the verbs that are checked: who types a password by mistake does so in one of the first."""
_PROSE = frozenset(
    """
    a again already always am an and anyway are aren't as at be because been before broken but button by can can't
    cannot command could credentials data did didn't do does doesn't don't down during error errors even fail failed
    failing fails file first fix fixed for form from gave gives had has hasn't have haven't here how i if in instead
    into is isn't issue issues it it's its just keeps later like maybe me my never no not now of off ok okay on once
    only or our out over page please problem problems prompt said says screen should shouldn't so still takes than
    thanks that the their them then there they things this to today took totally under until up us using via want
    wants was wasn't we were what when where which while who why will with without won't work worked working works
    would yet you your yours
    """.split()  # noqa: SIM905  (ruff would have a line of 1,200 characters)
)
"""Words that follow the verb in sentences about it."""


def holds_secret(
    text: str, names: Iterable[str] = (), *, private: bool, is_user: Callable[[str], object] = lambda _: False
) -> bool:
    """Whether a line of `text` gives a password to a bot that listens to `names`, or would if it were said in private.

    In public, only lines with enough words for a password count: `login NAME PASSWORD` or `passwd PASSWORD`, also split
    over two lines. A sentence (`login not working`) does not, unless its next word `is_user`, the name of a user. False
    alarms are accepted, and the sender is told: better than a password on two networks.
    """
    text = visible(text)
    lowered = text.lower()
    if not any(verb in lowered for verb in _VERBS):
        return False
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    suspects = (number for number, line in enumerate(lines) if any(verb in line.lower() for verb in _VERBS))
    for number in islice(suspects, _MOST_LINES):
        first = lines[number][:_LOOKED_AT]
        said = [first, *filter(None, [addressed(first, (name,)) for name in names])]
        after = "" if number + 1 == len(lines) else lines[number + 1][:_LOOKED_AT]
        if any(_gives_one(each, after, private=private, is_user=is_user) for each in said):
            return True
    return False


def _gives_one(line: str, after: str, *, private: bool, is_user: Callable[[str], object]) -> bool:
    match = _MEANT.match(line)
    if match is None:
        return False
    given = re.split(r"[\s:]+", f"{match['rest']} {after}".strip(" :\t"))
    if private:
        return True
    if given[0].lower() in _PROSE and not is_user(given[0]):
        return False
    return len(given) > 1 or (not match["verb"].lower().endswith("login") and bool(given[0]))
