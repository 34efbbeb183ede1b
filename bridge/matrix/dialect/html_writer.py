"""Writes styled spans as the HTML of Matrix messages (spec, "m.room.message msgtypes")."""

import re
from html import escape
from urllib.parse import quote

from bridge.matrix.dialect.addresses import is_person, safe_link
from bridge.model.text import Span, Style, Text

_TAGS = (
    (Style.SPOILER, "span data-mx-spoiler", "span"),
    (Style.BOLD, "strong", "strong"),
    (Style.ITALIC, "em", "em"),
    (Style.UNDERLINE, "u", "u"),
    (Style.STRIKE, "del", "del"),
    (Style.MONO, "code", "code"),
)
_COLOUR = re.compile("#[0-9a-f]{6}")
_NO_BREAK = "\u00a0"
_RUN = re.compile(" +")
_IN_ID = "@:!$&'()*+,;=~"
"""Signs of a Matrix id that need no escape in a link."""


def write(text: Text) -> str:
    """`text` as HTML, every character escaped. Its spans must have no control characters but newlines. Blanks that HTML
    would not show, in a row or at the beginning of a line, become no-break spaces."""
    parts: list[str] = []
    unseen = True  # a blank that comes now would not be shown
    for span in text:
        parts.append(_tagged(span, _widened(span.text, unseen=unseen)))
        unseen = span.text[-1:] in (" ", "\n") if span.text else unseen
    return "".join(parts)


def _widened(text: str, *, unseen: bool) -> str:
    """`text` with no-break spaces where blanks would not be shown. The last blank of several stays one, so that a line
    may be broken there."""
    if "  " not in text and "\n " not in text and not (unseen and text.startswith(" ")):
        return text

    def widened(blanks: re.Match[str]) -> str:
        at, size = blanks.start(), len(blanks[0])
        if size > 1:
            return _NO_BREAK * (size - 1) + " "
        return _NO_BREAK if (text[at - 1] == "\n" if at else unseen) else " "

    return _RUN.sub(widened, text)


def _tagged(span: Span, text: str) -> str:
    """`text` as HTML that looks like `span`."""
    html = escape(text).replace("\n", "<br>")
    if span.is_plain:
        return html
    if span.fg or span.bg:
        html = _coloured(html, span)
    if span.style is not Style.PLAIN:
        for style, opening, closing in _TAGS:
            if span.style & style:
                html = f"<{opening}>{html}</{closing}>"
    if is_person(span.mention):
        return f'<a href="https://matrix.to/#/{escape(quote(span.mention, safe=_IN_ID))}">{html}</a>'
    link = span.link and safe_link(span.link)
    return f'<a href="{escape(link)}">{html}</a>' if link else html


def _coloured(html: str, span: Span) -> str:
    """`html` in its colours: `span` is for clients that follow the spec, `font` for those that show nothing else, as
    nheko. There is no way to give nheko a background, without which the text might be invisible: white on white."""
    fg, bg = (colour if _COLOUR.fullmatch(colour) else "" for colour in (span.fg, span.bg))
    if fg and not bg:
        html = f'<font color="{fg}">{html}</font>'
    attributes = (f' data-mx-{name}="{colour}"' for name, colour in (("color", fg), ("bg-color", bg)) if colour)
    return f"<span{''.join(attributes)}>{html}</span>" if fg or bg else html
