"""Reads the Markdown of bots' answers (CommonMark, without HTML and images) as styled text. Pure.

A message in a chat room is not a page: a heading is a bold line, an item a line that begins with a bullet or a number,
a quotation a line that begins with `>`. HTML stays as it was written.
"""

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bridge.model.text import Span, Style, Text, merge

LIMIT = 4000
"""Characters that are read. The work is bounded by their square."""
_CUT = "…"
_PARSER = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("strikethrough").disable("image")
_STYLES = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRIKE}
_SAFE = ("https://", "http://", "mailto:", "matrix:", "ircs://", "irc://")


def read(markdown: str) -> Text:
    """The styled text of `markdown`; what is longer than `LIMIT` is cut."""
    text = markdown if len(markdown) <= LIMIT else markdown[: LIMIT - 1] + _CUT
    return _trimmed(merge(_blocks(_PARSER.parse(text))))


def _blocks(tokens: Sequence[Token]) -> Iterator[Span]:
    """The blocks, each on lines of its own."""
    prefixes: list[str] = []
    numbers: list[int | None] = []
    heading, is_first, marker = False, True, ""
    for token in tokens:
        match token.type:
            case "bullet_list_open":
                numbers.append(None)
            case "ordered_list_open":
                numbers.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                numbers.pop()
            case "list_item_open":
                marker, numbers[-1] = _marker(numbers)
            case "blockquote_open":
                prefixes.append("> ")
            case "blockquote_close":
                prefixes.pop()
            case "heading_open" | "heading_close":
                heading = token.type == "heading_open"
            case "inline" | "fence" | "code_block" | "hr":
                lead = "".join(prefixes) + (marker or "  " * len(numbers))
                marker = ""
                yield Span(("" if is_first else "\n") + lead)
                yield from _inside(token, heading=heading, lead="".join(prefixes) + "  " * len(numbers))
                is_first = False


def _marker(numbers: Sequence[int | None]) -> tuple[str, int | None]:
    """What an item begins with, and the number of the next one."""
    indent, number = "  " * (len(numbers) - 1), numbers[-1]
    return (f"{indent}• ", None) if number is None else (f"{indent}{number}. ", number + 1)


def _inside(token: Token, *, heading: bool, lead: str) -> Iterator[Span]:
    """What is said in a block. Its further lines begin with `lead`."""
    if token.type == "hr":
        yield Span("―――")
    elif token.type == "inline":
        yield from _spans(token.children or (), Style.BOLD if heading else Style.PLAIN, lead)
    else:
        code = token.content.rstrip("\n").split("\n")
        for number, line in enumerate(code):
            yield Span(f"\n{lead}" if number else "")
            yield Span(line, Style.MONO)


def _spans(tokens: Sequence[Token], style: Style, lead: str) -> Iterator[Span]:
    link: str | None = None
    for token in tokens:
        kind, _, end = token.type.partition("_")
        if kind in _STYLES:
            style = style | _STYLES[kind] if end == "open" else style & ~_STYLES[kind]
        elif kind == "link":
            link = _safe(str(token.attrGet("href") or "")) if end == "open" else None
        elif token.type in ("softbreak", "hardbreak"):
            yield Span(f"\n{lead}", style)
        else:
            yield Span(token.content, style | (Style.MONO if token.type == "code_inline" else Style.PLAIN), link)


def _safe(address: str) -> str | None:
    return address if address.lower().startswith(_SAFE) else None


def _trimmed(text: Text) -> Text:
    """`text` without empty lines at its end."""
    if not text:
        return text
    *before, last = text
    shown = last.text.rstrip()
    return (*before, last.with_text(shown)) if shown else tuple(before)
