"""mIRC formatting codes to styled spans, and back (https://modern.ircdocs.horse/formatting)."""

import re

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
_HAS_CODE = re.compile("[\x02\x03\x04\x0f\x11\x16\x1d-\x1f]")
_CODE = re.compile(
    "([\x02\x1d\x1f\x1e\x11\x0f\x16]|\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?)"
)


def parse(text: str) -> Text:
    """The spans of one IRC text. Colours are dropped, but text in the colour of its background is a spoiler."""
    if not _HAS_CODE.search(text):
        return (Span(text),) if text else ()
    spans: list[Span] = []
    style = Style.PLAIN
    for index, part in enumerate(_CODE.split(text)):
        if index % 2:
            style = _after(style, part)
        elif part:
            spans.append(Span(part, style))
    return merge(spans)


def stripped(text: str) -> str:
    """`text` without formatting."""
    return _CODE.sub("", text) if _HAS_CODE.search(text) else text


def _after(style: Style, code: str) -> Style:
    if code == RESET:
        return Style.PLAIN
    if code in _TOGGLES:
        return style ^ _TOGGLES[code]
    if code[0] not in "\x03\x04":
        return style
    front, _, back = code[1:].partition(",")
    hidden = bool(back) and (front == back if code[0] == "\x04" else int(front) == int(back))
    return style | Style.SPOILER if hidden else style & ~Style.SPOILER


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
