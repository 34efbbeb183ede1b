"""The text of a message as styled spans, independent of any network's markup."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntFlag


class Style(IntFlag):
    """How a span looks; only styles that our networks can show."""

    PLAIN = 0
    BOLD = 1
    ITALIC = 2
    UNDERLINE = 4
    STRIKE = 8
    MONO = 16
    SPOILER = 32


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style.

    `text` may hold newlines. `link` is an absolute URL that may be offered to a reader. `fg` and `bg` are the colours
    of the text and behind it, as `#rrggbb` in lower case; empty: the reader's own. `mention` is the address of the
    person whom the text names, a Matrix id; empty: it names nobody.
    """

    text: str
    style: Style = Style.PLAIN
    link: str | None = None
    fg: str = ""
    bg: str = ""
    mention: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether its text is all there is to it."""
        return self.style is Style.PLAIN and not (self.link or self.fg or self.bg or self.mention)

    def with_text(self, text: str) -> "Span":
        """Another text that looks the same. Much faster than `dataclasses.replace`."""
        return Span(text, self.style, self.link, self.fg, self.bg, self.mention)


Text = tuple[Span, ...]

# Bidirectional controls and the separators that some clients show as a new line can make a line look like somebody
# else's (Unicode TR36, TR9); fillers and tags can make a name look like another. ZWJ and variation selectors stay:
# emoji need them.
_DECEPTIVE = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u206f\u3164\uffa0\U000e0000-\U000e007f]"
)
_JOINING = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_AT_ONCE = 1000
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What a client may show as a new line."""
_TAB = " " * 4
"""A tab, where it would be shown as one blank, as two signs, or not at all."""
_NAME_BRACKETS = str.maketrans({"<": "‹", ">": "›"})
_SINGLE_QUOTES = str.maketrans({'"': "'", "“": "‘", "”": "’", "„": "‚", "«": "‹", "»": "›", "\uff02": "'"})
_BRACKETS = re.compile(r"[()\[\]{}]")
_SENTENCE = re.compile(
    r"[,;\"“”„«»\uff02\u2800]|[:.!?…]\s|(?<!\S)(?:and|are|by|deleted|has|have|is|others|reacted|was|were)(?!\S)",
    re.IGNORECASE,
)
"""What no name has that is no sentence, or looks like a blank."""
_LONG_NAME = 3
"""Blanks in a name that is more likely a sentence."""
REASON_LIMIT = 200
"""Characters of a quoted reason at most: enough for a sentence or two."""
NAME_LIMIT = 64
"""Characters of a shown name at most: a name may not push the message out of the line."""


def words(text: str, style: Style = Style.PLAIN) -> Text:
    """`text` as one span; no span if it is empty."""
    return (Span(text, style),) if text else ()


def plain(text: Text) -> str:
    """The text without styles and link targets."""
    return "".join(span.text for span in text)


def merge(spans: Iterable[Span]) -> Text:
    """Merge neighbouring spans that differ in their text only, and leave out empty ones."""
    merged: list[Span] = []
    texts: list[str] = []  # of the spans that become merged[-1]
    for span in spans:
        if not span.text:
            continue
        if merged and _is_alike(merged[-1], span):
            texts.append(span.text)
            continue
        if len(texts) > 1:
            merged[-1] = merged[-1].with_text("".join(texts))
        merged.append(span)
        texts = [span.text]
    if len(texts) > 1:
        merged[-1] = merged[-1].with_text("".join(texts))
    return tuple(merged)


def _is_alike(one: Span, other: Span) -> bool:
    return (
        one.style is other.style
        and one.link == other.link
        and one.fg == other.fg
        and one.bg == other.bg
        and one.mention == other.mention
    )


def without_beginning(text: Text, length: int) -> Text:
    """`text` without its first `length` characters."""
    spans: list[Span] = []
    for span in text:
        left = span.text[length:]
        length = max(0, length - len(span.text))
        if left:
            spans.append(span if left == span.text else span.with_text(left))
    return tuple(spans)


def lines(text: Text) -> Iterator[Text]:
    """The lines of `text`, split at LF, CR LF, CR and every other character that a client may show as a new line."""
    current: list[Span] = []
    for span in text:
        first, *rest = LINE_END.split(span.text)
        current.append(span.with_text(first) if rest else span)
        for part in rest:
            yield merge(current)
            current = [span.with_text(part)]
    yield merge(current)


