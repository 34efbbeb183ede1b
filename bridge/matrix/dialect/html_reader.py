"""Reads the HTML of Matrix messages as styled spans: what a span cannot express is written as people would write it in
plain text, or dropped."""

import re
from dataclasses import dataclass
from itertools import groupby

from selectolax.lexbor import LexborHTMLParser, LexborNode

from bridge.matrix.dialect.addresses import is_person, person, safe_link
from bridge.matrix.dialect.html_elements import (
    Numbering,
    colour,
    in_one_line,
    is_one_word,
    named_colour,
    pictured,
    whole,
)
from bridge.matrix.dialect.html_lines import PLAIN, Lines, Look
from bridge.model.text import Span, Style, Text, merge, plain

_TAG_LIMIT = 2000
"""Most tags: if never closed, they take the parser quadratic time, some milliseconds for this many."""

_FEW_ATTRIBUTES = 2000
"""Characters that may part attributes. The parser takes quadratic time for the attributes of one tag: some milliseconds
for this many. Markup with more is only read if its tags are as clients write them."""
_TAG_START = re.compile("<[A-Za-z/]")
_TAG = re.compile(
    r"""<[A-Za-z/][^\s"'<>/=]*+
    (?:[\s/]++(?:[^\s"'<>/=]++(?:\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>=]++))?+)?+){0,50}+>""",
    re.VERBOSE,
)
"""With at most 50 attributes, and without the ways to hide where it ends. Possessive, so it takes linear time."""

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_STYLES = {
    **dict.fromkeys(("b", "strong", "th", *_HEADINGS), Style.BOLD),
    **dict.fromkeys(("i", "em"), Style.ITALIC),
    **dict.fromkeys(("u", "ins"), Style.UNDERLINE),
    **dict.fromkeys(("del", "s", "strike"), Style.STRIKE),
    **dict.fromkeys(("code", "pre", "tt", "kbd", "samp"), Style.MONO),
}
_PARTS = frozenset(("p", "div", *_HEADINGS))
"""Blocks that are parts of a line in the cell of a table."""
_BLOCKS = _PARTS | frozenset(
    ("li", "ul", "ol", "blockquote", "pre", "table", "caption", "tr", "hr", "details", "summary")
)
_FRAMES = frozenset(("table", "thead", "tbody", "tfoot", "tr", "ul", "ol"))
"""Elements that have no text of their own."""
_UNSAID = frozenset(("script", "style", "mx-reply", "head", "title", "template", "noscript", "iframe", "textarea"))
_RULE = "---"
_POWERS = {"sup": "^", "sub": "_"}


@dataclass(frozen=True, slots=True)
class Read:
    """What a piece of HTML says, and the Matrix ids of the people that it links ("pills") outside of quotations."""

    text: Text
    people: frozenset[str]


_Content = tuple[Look, str]
"""The look of what an element contains, and what to say after it, or one of these."""
_BLOCK_END, _ITEM_END = "\n", "\n\n"


