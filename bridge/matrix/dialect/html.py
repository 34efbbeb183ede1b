"""The HTML of Matrix messages to styled spans, and back: what a span cannot express is dropped."""

import re
from dataclasses import dataclass, field, replace
from html import escape
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from bridge.model import identifiers
from bridge.model.text import Span, Style, Text, merge

FORMAT = "org.matrix.custom.html"
LIMIT = 64 * 1024
"""Most bytes (UTF-8) of a text: no event is bigger (spec, "Size limits"), but list numbers could make one so."""

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
    **dict.fromkeys(("code", "pre", "tt"), Style.MONO),
}
_TAGS = (
    (Style.SPOILER, "span data-mx-spoiler", "span"),
    (Style.BOLD, "strong", "strong"),
    (Style.ITALIC, "em", "em"),
    (Style.UNDERLINE, "u", "u"),
    (Style.STRIKE, "del", "del"),
    (Style.MONO, "code", "code"),
)
_BLOCKS = frozenset(
    ("p", "div", "li", "ul", "ol", "blockquote", "pre", "table", "tr", "hr", "details", "summary", *_HEADINGS)
)
_UNSAID = frozenset(("script", "style", "mx-reply", "head", "title", "template", "noscript", "iframe", "textarea"))
_NUMBER = re.compile(r"-?[0-9]{1,6}")
_DEEPEST = 5
"""Quotations and lists inside each other that are shown as such."""
_SCHEMES = (
    "bitcoin|geo|im|irc6?|ircs|magnet|mailto|matrix|mms|news|nntp|openpgp4fpr|sips?|sms|smsto|ssh|tel|urn|webcal|xmpp"
)
"""Schemes of links to people, rooms and things, as Matrix clients allow them; none of them can run a script."""
_LINK = re.compile(rf"(?:(?:https?|s?ftps?|gemini|gopher)://|(?:{_SCHEMES}):)[^\s\x00-\x20\x7f]+", re.IGNORECASE)
_BLANKS = re.compile("[ \t\n\r\f]+")
_SOFT = frozenset("\n\r\f")
"""White space with one of these only lays out the markup. Blanks and tabs alone are left as they are."""
_NO_BREAK = "\u00a0"
_WIDE = re.compile(f"[ {_NO_BREAK}]{{2,}}")
"""Several blanks, which HTML shows only if they do not break."""
_RUN = re.compile(" +")
_PILL = re.compile(r"(?:https?://matrix\.to/#/|matrix:u/)(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Read:
    """What a piece of HTML says, and the Matrix ids of the people that it links ("pills")."""

    text: Text
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Look:
    style: Style = Style.PLAIN
    link: str | None = None
    verbatim: bool = False
    unsaid: bool = False
    quotes: int = 0
    """How many quotations it is in, as far as they are shown."""
    lists: int = 0


@dataclass(slots=True)
class _Reader:
    by_id: bool = False
    spans: list[Span] = field(default_factory=list)
    people: set[str] = field(default_factory=set)
    left: int = LIMIT
    broken: bool = True
    """Whether the next text begins a line already."""
    numbers: dict[int, int] = field(default_factory=dict)
    """Items so far of each numbered list, by its id: counting them again for each takes quadratic time."""
    due: bool = False
    """Whether a line must end before the next text."""
    empty: bool = True
    """Whether nothing was said in this line yet."""

    def say(self, text: str, look: _Look) -> None:
        if self.due:
            self.due, self.empty = False, True
            self._put("\n", _Look())
        quoted = "> " * look.quotes
        if quoted and self.empty:
            self._put(quoted, _Look())
        *ended, last = text.split("\n") if quoted else (text,)
        for line in ended:
            self._put(line, look)
            self._put(f"\n{quoted if last or line is not ended[-1] else ''}", _Look())
        self._put(last, look)
        self.broken = self.empty = text.endswith("\n")

    def end_line(self) -> None:
        """A block begins or ends here."""
        if not self.broken:
            self.due = self.broken = True

    def _put(self, text: str, look: _Look) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        if size > self.left:
            text = text.encode()[: self.left].decode(errors="ignore")
        self.left -= min(size, self.left)
        self.spans.append(Span(text, look.style, look.link))

    def hear(self, text: str, look: _Look) -> None:
        if look.unsaid:
            return
        if not look.verbatim:
            blanks = _BLANKS.match(text) if self.broken else None
            if blanks is not None and not _SOFT.isdisjoint(blanks[0]):
                text = text[blanks.end() :]  # at the beginning of a line, a line break in the markup is only layout
            text = _BLANKS.sub(_softened, text)
            if _NO_BREAK in text:
                text = _WIDE.sub(lambda blanks: " " * len(blanks[0]), text)
        if text:
            self.say(text, look)

    def enter(self, node: LexborNode, tag: str, look: _Look) -> _Look:
        """Add the text of `node` itself, and return the look of its content."""
        if tag in _BLOCKS:
            self.end_line()
        if tag == "br":
            self.say("\n", look)
        elif tag == "img":
            self.say(node.attributes.get("alt") or node.attributes.get("title") or "[image]", look)
        elif tag == "li":
            self.say("  " * (look.lists - 1) + self._bullet(node), look)
            self.broken = True
        elif tag in ("td", "th") and not self.broken:
            self.say(" | ", look)
        elif tag == "sup":
            self.say("^", look)
        return self._look(node, tag, look)

    def _bullet(self, item: LexborNode) -> str:
        parent = item.parent
        if parent is None or parent.tag != "ol":
            return "• "
        value = _whole(item, "value")
        if value is None:
            before = self.numbers.get(parent.mem_id)
            first = _whole(parent, "start")
            value = before + 1 if before is not None else 1 if first is None else first
        self.numbers[parent.mem_id] = value
        return f"{value}. "

    def _look(self, node: LexborNode, tag: str, look: _Look) -> _Look:
        style = _STYLES.get(tag)
        if style is not None:
            return replace(look, style=look.style | style, verbatim=look.verbatim or tag == "pre")
        if tag == "span" and "data-mx-spoiler" in node.attributes:
            if reason := node.attributes["data-mx-spoiler"]:
                self.say(f"({reason}) ", look)
            return replace(look, style=look.style | Style.SPOILER)
        if tag == "blockquote":
            return replace(look, quotes=min(look.quotes + 1, _DEEPEST))
        if tag in ("ul", "ol"):
            return replace(look, lists=min(look.lists + 1, _DEEPEST))
        if tag == "a":
            return self._linked(node.attributes.get("href") or "", look)
        return look

    def _linked(self, href: str, look: _Look) -> _Look:
        person = _person(href.strip())
        if person is None:
            return replace(look, link=safe_link(href.strip()))
        if not look.quotes:  # who is only quoted is not spoken to
            self.people.add(person)
        if not self.by_id or not _is_id(person):
            return replace(look, link=None)
        self.say(person, look)
        return replace(look, unsaid=True)


def _whole(node: LexborNode, name: str) -> int | None:
    """The whole number in an attribute; None if there is none, or one that no list of people has."""
    written = node.attributes.get(name) or ""
    return int(written) if _NUMBER.fullmatch(written) else None


def _softened(blanks: re.Match[str]) -> str:
    return blanks[0] if _SOFT.isdisjoint(blanks[0]) else " "


def _person(href: str) -> str | None:
    """The Matrix id that a link to a person ("pill") names, as it is written."""
    pill = _PILL.fullmatch(href)
    if pill is None:
        return None
    person = unquote(pill[1]).partition("?")[0]
    if href[0] in "mM":
        return f"@{person}"
    return person if person.startswith("@") and "/" not in person else None


def _is_id(person: str) -> bool:
    try:
        return bool(identifiers.matrix_user(person))
    except ValueError:
        return False


def read(html: str, *, by_id: bool = False) -> Read | None:
    """The text that `html` shows to a reader (spec, "m.room.message msgtypes"); None if it has more tags or attributes
    than people write. With `by_id`, linked people are named by their ids. Never raises."""
    if html.count("<") > _TAG_LIMIT or _is_overloaded(html):
        return None
    reader = _Reader(by_id)
    # In a <body>: the parser drops white space at the beginning of a document
    body = LexborHTMLParser(f"<body>{html}").body
    ahead: list[tuple[LexborNode | None, _Look, bool]] = [(body and body.child, _Look(), False)]
    while ahead and reader.left:
        node, look, block = ahead.pop()
        if node is None:
            if block:
                reader.end_line()
            continue
        ahead.append((node.next, look, block))
        tag = node.tag or ""
        if tag == "-text":
            reader.hear(node.text_content or "", look)
        elif tag not in _UNSAID:
            ahead.append((node.child, reader.enter(node, tag, look), tag in _BLOCKS))
    return Read(merge(reader.spans), frozenset(reader.people))


def _is_overloaded(html: str) -> bool:
    if sum(map(html.count, " \t\n\r\f/=\"'")) <= _FEW_ATTRIBUTES:
        return False
    return any(_TAG.match(html, tag.start()) is None for tag in _TAG_START.finditer(html))


def write(text: Text) -> str:
    """`text` as HTML, every character escaped. Its spans must have no control characters but newlines. Blanks that HTML
    would not show, in a row or at the beginning of a line, become no-break spaces."""
    parts: list[str] = []
    unseen = True  # a blank that comes now would not be shown
    for span in text:
        parts.append(_tagged(replace(span, text=_widened(span.text, unseen=unseen))))
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


def safe_link(url: str) -> str | None:
    """`url` if it may be offered to a reader: one of a web page, a file, a person or a room; else None."""
    return url if _LINK.fullmatch(url) else None


def _tagged(span: Span) -> str:
    html = escape(span.text).replace("\n", "<br>")
    if span.style:
        for style, opening, closing in _TAGS:
            if span.style & style:
                html = f"<{opening}>{html}</{closing}>"
    link = span.link and safe_link(span.link)
    return f'<a href="{escape(link)}">{html}</a>' if link else html
