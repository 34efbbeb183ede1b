"""Turns styled text into plain text: signs stand for spoilers and code, and links are spelled out. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from bridge.model.address import is_address_of
from bridge.model.text import LINE_END, Span, Style, Text, lines, merge, plain, printable, untabbed

_FENCE = "||"
_TICK = "`"
_SIGNED = Style.MONO | Style.SPOILER


def readable(text: Text) -> str:
    """`text` as plain text, in lines that end with LF: as `spelled_out`, and without control characters."""
    if not any(span.link or span.style & _SIGNED for span in text):
        return "\n".join(map(_bare, LINE_END.split(plain(text))))
    return "\n".join(_bare(plain(spelled_out(line))) for line in lines(text))


def spelled_out(line: Text) -> Text:
    """`line` with its links as words: "text (url)", or the text alone if it has the address. Spoilers are between
    `||`, and code between backticks, unless all of the line is code."""
    spans: list[Span] = []
    for link, group in groupby(line, key=lambda span: span.link):
        shown = [*group]
        spans += _spelled([replace(span, link=None) for span in shown], link) if link else shown
    return _fenced(_ticked(merge(spans)))


def _bare(line: str) -> str:
    return line if line.isprintable() else printable(untabbed(line))


def _spelled(shown: list[Span], link: str) -> list[Span]:
    words = plain(tuple(shown)).strip()
    if is_address_of(words, link):
        # an address with blanks for their escapes could not be followed
        return [shown[0].with_text(link)] if " " in words else shown
    if link in words.split():
        return shown
    last = shown[-1]
    text = last.text.rstrip()
    after = last.text[len(text) :]
    return [*shown[:-1], last.with_text(text), Span(f" ({link}){after}", last.style & Style.SPOILER)]


def _ticked(words: Text) -> Text:
    """`words` with backticks around code, unless all of the line is code. IRC has a formatting code for it, but
    irssi shows it as a sign that nobody understands."""
    if not any(span.style & Style.MONO for span in words):
        return words
    every = all(span.style & Style.MONO or not span.text.strip() for span in words)
    return merge(_between(words, Style.MONO, _TICK if not every else ""))


def _between(words: Text, style: Style, sign: str) -> Iterator[Span]:
    """`words` without `style`, and with `sign` before and after each part that has it."""
    for has_style, group in groupby(words, key=lambda span: bool(span.style & style)):
        shown = [replace(span, style=span.style & ~style) for span in group]
        tick = [shown[0].with_text(sign)] if has_style and sign else []
        yield from (*tick, *shown, *tick)


def _fenced(words: Text) -> Text:
    """`words` with a sign before and after each spoiler, for places without colours: there, colours do not hide it."""
    if not any(span.style & Style.SPOILER for span in words):
        return words
    spans: list[Span] = []
    for hidden, group in groupby(words, key=lambda span: bool(span.style & Style.SPOILER)):
        fence = (Span(_FENCE),) if hidden else ()
        spans += (*fence, *group, *fence)
    return merge(spans)
