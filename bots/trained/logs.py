"""Reads lines of chat logs, as irssi and weechat write them, and cuts them into talks. Pure; linear in the text."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

import regex

_GAP_S = 1800.0
"""After so many seconds of silence another talk begins."""
_LONGEST = 500
"""Turns of a talk; what comes then is another one."""
_IRSSI = regex.compile(r"(\d\d):(\d\d)(?::(\d\d))? <[ @+%&~]?([^\s<>]{1,64})> (.+)")
_WEECHAT = regex.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\t[ @+%&~]?([^\t]{0,64})\t(.+)")
_MARKS = frozenset({"", "--", "-->", "<--", "*", " *", "=!=", "ℹ"})
"""What weechat puts in place of a nick for what nobody said."""
_DAY_S = 86_400.0


def is_irssi(text: str) -> bool:
    """Whether one of the first lines is one of irssi's."""
    return any(line.startswith("--- Log opened") or _IRSSI.match(line) for line in islice(text.splitlines(), 50))


def irssi(text: str) -> Iterator[tuple[float, tuple[str, str]]]:
    """Each message with its time in seconds, counted from the first day; midnight is where the clock goes back."""
    day, last = 0, 0.0
    for line in text.splitlines():
        if line.startswith(("--- Day changed", "--- Log opened")):
            day, last = day + 1, 0.0
        elif found := _IRSSI.match(line[:5000]):
            hours, minutes, seconds, nick, said = found.groups()
            time = int(hours) * 3600.0 + int(minutes) * 60 + int(seconds or 0)
            day, last = day + (time < last), time
            yield day * _DAY_S + time, (nick, said)


def weechat(text: str) -> Iterator[tuple[float, tuple[str, str]]]:
    """Each message with its time in seconds; not who comes and goes."""
    for line in text.splitlines():
        if (found := _WEECHAT.match(line[:5000])) and found[2].strip() not in _MARKS:
            try:
                time = datetime.fromisoformat(f"{found[1]}+00:00").timestamp()
            except ValueError:
                continue
            yield time, (found[2], found[3])


def without_gaps(
    lines: Iterable[tuple[float, tuple[str, str]]],
) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Talks, cut where nobody spoke for a while; each with the number of its first line as its id."""
    talk: list[tuple[str, str]] = []
    last, start = None, 0
    for number, (time, turn) in enumerate(lines):
        if talk and ((last is not None and abs(time - last) > _GAP_S) or len(talk) == _LONGEST):
            yield str(start), tuple(talk)
            talk, start = [], number
        talk.append(turn)
        last = time
    if talk:
        yield str(start), tuple(talk)
