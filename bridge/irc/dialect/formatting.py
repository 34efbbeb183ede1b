"""mIRC formatting codes to styled spans, and back (https://modern.ircdocs.horse/formatting)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from bridge.irc.dialect.palette import BLACK, DEFAULT, WHITE, colour, number
from bridge.model.text import Span, Style, Text, merge

RESET = "\x0f"
_REVERSE = "\x16"
_TOGGLES = {
    "\x02": Style.BOLD,
    "\x1d": Style.ITALIC,
    "\x1f": Style.UNDERLINE,
    "\x1e": Style.STRIKE,
    "\x11": Style.MONO,
}
_HIDDEN = "\x0301,01"
"""Black on black, both in two digits, so that no digit of the text can become part of the code."""
_NOTHING = "\x02\x02"
"""Bold on and off again: keeps a comma of the text apart from a colour code."""
_HAS_CODE = re.compile("[\x02\x03\x04\x0f\x11\x16\x1d-\x1f]")
_CODE = re.compile(
    "([\x02\x1d\x1f\x1e\x11\x0f\x16]|\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?)"
)


class Look(NamedTuple):
    """How a text looks on IRC: its styles, and the numbers of its colours in two digits, empty for the reader's own."""

    style: Style = Style.PLAIN
    fg: str = ""
    bg: str = ""


PLAIN = Look()


class _State(NamedTuple):
    """What the codes so far have set. `fg` and `bg` are colours as in `Span`."""

    style: Style = Style.PLAIN
    fg: str = ""
    bg: str = ""
    is_reversed: bool = False

    def span(self, text: str) -> Span:
        """`text` as it looks. Text in the colour of its background is a spoiler."""
        if self.fg and self.fg == self.bg:
            return Span(text, self.style | Style.SPOILER)
        if not self.is_reversed:
            return Span(text, self.style, None, self.fg, self.bg)
        # What the reader's own colours are is not known: in mIRC, and on paper, they are black on white
        fg, bg = self.bg or WHITE, self.fg or BLACK
        if fg == bg:
            fg = WHITE if bg == BLACK else BLACK
        return Span(text, self.style, None, fg, bg)


def parse(text: str) -> Text:
    """The spans of one IRC text. Each line of it (IRCv3 multiline) begins plain."""
    if not _HAS_CODE.search(text):
        return (Span(text),) if text else ()
    if "\n" in text:
        first, *rest = text.split("\n")
        return merge([*parse(first), *(span for line in rest for span in (Span("\n"), *parse(line)))])
    spans: list[Span] = []
    state = _State()
    for index, part in enumerate(_CODE.split(text)):
        if index % 2:
            state = _after(state, part)
        elif part:
            spans.append(state.span(part))
    return merge(spans)


def stripped(text: str) -> str:
    """`text` without formatting."""
    return _CODE.sub("", text) if _HAS_CODE.search(text) else text


def _after(state: _State, code: str) -> _State:
    if code == RESET:
        return _State()
    if code in _TOGGLES:
        return state._replace(style=state.style ^ _TOGGLES[code])
    if code == _REVERSE:
        return state._replace(is_reversed=not state.is_reversed)
    fg, _, bg = code[1:].partition(",")
    if not fg:
        return state._replace(fg="", bg="")
    return state._replace(fg=_colour(code[0], fg), bg=_colour(code[0], bg) if bg else state.bg)


def _colour(code: str, digits: str) -> str:
    return f"#{digits.lower()}" if code == "\x04" else colour(digits)


def look(span: Span) -> Look:
    """How `span` looks on IRC. A spoiler is black on black, whatever its colours."""
    if not (span.fg or span.bg):
        return PLAIN if span.style is Style.PLAIN else Look(span.style)
    if span.style & Style.SPOILER:
        return Look(span.style)
    fg, bg = number(span.fg), number(span.bg)
    return Look(span.style, fg, "" if fg == bg else bg)  # two colours of one number would hide the text


def transition(before: Look, after: Look, text: str) -> str:
    """The codes that change one look into another, before `text`. Only a reset switches styles and colours off: unlike
    a colour code, it cannot swallow digits of the text."""
    return "" if before == after else _codes(before, after, has_comma=text.startswith(","))


@lru_cache(maxsize=4096)
def _codes(before: Look, after: Look, *, has_comma: bool) -> str:
    """Cached: a message has few looks, and arithmetic with flags is slow."""
    if before.style & ~after.style or (before.fg and not after.fg) or (before.bg and not after.bg):
        return RESET + (_codes(PLAIN, after, has_comma=has_comma) if after != PLAIN else "")
    colours = _colours(before, after)
    toggles = "".join(code for code, style in _TOGGLES.items() if after.style & ~before.style & style)
    if has_comma and not toggles and len(colours) == len("\x0300"):
        toggles = _NOTHING
    return colours + toggles


def _colours(before: Look, after: Look) -> str:
    """The colour code between two looks, of which the second has all that the first has. Each number has two digits."""
    if after.style & ~before.style & Style.SPOILER:
        return _HIDDEN
    if before.bg != after.bg:
        return f"\x03{after.fg or DEFAULT},{after.bg}"
    return "" if before.fg == after.fg else f"\x03{after.fg}"


def encode(text: Text) -> str:
    """`text` with formatting codes, starting plain; links are left out."""
    return encoded([(span.text, look(span)) for span in text])


def encoded(parts: Iterable[tuple[str, Look]]) -> str:
    """Texts and how each looks, as one text with formatting codes, starting plain."""
    codes: list[str] = []
    before = PLAIN
    for text, after in parts:
        if text:
            codes += (transition(before, after, text), text)
            before = after
    return "".join(codes)
