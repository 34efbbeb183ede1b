"""mIRC formatting codes to styled spans, and back (https://modern.ircdocs.horse/formatting)."""

import re
from dataclasses import dataclass, replace

from bridge.model.text import Span, Style, Text, merge

RESET = "\x0f"
_TOGGLES = {
    "\x02": Style.BOLD,
    "\x1d": Style.ITALIC,
    "\x1f": Style.UNDERLINE,
    "\x1e": Style.STRIKE,
    "\x11": Style.MONO,
}
_HIDDEN = "\x0301,01"
"""Black on black, both in two digits, so that no digit of the text can become part of the code."""
_CODES = (*((style, code) for code, style in _TOGGLES.items()), (Style.SPOILER, _HIDDEN))
_DEFAULT = 99
"""The number of the reader's own colour, in front as behind."""
_HAS_CODE = re.compile("[\x02\x03\x04\x0f\x11\x16\x1d-\x1f]")
_CODE = re.compile(
    "([\x02\x1d\x1f\x1e\x11\x0f\x16]|\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?)"
)


@dataclass(frozen=True, slots=True)
class _Look:
    """`front` and `back` are the colours that are set, '' for the reader's own."""

    style: Style = Style.PLAIN
    front: str = ""
    back: str = ""

    @property
    def is_hidden(self) -> bool:
        return bool(self.front) and self.front == self.back


def parse(text: str) -> Text:
    """The spans of one IRC text. Colours are dropped, but text in the colour of its background is a spoiler."""
    if not _HAS_CODE.search(text):
        return (Span(text),) if text else ()
    spans: list[Span] = []
    look = _Look()
    for index, part in enumerate(_CODE.split(text)):
        if index % 2:
            look = _after(look, part)
        elif part:
            spans.append(Span(part, look.style | Style.SPOILER if look.is_hidden else look.style))
    return merge(spans)


def stripped(text: str) -> str:
    """`text` without formatting."""
    return _CODE.sub("", text) if _HAS_CODE.search(text) else text


def _after(look: _Look, code: str) -> _Look:
    if code == RESET:
        return _Look()
    if code in _TOGGLES:
        return replace(look, style=look.style ^ _TOGGLES[code])
    if code[0] not in "\x03\x04":
        return look
    front, _, back = code[1:].partition(",")
    if not front:
        return _Look(look.style)
    return _Look(look.style, _colour(code[0], front), _colour(code[0], back) if back else look.back)


def _colour(code: str, digits: str) -> str:
    """What tells a colour from others; '' for the default one."""
    if code == "\x04":
        return f"#{digits.lower()}"
    return "" if int(digits) == _DEFAULT else str(int(digits))


def transition(before: Style, after: Style) -> str:
    """The codes that change one style into another. Only a reset switches styles off: unlike a colour code, it cannot
    swallow digits of the text."""
    if before == after:
        return ""
    if before & ~after:
        return RESET + transition(Style.PLAIN, after)
    return "".join(code for style, code in _CODES if after & ~before & style)


def encode(text: Text) -> str:
    """`text` with formatting codes, starting plain; links are left out."""
    parts: list[str] = []
    style = Style.PLAIN
    for span in text:
        parts += (transition(style, span.style), span.text)
        style = span.style
    return "".join(parts)