class _Reader:
    def __init__(self, *, by_id: bool) -> None:
        self.lines = Lines()
        self.people: set[str] = set()
        self._by_id = by_id
        self._lists: dict[int, Numbering] = {}
        """Of each numbered list, by its id: counting its items again for each takes quadratic time."""
        self._rows: set[int] = set()
        """The ids of the rows of tables that have a cell already."""

    def enter(self, node: LexborNode, tag: str, look: Look) -> _Content | None:
        """Say what comes before the content of `node`. None: its content is not said."""
        after = ""
        if tag in _BLOCKS:
            if look.cell and tag in _PARTS:
                self.lines.gap = True
            else:
                look, after = look._replace(cell=False), _ITEM_END if tag == "li" else _BLOCK_END
                self.lines.end_line()
        match tag:
            case "br" | "hr" | "img":
                self._single(node, tag, look)
            case "li" | "ul" | "ol" | "td" | "th" | "blockquote":
                look = self._structured(node, tag, look)
            case "sup" | "sub" if node.child is not None:
                is_short = is_one_word(node)
                self.lines.say(_POWERS[tag] if is_short else f"{_POWERS[tag]}(", look)
                return look, "" if is_short else ")"
            case "a":
                return self._linked((node.attributes.get("href") or "").strip(), look)
            case "span" | "div" | "font":
                return self._attributed(node, tag, look, after)
        style = _STYLES.get(tag)
        if style is not None:
            look = look._replace(style=look.style | style, verbatim=look.verbatim or tag == "pre")
        return look, after

    def leave(self, after: str, look: Look) -> None:
        """Say what comes after the content of an element."""
        if after == _BLOCK_END:
            self.lines.end_line()
        elif after == _ITEM_END:
            self.lines.end_item()
        elif after:
            self.lines.say(after, look)

    def _single(self, node: LexborNode, tag: str, look: Look) -> None:
        if tag == "img":
            self.lines.say(pictured(node), look)
        elif tag == "hr":
            self.lines.say(_RULE, look)
        elif look.cell:
            self.lines.gap = True
        else:
            self.lines.say("\n", look)

    def _structured(self, node: LexborNode, tag: str, look: Look) -> Look:
        parent = node.parent
        if tag == "li":
            self.lines.begin_item(self._sign(node), look)
            return look.within("  ")
        if tag == "blockquote":
            return look.within("> ")._replace(quoted=True)
        if tag in ("ul", "ol"):
            return look.within("  ") if parent is not None and parent.tag in ("ul", "ol") else look
        row = parent.mem_id if parent is not None else 0
        self.lines.gap = False
        if row in self._rows:
            self.lines.say(" | ", look)
        self._rows.add(row)
        return look._replace(cell=True)

    def _sign(self, item: LexborNode) -> str:
        """What the item of a list begins with."""
        items = item.parent
        if items is None or items.tag != "ol":
            return "•"
        numbering = self._lists.get(items.mem_id)
        if numbering is None:
            numbering = self._lists[items.mem_id] = Numbering.of(items)
        return f"{numbering.next(whole(item.attributes.get('value')))}."

    def _attributed(self, node: LexborNode, tag: str, look: Look, after: str) -> _Content | None:
        """What the attributes of a `span`, a `div` or a `font` say: mathematics, spoilers and colours (spec,
        "Mathematical messages", "Spoiler messages")."""
        attributes = node.attributes
        if latex := in_one_line(attributes.get("data-mx-maths")):
            self.lines.say(f"${latex}$", look)
            self.leave(after, look)
            return None
        fg, bg = colour(attributes.get("data-mx-color")), colour(attributes.get("data-mx-bg-color"))
        if tag == "font" and not fg:
            fg = named_colour(attributes.get("color"))
        if fg or bg:
            look = look._replace(fg=fg or look.fg, bg=bg or look.bg)
        if tag == "span" and "data-mx-spoiler" in attributes:
            if reason := in_one_line(attributes["data-mx-spoiler"]):
                self.lines.say(f"({reason}) ", look)
            look = look._replace(style=look.style | Style.SPOILER)
        return look, after

    def _linked(self, href: str, look: Look) -> _Content | None:
        whom = person(href)
        if whom is None:
            return look._replace(link=safe_link(href), mention=""), ""
        if not look.quoted:  # who is only quoted is not spoken to
            self.people.add(whom)
        if not is_person(whom):
            return look._replace(link=None, mention=""), ""
        look = look._replace(link=None, mention="" if look.quoted else whom)
        if not self._by_id:
            return look, ""
        self.lines.say(whom, look)
        return None


def read(html: str, *, by_id: bool = False) -> Read | None:
    """The text that `html` shows to a reader (spec, "m.room.message msgtypes"); None if it has more tags or attributes
    than people write. With `by_id`, linked people are named by their ids. Never raises."""
    if html.count("<") > _TAG_LIMIT or _is_overloaded(html):
        return None
    reader = _Reader(by_id=by_id)
    # In a <body>: the parser drops white space at the beginning of a document
    body = LexborHTMLParser(f"<body>{html}").body
    ahead: list[tuple[LexborNode | None, Look, str]] = [(body and body.child, PLAIN, "")]
    while ahead and reader.lines.left:
        node, look, after = ahead.pop()
        if node is None:
            reader.leave(after, look)
            continue
        ahead.append((node.next, look, after))
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            if not _is_layout(node, text):
                reader.lines.hear(text, look)
        elif tag not in _UNSAID:
            content = reader.enter(node, tag, look)
            if content is not None:
                ahead.append((node.child, *content))
    return Read(_linked_once(merge(reader.lines.spans)), frozenset(reader.people))


def _is_overloaded(html: str) -> bool:
    if sum(map(html.count, " \t\n\r\f/=\"'")) <= _FEW_ATTRIBUTES:
        return False
    return any(_TAG.match(html, tag.start()) is None for tag in _TAG_START.finditer(html))


def _is_layout(node: LexborNode, text: str) -> bool:
    """Whether the text node `node` only lays out the markup of a list or a table."""
    return text.isspace() and node.parent is not None and node.parent.tag in _FRAMES


def _linked_once(text: Text) -> Text:
    """`text` with each link that goes over several lines in the last of them only: its address is not said again."""
    if not any(span.link and "\n" in span.text for span in text):
        return text
    spans: list[Span] = []
    for link, group in groupby(text, key=lambda span: span.link):
        run = tuple(group)
        cut = plain(run).rstrip().rfind("\n") + 1 if link else 0
        for span in run:
            before, after = span.text[:cut], span.text[cut:]
            cut -= len(before)
            spans += (Span(before, span.style, None, span.fg, span.bg), span.with_text(after))
    return merge(spans)
