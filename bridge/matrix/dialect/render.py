"""Our events to Matrix messages: renders what is owed to a room as posts that no homeserver finds too large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import assert_never

import regex

from bridge.matrix.dialect.html import FORMAT, safe_link, write
from bridge.matrix.dialect.operations import React, Say, encode
from bridge.model.attribution import mark, spoken, stamp
from bridge.model.event import Edit, Event, Kind, Membership, Message, Reaction, Redaction, Topic
from bridge.model.outbox import Owed, Post
from bridge.model.text import Span, Style, Text, lines, merge, plain, printable, untabbed
from bridge.network import PermanentError

_LARGEST = 40 * 1024
"""Most bytes of a post's words in JSON, plain and HTML together: an event may have 65,536 bytes (spec, "Size limits")
with what the homeserver adds."""
_PIECE = 15 * 1024
"""Most bytes of one line, as HTML in JSON: it fits a post as plain text and HTML with a mark."""
_STYLED = 20 * 1024
"""Most bytes of a line as HTML; beyond it the words go out without their styles."""
_JOINED = 16 * 1024
"""Most bytes of a post of several deliveries, of which there are at most `_AT_ONCE`: no wall of text."""
_AT_ONCE = 20
_COVER = "[spoiler]"
"""What the plain text has for the words of a spoiler: notifications show it (spec, "Spoiler messages")."""
_MARK = 200
"""Most characters of a mark; a longer name is cut."""
_HUGE = 64
"""A grapheme of more code points may be cut: nothing that people write has as many."""
_KEY = 100
"""Most characters of a reaction: clients show few."""
_BREAKS = len("\\n<br>")
_GRAPHEME = regex.compile(r"\X")
_RUN = regex.compile(r".{1,200}\s{1,9}+|\X{1,200}", regex.DOTALL)
"""What is not cut unless it is too heavy: looking at each grapheme of a long line takes a third of a second."""
_HEAVY = 4 * 1024
"""Bytes of a run that is cut after all: it has graphemes of many code points."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a post, and how many bytes of JSON it takes; `html` is None if it says no more than `body`."""

    body: str
    html: str | None
    size: int


def render(owed: Sequence[Owed]) -> Sequence[Post]:
    """Posts for `owed`, in order, up to the first delivery that cannot be shown; if that is the head, raises
    PermanentError. Consecutive messages of one sender become one post."""
    posts: list[Post] = []
    group: list[Owed] = []
    said: list[_Line] = []
    for item in owed:
        try:
            spoken = [*_lines(item)]
        except PermanentError:
            if not group:
                raise
            break
        if not spoken:
            break
        if group and not (_alike(group, item) and _size(said) + _size(spoken) <= _JOINED):
            posts += _posts(group, said)
            group, said = [], []
        group.append(item)
        said += spoken
    if not group:
        raise PermanentError("the message has no words that Matrix can show")
    return [*posts, *_posts(group, said)]


def _alike(group: Sequence[Owed], item: Owed) -> bool:
    """Whether `item` may share a post with `group`. An event that refers to another has a post of its own."""
    last, event = group[-1].event, item.event
    if not (isinstance(last.body, Message) and isinstance(event.body, Message)):
        return False
    same = (last.sender, last.private, last.origin) == (event.sender, event.private, event.origin)
    return (
        same
        and last.body.kind == event.body.kind
        and not (_refers(group[0]) or _refers(item))
        and len(group) < _AT_ONCE
    )


def _refers(item: Owed) -> bool:
    """Whether it refers to an event that is known in the room."""
    return any(item.ids_of(key) for key in item.event.refers)


def _posts(group: Sequence[Owed], said: Sequence[_Line]) -> Iterator[Post]:
    first = group[0]
    deliveries = tuple(item.delivery for item in group)
    body = first.event.body
    if isinstance(body, Reaction):
        reaction = React(first.ids_of(body.target)[0], body.key[:_KEY])
        yield Post.of(first.room, deliveries, 0, encode(reaction))
        return
    assert isinstance(body, Message | Edit)  # `_lines` refuses all others
    ids = first.ids_of(body.target if isinstance(body, Edit) else body.reply_to)
    for part, share in enumerate(_shares(said)):
        content = _content(first.event, spoken(body), share)
        if part == 0 and ids:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": ids[0]}}
        yield Post.of(first.room, deliveries, part, encode(Say(content)))


