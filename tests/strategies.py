"""What hypothesis makes up: texts as hostile people write them."""

import operator
from html import escape

from hypothesis import strategies as st

from bridge.model.text import Span, Style

_INVISIBLE = " \t\n\r\u00a0\u200b\u2028\u3000\ufe0f"


def runs(chars: str = _INVISIBLE, most: int = 3000) -> st.SearchStrategy[str]:
    """Long runs of one character: blanks and invisible ones made readers of text slow, and lines empty."""
    return st.builds(operator.mul, st.sampled_from(chars), st.integers(1, most))


def with_runs(texts: st.SearchStrategy[str], chars: str = _INVISIBLE) -> st.SearchStrategy[str]:
    """`texts`, and others in which long runs of blanks stand between parts."""
    return texts | st.lists(texts | runs(chars), max_size=6).map("".join)


def colours() -> st.SearchStrategy[str]:
    """No colour, one of IRC's, or any other."""
    known = st.sampled_from(["#ff0000", "#00007f", "#ffffff", "#000000", "#b2ff00", "#131313"])
    return st.just("") | known | st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def looks(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Span]:
    """Spans of `texts` in any styles and colours."""
    return st.builds(Span, texts, st.integers(0, 63).map(Style), st.none(), colours(), colours())


_TAGS = [
    "del",
    "h1",
    "h3",
    "blockquote",
    "p",
    "a",
    "ul",
    "ol",
    "sup",
    "sub",
    "li",
    "b",
    "i",
    "u",
    "strong",
    "em",
    "s",
    "code",
    "hr",
    "br",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "caption",
    "pre",
    "span",
    "img",
    "details",
    "summary",
    "font",
    "mx-reply",
    "script",
    "kbd",
]
_NAMES = [
    "href",
    "start",
    "value",
    "type",
    "reversed",
    "class",
    "alt",
    "title",
    "color",
    "data-mx-color",
    "data-mx-bg-color",
    "data-mx-spoiler",
    "data-mx-maths",
    "data-mx-emoticon",
    "style",
    "onclick",
]
_VALUES = ["", "3", "-1", "a", "I", "#ff0000", "#00FF00", "red", "language-python", ":duck:", "x&#10;y", "&#x2029;<x>"]
_HREFS = ["https://x.example/", "https://matrix.to/#/@bob:hs", "matrix:u/bob:hs", "mailto:a@b.c", "javascript:x", "x"]
_PIECES = [
    "a",
    " ",
    "\n",
    "\r\n",
    "||",
    "> ",
    "<admin> hi",
    "<",
    "</",
    "&",
    "&#x2028;",
    "&#1;",
    "&nbsp;",
    "<!--",
    "</b>",
]
_JUNK = ["<td>", "<li", "\x00", "\x03", "\u202e", "</blockquote>", "<p>"]


def html() -> st.SearchStrategy[str]:
    """Trees of the elements that Matrix knows, and some others, with good and bad attributes; in them any text, long
    runs, and pieces of markup where none belong."""
    texts = st.text(max_size=12).map(escape) | st.sampled_from([*_PIECES, *_JUNK]) | runs(" \n\u00a0x", 200)
    values = st.builds('{}="{}"'.format, st.sampled_from(_NAMES), st.sampled_from(_VALUES))
    attributes = st.lists(values | st.sampled_from(_HREFS).map('href="{}"'.format), max_size=3).map(" ".join)
    tags = st.sampled_from(_TAGS)
    inside = st.lists(st.deferred(lambda: trees), max_size=3).map("".join)
    elements = st.builds("<{0} {1}>{2}</{0}>".format, tags, attributes, inside)
    trees: st.SearchStrategy[str] = (
        texts
        | elements
        | st.builds(operator.mul, elements, st.integers(2, 8))
        | st.builds(_nested, tags, st.sampled_from([2, 150]), texts)
    )
    return st.lists(trees, max_size=5).map("".join)


def _nested(tag: str, deep: int, inside: str) -> str:
    """An element in itself, also far deeper than the 100 levels that the spec allows."""
    return f"<{tag}>" * deep + inside + f"</{tag}>" * deep
