"""People whom a carried message names, as pills: `alice: look` and `@alice` for the one alice in the room."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bridge.model import identifiers
from bridge.model.text import NAME_LIMIT, Span, Style, Text, merge

MOST = 10
"""Most people whom one message names."""
_TRIES = 50
"""Most words that are looked up."""
_CALLED = re.compile(rf"\s{{0,9}}(@?(?=\S)[^:,\n]{{1,{NAME_LIMIT}}})[:,](?=\s|$)")
_AT = re.compile(rf"(?<!\S)@[^\s@]{{1,{identifiers.MATRIX_ID_LIMIT}}}(?!\S)")
_AFTER = ".,:;!?)'\"…"
"""What may stand behind a name."""
_UNREAD = Style.MONO | Style.SPOILER
"""Code and spoilers name nobody."""


@dataclass(frozen=True, slots=True)
class Named:
    """A text with its pills, and the Matrix ids of those whom it names."""

    text: Text
    users: tuple[str, ...]


def name(text: Text, who: Callable[[str], str | None], speaker: str) -> Named:
    """`text` with a pill for each of those whom it names, at the beginning of a line before a colon or a comma or by a
    word after `@`. `who`: as in `Place`. The `speaker` (an address) is not named, and nobody in a line that is quoted.
    Who is named by a pill already is named.
    """
    users: dict[str, None] = {}
    spans: list[Span] = []
    start, quoted, tries = True, False, _TRIES
    for span in text:
        at = 0
        if span.mention and len(users) < MOST and (user := who(span.mention)) not in (None, speaker):
            users[user or ""] = None
        for found in _candidates(span, starts=start) if tries else ():
            line = span.text.rfind("\n", 0, found.start(found.lastindex or 0)) + 1
            if _is_quoted(span.text, line) or (quoted and not line) or not tries:
                continue
            tries -= 1
            begin, called, user = _person(found, who)
            if user is None or user == speaker or (user not in users and len(users) == MOST) or begin < at:
                continue
            users[user] = None
            spans += (span.with_text(span.text[at:begin]), replace(span, text=called, mention=user))
            at = begin + len(called)
        spans.append(span.with_text(span.text[at:]))
        last = span.text.rfind("\n") + 1
        quoted = _is_quoted(span.text, last) if last or start else quoted
        start = span.text.endswith("\n") if span.text else start
    return Named(merge(spans), tuple(users)) if users else Named(text, ())


def _candidates(span: Span, *, starts: bool) -> Iterator[re.Match[str]]:
    """Where somebody may be named in `span`, in order. `starts`: a line begins with it."""
    if span.link or span.mention or span.style & _UNREAD:
        return
    at = 0
    while at <= len(span.text):
        end = span.text.find("\n", at)
        end = len(span.text) if end < 0 else end
        called = _CALLED.match(span.text, at, end) if at or starts else None
        if called is not None:
            yield called
        yield from _AT.finditer(span.text, called.end() if called else at, end)
        at = end + 1


def _person(found: re.Match[str], who: Callable[[str], str | None]) -> tuple[int, str, str | None]:
    """Where the name begins, the words of the pill, and the person."""
    begin, called = found.start(found.lastindex or 0), found[found.lastindex or 0]
    for word in dict.fromkeys((called, called.rstrip(_AFTER))):
        user = who(word) or who(word.removeprefix("@"))
        if user is not None:
            return begin, word, user
    return begin, called, None


def _is_quoted(text: str, line: int) -> bool:
    """Whether the line that begins at `line` is a quotation."""
    return text.startswith(">", line)
