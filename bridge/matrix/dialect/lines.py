"""The words of a message as marked lines, plain and in HTML, each small enough for a post."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

import regex

from bridge.matrix.dialect.html import safe_link, write
from bridge.model.text import Span, Style, Text, lines, merge, plain, printable, untabbed

LARGEST = 40 * 1024
"""Most bytes of a post's words in JSON, plain and HTML together: an event may have 65,536 bytes (spec, "Size limits")
with what the homeserver adds."""
_PIECE = 15 * 1024
"""Most bytes of one line, as HTML in JSON: it fits a post as plain text and HTML with a mark."""
_STYLED = 20 * 1024
"""Most bytes of a line as HTML; beyond it the words go out without their styles."""
_COVER = "[spoiler]"
"""What the plain text has for the words of a spoiler: notifications show it (spec, "Spoiler messages")."""
_MARK = 200
"""Most characters of a mark; a longer name is cut."""
_HUGE = 64
"""A grapheme of more code points may be cut: nothing that people write has as many."""
_BREAKS = len("\\n<br>")
_GRAPHEME = regex.compile(r"\X")
_RUN = regex.compile(r".{1,200}\s{1,9}+|\X{1,200}", regex.DOTALL)
"""What is not cut unless it is too heavy: looking at each grapheme of a long line takes a third of a second."""
_HEAVY = 4 * 1024
"""Bytes of a run that is cut after all: it has graphemes of many code points."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a post, and how many bytes of JSON it takes; `html` is None if it says no more than `body`."""

    body: str
    html: str | None
    size: int

    @property
    def markup(self) -> str:
        """The line as HTML."""
        return write((Span(self.body),)) if self.html is None else self.html


@dataclass(frozen=True, slots=True)
class Mark:
    """What each line begins with: a time, if the message comes late, and who said it. `hides`: clients that show a
    profile leave the name out (MSC4144)."""

    when: str = ""
    who: str = ""
    hides: bool = False

    @classmethod
    def of(cls, when: str, mark: str, *, hides: bool = False) -> "Mark":
        """`mark`: `<alice> `, or `* alice ` before an action; '' for none. A name that is too long is cut."""
        who = printable(mark)
        if len(who) > _MARK:
            who = f"{who[: _MARK - 3]}…> " if who.startswith("<") else f"{who[: _MARK - 2]}… "
        return cls(when, encodable(who), hides and who.startswith("<"))

    @property
    def html(self) -> str:
        """The mark with the name in bold."""
        name = self.who.removesuffix(" ")
        if self.hides:  # clients look for this very form, with the colon
            return f"{self.when}<strong data-mx-profile-fallback>{escape(name)}: </strong>"
        before = "* " if name.startswith("* ") else ""
        return self.when + write((Span(before), Span(name.removeprefix(before), Style.BOLD), Span(" "))) if name else ""

    @property
    def alone(self) -> Line:
        """The line of an action without words."""
        body = (self.when + self.who).rstrip()
        return Line(body, None, 2 * _weight(write((Span(body),))))


def marked(mark: Mark, text: Text) -> Iterator[Line]:
    """The lines of `text` that say something, each after `mark`."""
    for line in lines(text):
        spoken = merge(_clean(span) for span in line)
        if plain(spoken).strip():
            yield from (_marked(mark, piece) for piece in _pieces(spoken))


def shares(said: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """`said` in runs that each fit one post."""
    share: list[Line] = []
    used = 0
    for line in said:
        if share and used + line.size > LARGEST:
            yield share
            share, used = [], 0
        share.append(line)
        used += line.size
    yield share


def size(said: Sequence[Line]) -> int:
    return sum(line.size for line in said)


def encodable(text: str) -> str:
    """`text` with a question mark for each lone surrogate, which has no UTF-8."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _pieces(line: Text) -> Iterator[Text]:
    """`line` in parts that each fit, cut after white space, else between graphemes, else between code points."""
    if _weight(write((Span(plain(line)),))) <= _PIECE:
        yield line
        return
    piece: list[Span] = []
    used = cut = 0
    for span in _units(line):
        weight = _weight(write((Span(span.text),)))
        if used + weight > _PIECE:
            cut = cut or len(piece)
            yield merge(piece[:cut])
            piece, cut = piece[cut:], 0
            used = sum(_weight(write((Span(rest.text),))) for rest in piece)
        piece.append(span)
        used += weight
        if span.text[-1:].isspace():
            cut = len(piece)
    yield merge(piece)


def _units(line: Text) -> Iterator[Span]:
    for span in line:
        for run in _RUN.findall(span.text):
            parts = (run,) if _weight(write((Span(run),))) <= _HEAVY else _cut(run)
            yield from (span.with_text(part) for part in parts)


def _cut(run: str) -> Iterator[str]:
    for grapheme in _GRAPHEME.findall(run):
        yield from (grapheme[at : at + _HUGE] for at in range(0, len(grapheme), _HUGE))


def _clean(span: Span) -> Span:
    link = safe_link(span.link) if span.link else None
    return replace(span, text=encodable(printable(untabbed(span.text))), link=link and encodable(printable(link)))


def _marked(mark: Mark, words: Text) -> Line:
    body = mark.when + mark.who + _covered(words)
    if not mark.who and all(span.is_plain for span in words):
        return Line(body, None, 2 * _weight(write((Span(body),))))
    html = mark.html + _written(words)
    return Line(body, html, _weight(body) + _weight(html) + _BREAKS)


def _written(words: Text) -> str:
    """`words` as HTML; without styles and links if they take too much, but spoilers stay spoilers."""
    if _weight(html := write(words)) <= _STYLED:
        return html
    if _weight(html := write(merge(Span(span.text, span.style & Style.SPOILER) for span in words))) <= _STYLED:
        return html
    return write((Span(plain(words), Style.SPOILER if _hides(words) else Style.PLAIN),))


def _covered(words: Text) -> str:
    """`words` without the words of spoilers."""
    if not _hides(words):
        return plain(words)
    parts = groupby(words, lambda span: bool(span.style & Style.SPOILER))
    body = "".join(_COVER if hidden else plain(tuple(group)) for hidden, group in parts)
    return body if _weight(body) <= _STYLED else _COVER


def _hides(words: Text) -> bool:
    return any(span.style & Style.SPOILER for span in words)


def _weight(text: str) -> int:
    """Bytes of `text`, which has no control characters, in JSON."""
    return len(text.encode()) + text.count('"') + text.count("\\")