def untabbed(text: str) -> str:
    """`text` with four blanks for each tab."""
    return text.replace("\t", _TAB)


def printable(text: str) -> str:
    """`text` without control and bidirectional characters: safe to show in one line."""
    return _DECEPTIVE.sub("", _CONTROL.sub(" ", text))


def one_line(text: str, limit: int = REASON_LIMIT) -> str:
    """`text` made `printable` and cut to `limit` characters: for quoting a server or a stranger in our own messages,
    where a second line would seem to be ours."""
    return printable(text)[:limit]


def visible(text: str) -> str:
    """`text` without invisible and bidirectional characters; line breaks stay."""
    return text if text.isascii() else _INVISIBLE.sub("", _DECEPTIVE.sub(_seen, text))


def folded(text: str) -> str:
    """A key that is equal for texts that look alike: full width and other compatibility forms as plain ones (NFKC),
    without invisible characters, joiners and variation selectors, case folded. Line breaks stay."""
    if text.isascii():
        return text.casefold()
    return _JOINING.sub("", visible(unicodedata.normalize("NFKC", text))).casefold()


def lookalike(name: str) -> str:
    """A key that is equal for names that look alike; see `folded`. Blanks around it and in a row do not count."""
    return " ".join(folded(name).split())


def says_nothing(text: str) -> bool:
    """Whether nobody would see anything of it: blanks, control and invisible characters alone."""
    seen = visible(text).strip()
    pieces = (seen[at : at + _AT_ONCE] for at in range(0, len(seen), _AT_ONCE))
    return not any(any(map(_is_seen, folded(piece))) for piece in pieces)


def _is_seen(sign: str) -> bool:
    """Whether `sign` leaves something to see. The empty Braille pattern is a symbol, and blank."""
    return unicodedata.category(sign) not in ("Cc", "Cf", "Zs", "Zl", "Zp") and sign != "\u2800"


def _seen(match: re.Match[str]) -> str:
    return "\n" if match[0] in "\u2028\u2029" else ""


def shown_name(name: str, fallback: str) -> str:
    """A safe display name: visible, in one line, without `<>`, not empty, and at most `NAME_LIMIT` characters."""
    return _name(name) or _name(fallback) or "?"


def in_quotes(text: str) -> str:
    """`text` in quotation marks, which it cannot close: its own become single ones."""
    return f'"{unquoted(text)}"'


def unquoted(text: str) -> str:
    """`text` with single quotation marks for its double ones."""
    return text.translate(_SINGLE_QUOTES)


def in_brackets(text: str) -> str:
    """`text` in brackets, and in quotation marks, too, if a bracket in it would seem to close them: `bye); bob (x`."""
    return f"({text})" if _is_balanced(text) else f"({in_quotes(text)})"


def as_name(name: str) -> str:
    """A shown `name` as part of a sentence of ours: in quotation marks if it would read like more than a name, such as
    `alice has left; bob`."""
    is_sentence = _SENTENCE.search(name) or name.count(" ") >= _LONG_NAME or (" " in name and not _is_balanced(name))
    return in_quotes(name) if is_sentence else name


def _is_balanced(text: str) -> bool:
    """Whether each closing bracket in `text` has one that opens before it, and the other way round."""
    depth = 0
    for sign in _BRACKETS.findall(text):
        depth += 1 if sign in "([{" else -1
        if depth < 0:
            return False
    return depth == 0


def _name(name: str) -> str:
    visible = _INVISIBLE.sub("", printable(name)).translate(_NAME_BRACKETS)
    return "" if says_nothing(visible) else " ".join(visible.split())[:NAME_LIMIT].rstrip()


def addressed(text: str, names: Iterable[str]) -> str | None:
    """The rest of `text` if it begins with one of `names` ("duck: hi", "@duck hi", "Duck, hi"), else None.

    Letter case does not matter; white space, a colon, a comma or the end must follow the name.
    """
    for name in names:
        match = re.match(rf"\s*@?{re.escape(name)}(?:[:,]\s*|\s+|$)", text, re.IGNORECASE)
        if name and match:
            return text[match.end() :].strip()
    return None