def _content(event: Event, message: Message, said: Sequence[_Line]) -> dict[str, object]:
    content: dict[str, object] = {
        "msgtype": "m.notice" if message.kind is Kind.NOTICE else "m.text",
        "body": "\n".join(line.body for line in said),
        "m.mentions": {},  # carried messages mention nobody
    }
    if event.private and message.kind is Kind.ACTION:
        content["msgtype"] = "m.emote"
    if any(line.html is not None for line in said):
        content["format"] = FORMAT
        content["formatted_body"] = "<br>".join(write((Span(x.body),)) if x.html is None else x.html for x in said)
    return content


def _shares(said: Sequence[_Line]) -> Iterator[Sequence[_Line]]:
    """`said` in runs that each fit one post."""
    share: list[_Line] = []
    size = 0
    for line in said:
        if share and size + line.size > _LARGEST:
            yield share
            share, size = [], 0
        share.append(line)
        size += line.size
    yield share


def _size(said: Sequence[_Line]) -> int:
    return sum(line.size for line in said)


def _lines(item: Owed) -> Iterator[_Line]:
    match item.event.body:
        case Reaction(target=target) if not item.ids_of(target):
            raise PermanentError("the message that this reaction is for is not known in this room")
        case Message() | Edit() as body:
            yield from _marked_lines(item, spoken(body).text)
        case Reaction(removed=False):
            yield from _marked_lines(item, item.event.text)
        case Redaction() | Reaction() | Membership() | Topic() as body:
            raise PermanentError(f"not supported on Matrix yet: {body.type}")
        case _ as never:
            assert_never(never)


def _marked_lines(item: Owed, text: Text) -> Iterator[_Line]:
    head = printable(mark(item.event))
    if len(head) > _MARK:
        head = f"{head[: _MARK - 3]}…> " if head.startswith("<") else f"{head[: _MARK - 2]}… "
    if not text and isinstance(item.event.body, Message) and item.event.body.kind is Kind.ACTION:  # a bare /me
        body = _encodable(stamp(item) + head).rstrip()
        yield _Line(body, None, 2 * _weight(write((Span(body),))))
    for line in lines(text):
        spoken = merge(_clean(span) for span in line)
        if plain(spoken).strip():
            yield from (_marked(stamp(item), _encodable(head), piece) for piece in _pieces(spoken))


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
            yield from (replace(span, text=part) for part in parts)


def _cut(run: str) -> Iterator[str]:
    for grapheme in _GRAPHEME.findall(run):
        yield from (grapheme[at : at + _HUGE] for at in range(0, len(grapheme), _HUGE))


def _clean(span: Span) -> Span:
    link = safe_link(span.link) if span.link else None
    return replace(span, text=_encodable(printable(untabbed(span.text))), link=link and _encodable(printable(link)))


def _marked(when: str, who: str, words: Text) -> _Line:
    body = when + who + _covered(words)
    if not who and all(span.style is Style.PLAIN and span.link is None for span in words):
        return _Line(body, None, 2 * _weight(write((Span(body),))))
    html = when + _bold(who) + _written(words)
    return _Line(body, html, _weight(body) + _weight(html) + _BREAKS)


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


def _bold(head: str) -> str:
    """The mark with the name in bold."""
    words = head.removesuffix(" ")
    before = "* " if words.startswith("* ") else ""
    return write((Span(before), Span(words.removeprefix(before), Style.BOLD), Span(" "))) if words else ""


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode(errors="replace").decode()


def _weight(text: str) -> int:
    """Bytes of `text`, which has no control characters, in JSON."""
    return len(text.encode()) + text.count('"') + text.count("\\")
