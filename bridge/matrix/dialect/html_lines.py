"""Puts text of HTML together to lines, with blanks and line ends where a reader of the HTML sees them."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.model.text import LINE_END, Span, Style

LIMIT = 64 * 1024
"""Most bytes (UTF-8) of a text: no event is bigger (spec, "Size limits"), but list numbers could make one so."""
_DEEPEST = 8
"""Quotations and lists inside each other that are shown as such."""
_BLANKS = re.compile("[ \t\n\r\f]+")
_SOFT = frozenset("\n\r\f")
"""White space with one of these only lays out the markup. Blanks and tabs alone are left as they are."""
_NO_BREAK = "\u00a0"
_WIDE = re.compile(f"[ {_NO_BREAK}]{{2,}}")
"""Several blanks, which HTML shows only if they do not break."""


class Look(NamedTuple):
    """How text looks in some element; `style` to `mention` are as in `Span`."""

    style: Style = Style.PLAIN
    link: str | None = None
    fg: str = ""
    bg: str = ""
    mention: str = ""
    verbatim: bool = False
    quoted: bool = False
    cell: bool = False
    """Whether it is in a cell of a table, where no line ends."""
    prefix: str = ""
    """What each line begins with: signs of a quotation, the indentation of a list."""

    def within(self, sign: str) -> "Look":
        """The look of lines that begin with `sign` too, unless it is too deep."""
        return self._replace(prefix=self.prefix + sign) if len(self.prefix) < 2 * _DEEPEST else self


PLAIN = Look()


@dataclass(slots=True)
class Lines:
    """The spans so far, and what is known of their end."""

    spans: list[Span] = field(default_factory=list)
    left: int = LIMIT
    """Bytes that may still be said."""
    broken: bool = True
    """Whether the next text begins a line already."""
    gap: bool = False
    """Whether the next text needs a blank before it."""
    _due: bool = False
    """Whether a line must end before the next text."""
    _empty: bool = True
    """Whether nothing was said in this line yet."""
    _blank: bool = True
    """Whether the last sign was a blank or a line end."""

    def say(self, text: str, look: Look) -> None:
        """Add `text`, which has the blanks and line ends that are seen."""
        if self._due:
            self._due, self._empty, self._blank = False, True, True
            # The very same string comes from one element, not from two with one address
            goes_on = look.link is not None and bool(self.spans) and self.spans[-1].link is look.link
            self._put("\n", Look(link=look.link) if goes_on else PLAIN)
        if self.gap:
            self.gap = False
            if not self._blank and text[:1] not in ("", " ", "\n"):
                self._put(" ", PLAIN)
        if look.prefix:
            text = LINE_END.sub("\n", text)
            self._say_prefixed(text, look)
        else:
            self._put(text, look)
        self._blank = text[-1:] in (" ", "\n", _NO_BREAK)
        self.broken = self._empty = text.endswith("\n")

    def _say_prefixed(self, text: str, look: Look) -> None:
        if self._empty:
            self._put(look.prefix, PLAIN)
        *ended, last = text.split("\n")
        for number, line in enumerate(ended, 1):
            if not self.left:
                return
            self._put(line, look)
            self._put("\n" if number == len(ended) and not last else f"\n{look.prefix}", PLAIN)
        self._put(last, look)

    def end_line(self) -> None:
        """A block begins or ends here."""
        if not self.broken:
            self._due = self.broken = True

    def begin_item(self, sign: str, look: Look) -> None:
        """An item of a list begins here, with `sign`; a block in it begins in the same line."""
        self.say(f"{sign} ", look)
        self.broken = True

    def end_item(self) -> None:
        """An item of a list ends here, and the line, though nothing but its sign was said."""
        if not self._empty:
            self._due = self.broken = True

    def _put(self, text: str, look: Look) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        if size > self.left:
            text = text.encode()[: self.left].decode(errors="ignore")
        self.left -= min(size, self.left)
        if look.fg and look.fg == look.bg:
            self.spans.append(Span(text, look.style | Style.SPOILER, look.link, mention=look.mention))
        else:
            self.spans.append(Span(text, look.style, look.link, look.fg, look.bg, look.mention))

    def hear(self, text: str, look: Look) -> None:
        """Add the text of a text node."""
        if not look.verbatim:
            unseen = self.broken or self._blank
            blanks = _BLANKS.match(text) if unseen else None
            if blanks is not None and not _SOFT.isdisjoint(blanks[0]):
                text = text[blanks.end() :]  # where a blank is not seen, a line break in the markup is only layout
            text = _BLANKS.sub(_softened, text)
            if _NO_BREAK in text:
                text = _WIDE.sub(lambda blanks: " " * len(blanks[0]), text)
                if unseen and text.startswith(_NO_BREAK):
                    text = f" {text[1:]}"
        if text:
            self.say(text, look)


def _softened(blanks: re.Match[str]) -> str:
    return blanks[0] if _SOFT.isdisjoint(blanks[0]) else " "
