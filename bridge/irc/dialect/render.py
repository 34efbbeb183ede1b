"""Renders our events for IRC: a room's deliveries become frozen posts that fit the server's lines."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import assert_never

from bridge.irc.dialect.address import is_address_of
from bridge.irc.dialect.formatting import parse
from bridge.irc.dialect.split import LEAST, split
from bridge.model.attribution import mark, spoken, stamp
from bridge.model.event import Edit, Kind, Membership, Message, Reaction, Redaction, Topic
from bridge.model.outbox import Owed, Post
from bridge.model.text import Span, Style, Text, lines, merge, plain, printable, untabbed
from bridge.network import PermanentError

_PLAIN = ("", "")
_ACTION = ("\x01ACTION ", "\x01")
_FENCE = "||"
_WIDE = re.compile("[ \u00a0]{2,}")
_LEAST = 64
"""Bytes of a line that are kept for the words, however long the speaker's name."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long our lines may be: `line` bytes with CR LF and without tags. `prefix` bytes of these are the
    `:nick!user@host ` that the server puts before what we wrote when it shows it to others."""

    line: int = 512
    prefix: int = 1 + 32 + 1 + 12 + 1 + 64 + 1

    def budget(self, command: str, target: str) -> int:
        """Bytes left for the text of one line."""
        return self.line - self.prefix - len(f"{command} {target} :\r\n".encode())


@dataclass(frozen=True, slots=True)
class Say:
    """What one post says. The first `head` characters of `text` are the mark that each line of it must begin with."""

    command: str
    target: str
    text: str
    head: int = 0

    def encode(self) -> str:
        fields = {"op": "say", "command": self.command, "target": self.target, "text": self.text, "head": self.head}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def decode(payload: str) -> Say:
    """Read what `Say.encode` wrote, also in earlier versions, which did not name the operation. Raises PermanentError
    for anything else."""
    try:
        fields = json.loads(payload)
    except ValueError:
        fields = None
    match fields:
        case {"op": str(operation)} if operation != "say":
            raise PermanentError(f"the stored message is of a kind that IRC cannot send: {operation!r}")
        case {"command": "PRIVMSG" | "NOTICE" as command, "target": str(target), "text": str(text), **rest}:
            head = rest.get("head", 0)
            return Say(command, target, text, head if isinstance(head, int) else 0)
        case _:
            raise PermanentError("the stored message cannot be read")


def render(owed: Sequence[Owed], limits: Limits) -> Sequence[Post]:
    """Render deliveries in order, each as one or more posts, up to the first that IRC cannot show. Raises
    `PermanentError` if that is the first of `owed`.

    A message becomes as many lines as it needs, at most `Event.max_lines`: of a longer one, the last line says how much
    more there was. The rooms share the flood budget in turn, so a long text delays its own room only.
    """
    posts: list[Post] = []
    for item in owed:
        try:
            said = _bounded(item, limits)
        except PermanentError:
            if not posts:
                raise
            break
        if not said:
            break
        posts += (Post.of(item.room, (item.delivery,), part, one.encode()) for part, one in enumerate(said))
    if not posts:
        raise PermanentError("the message has no words that IRC can show")
    return posts


def refit(said: Say, limits: Limits) -> Iterator[Say]:
    """Split what was rendered under other limits (our nick or host changed) into as many lines as it needs now."""
    if len(said.text.encode()) <= limits.budget(said.command, said.target):
        yield said
        return
    text = said.text
    wrap = _ACTION if text.startswith(_ACTION[0]) else _PLAIN
    words = parse(text.removeprefix(wrap[0]).removesuffix(wrap[1])[said.head :])
    yield from _fitting(said.command, said.target, wrap, text[: said.head], words, limits)


def _says(item: Owed, limits: Limits) -> Iterator[Say]:
    match item.event.body:
        case Message() | Edit() as body:
            yield from _message(item, spoken(body), limits)
        case Redaction() | Reaction() | Membership() | Topic() as body:
            raise PermanentError(f"not supported on IRC yet: {body.type}")
        case _ as never:
            assert_never(never)


def _bounded(item: Owed, limits: Limits) -> list[Say]:
    """The lines of a message. Of one with too many, no more are made than are shown."""
    most, says = item.event.max_lines, _says(item, limits)
    if not most:
        return [*says]
    said = [*islice(says, most + 1)]
    if len(said) <= most:
        return said
    shown = said[: most - 1]
    head = shown[0].text[: shown[0].head]
    left = max(len(plain(item.event.text)) - sum(len(one.text) - one.head for one in shown), 1)
    before, after = _ACTION if shown[0].text.startswith(_ACTION[0]) else _PLAIN
    return [*shown, replace(shown[0], text=f"{before}{head}({left:,} more characters are not shown here){after}")]


def _message(item: Owed, message: Message, limits: Limits) -> Iterator[Say]:
    event = item.event
    command = "NOTICE" if message.kind is Kind.NOTICE else "PRIVMSG"
    wrap = _ACTION if event.private and message.kind is Kind.ACTION else _PLAIN
    head = stamp(item) + _clean(mark(event))
    if not message.text and message.kind is Kind.ACTION:  # a bare /me
        yield Say(command, item.room.id, head.rstrip())
    for line in lines(message.text):
        words = _flat(line)
        if plain(words).strip():
            yield from _fitting(command, item.room.id, wrap, head, words, limits)


def _fitting(command: str, target: str, wrap: tuple[str, str], head: str, words: Text, limits: Limits) -> Iterator[Say]:
    before, after = wrap
    budget = limits.budget(command, target) - len(before + after)
    head = _clipped(head, budget - _LEAST)
    for piece in split(words, max(budget - len(head.encode()), LEAST)):
        yield Say(command, target, before + head + piece + after, len(head))


def _clean(text: str) -> str:
    text = printable(text)
    return text if text.isascii() else text.encode(errors="replace").decode()


def _clipped(head: str, budget: int) -> str:
    """`head`, shortened if its name is too long, with the closing bracket kept."""
    if len(head.encode()) <= budget:
        return head
    ending = "…> " if head.endswith("> ") else "… "
    return head.encode()[: max(budget - len(ending.encode()), 0)].decode(errors="ignore") + ending


def _flat(line: Text) -> Text:
    """`line` without control characters and mentions, its links spelt out: "text (url)", or the text alone if it has
    the address."""
    spans: list[Span] = []
    for link, group in groupby(line, key=lambda span: span.link):
        shown = [Span(_clean(_blank(span.text)), span.style, None, span.fg, span.bg) for span in group]
        if link:
            shown = _spelt(shown, link)
        spans += shown
    return _fenced(merge(spans))


def _blank(text: str) -> str:
    """`text` with blanks for tabs, and for no-break spaces in a row, with which HTML shows blanks that people copy."""
    text = untabbed(text)
    return text if text.isascii() else _WIDE.sub(lambda blanks: " " * len(blanks[0]), text)


def _spelt(shown: list[Span], link: str) -> list[Span]:
    words, address = plain(tuple(shown)).strip(), _clean(link)
    if is_address_of(words, link):
        # an address with blanks for their escapes could not be followed
        return [shown[0].with_text(address)] if " " in words else shown
    if address in words.split():
        return shown
    last = shown[-1]
    text = last.text.rstrip()
    after = last.text[len(text) :]
    return [*shown[:-1], last.with_text(text), Span(f" ({address}){after}", last.style & Style.SPOILER)]


def _fenced(words: Text) -> Text:
    """`words` with a sign before and after each spoiler, for channels and clients without colours: there, colours do
    not hide it."""
    spans: list[Span] = []
    for hidden, group in groupby(words, key=lambda span: bool(span.style & Style.SPOILER)):
        fence = (Span(_FENCE),) if hidden else ()
        spans += (*fence, *group, *fence)
    return merge(spans)
