"""Renders our events for IRC: a room's deliveries become frozen posts that fit the server's lines."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby, islice
from typing import assert_never

from bridge.irc.dialect.brief import clean as _clean
from bridge.irc.dialect.comings import came_and_went
from bridge.irc.dialect.formatting import parse
from bridge.irc.dialect.names import Names, clipped
from bridge.irc.dialect.notes import deleted, moderated, reacted, topic
from bridge.irc.dialect.operations import Operation, Paste, Say, Voice, encode
from bridge.irc.dialect.paste import pasted
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.quotation import answered_id, lead
from bridge.irc.dialect.split import LEAST, split
from bridge.irc.dialect.voices import voice_of
from bridge.irc.dialect.whispers import whisper
from bridge.model.address import is_address_of
from bridge.model.attribution import mark, spoken
from bridge.model.changes import CUT, Change, Extent, change, covered
from bridge.model.event import (
    Edit,
    Kind,
    Membership,
    Message,
    Moderation,
    Reaction,
    Redaction,
    Topic,
    described,
    with_links,
)
from bridge.model.outbox import Owed, Post
from bridge.model.presentation import DEFAULT, Presentation
from bridge.model.readable import spelled_out
from bridge.model.talks import IrcTalk, irc_talk
from bridge.model.text import LINE_END, Span, Style, Text, lines, plain, printable, says_nothing, untabbed, words
from bridge.network import Needless, PermanentError

_PLAIN = ("", "")
_ACTION = ("\x01ACTION ", "\x01")
_WIDE = re.compile("[ \u00a0]{2,}")
_WORDS_LEAST = 64
"""Bytes of a line that are kept for the words, however long the speaker's name."""
_BEFORE_LINK = 4
"""Lines of a long message that are shown before the link to the whole."""
_RELAYED = 48
"""Bytes of a line that are kept for the nick of a speaker, and for the host that the server gives them."""
_COUNTED = 60
"""Lines that are split to count them, which takes some 20 ms. For a longer text, the number is an estimate."""


def render(owed: Sequence[Owed], place: Place, how: Presentation = DEFAULT) -> Sequence[Post]:
    """Render deliveries in order, each as one or more posts, up to the first that IRC cannot show or need not be shown.
    Raises `PermanentError` or `Needless` if that is the first of `owed`.

    A message becomes as many lines as it needs. Of one with more than `Event.max_lines`, the first are shown, and the
    last line says how many more there are, with the link to the whole, if there is one. The rooms share the flood
    budget in turn, so a long text delays its own room only. Edits of one message, reactions to one, deletions by one
    person, and all that come and go next to each other are told as one.
    """
    if (talk := irc_talk(owed[0].room)) is not None:
        return _whispered(owed, talk, place, how)
    posts: list[Post] = []
    names = Names(place, how)
    before: Owed | None = None
    for items in _together(owed):
        deliveries = tuple(each for item in items for each in item.deliveries)
        try:
            done = [*_operations(items, place, how, names, before)]
            if not done:
                raise Needless("there is nothing to show on IRC", deliveries)
        except (PermanentError, Needless):
            if not posts:
                raise
            break
        posts += (Post.of(items[0].room, deliveries, part, encode(one)) for part, one in enumerate(done))
        before = items[-1]
    return posts


def _whispered(owed: Sequence[Owed], talk: IrcTalk, place: Place, how: Presentation) -> Sequence[Post]:
    """The posts of a talk: each line of a message is one. An edit is told as in a channel; who removes something, or
    reacts to it, is not told of."""
    limits = replace(place.limits, line=place.limits.line - _RELAYED)
    place = replace(place, limits=limits, tags=False, multiline=None, relays=False)
    names = Names(place, how)
    posts: list[Post] = []
    for item in owed:
        if not isinstance(item.event.body, Message | Edit):
            if posts:
                break
            raise Needless("there is nothing to show in a talk on IRC", item.deliveries)
        try:
            done = [whisper(one, item, talk) for one in _operations([item], place, how, names, None)]
        except PermanentError:
            if not posts:
                raise
            break
        posts += (Post.of(item.room, item.deliveries, part, encode(one)) for part, one in enumerate(done))
    if not posts:
        raise Needless("there is nothing to show on IRC", owed[0].deliveries)
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


def _together(owed: Sequence[Owed]) -> Iterator[Sequence[Owed]]:
    """The deliveries that are told as one, in the order of the first of each."""
    for _, run in groupby(owed, key=lambda item: item.event.body.type):
        alike: dict[object, list[Owed]] = {}
        for item in run:
            alike.setdefault(_subject(item), []).append(item)
        yield from alike.values()


def _subject(item: Owed) -> object:
    """What is equal for deliveries of one type that are told as one."""
    event = item.event
    by = event.sender.network, event.sender.address
    match event.body:
        case Message():
            return object()
        case Edit(target=target):
            return target, by
        case Reaction(target=target):
            return target
        case Redaction(target=target):
            known = item.known(target)
            who = known.who if known is not None else None
            return by, who and (who.network, who.address)
        case Membership() | Topic() as body:
            return body.type
        case Moderation():
            return object()
        case _ as never:
            assert_never(never)


def _operations(
    items: Sequence[Owed], place: Place, how: Presentation, names: Names, before: Owed | None
) -> Iterator[Operation]:
    item = items[-1]
    match item.event.body:
        case Message() as body:
            yield from _message(item, body, place, lead(item, body, how.quotation, names, before), names, how)
        case Edit():
            yield from _edit(items, place, names, how)
        case Reaction():
            yield from reacted(items, names, place, how)
        case Redaction():
            yield from deleted(items, names, place, how)
        case Membership():
            yield from came_and_went(items, names, place.limits)
        case Topic(text=text):
            yield topic(item.room.id, text, place.limits)
        case Moderation() as act:
            yield moderated(item, act, names, place)
        case _ as never:
            assert_never(never)


def _message(
    item: Owed, message: Message, place: Place, lead: str, names: Names, how: Presentation
) -> Sequence[Say | Paste]:
    message = replace(message, text=names.called(message.text, item.event))
    reply, head = answered_id(item, message) if place.tags else "", names.head(item)
    if (voice := voice_of(item, how)) is not None:
        first, *others = _unmarked(item, message, lead, place, names, voice)
        return [replace(first, reply=reply), *others]
    if place.relays and names.own(item):
        first, *others = _unmarked(item, message, lead, place, names, None)
        return [replace(first, reply=reply), *others]
    if (paste := _pasted(item, message, lead, place, head)) is not None:
        return [replace(paste, reply=reply)]
    said = _bounded(item, message, lead, place.limits, head)
    if not said:
        raise PermanentError("the message has no words that IRC can show")
    return [replace(said[0], reply=reply), *said[1:]]


def _unmarked(
    item: Owed, message: Message, lead: str, place: Place, names: Names, voice: Voice | None
) -> Sequence[Say]:
    """The lines of somebody who has a nick of their own there: a puppet's, if they have a `voice`, or by RELAYMSG. They
    have the mark, too, in case that is refused."""
    limits = replace(place.limits, line=place.limits.line - _RELAYED)
    said = _bounded(item, message, lead, limits, names.head(item))
    if not said:
        raise PermanentError("the message has no words that IRC can show")
    speaker, acts = names.own(item) if place.relays else "", message.kind is Kind.ACTION
    return [
        replace(each, speaker=speaker if each.command == "PRIVMSG" else "", acts=acts, voice=voice) for each in said
    ]


def _pasted(item: Owed, message: Message, lead: str, place: Place, head: str) -> Paste | None:
    """The message as one of several lines, where the server has such: all of it, or its beginning if it is too long."""
    limits, is_action = place.limits, item.event.private and message.kind is Kind.ACTION
    if place.multiline is None or message.kind is Kind.NOTICE or is_action:
        return None
    limits = replace(limits, line=limits.line - 1)  # a piece may need a code more
    whole = pasted(_pieces(item, message, with_links(message), lead, limits, head), place.multiline)
    return whole or pasted(([said] for said in _bounded(item, message, lead, limits, head)), place.multiline)


def _edit(items: Sequence[Owed], place: Place, names: Names, how: Presentation) -> Sequence[Say | Paste]:
    """What the last of several edits of a message changed since people saw it. Nothing if that cannot be seen."""
    item, edit = items[-1], items[-1].event.body
    assert isinstance(edit, Edit)
    new, known = covered(described(edit)), items[0].known(edit.target)
    before = known.before if known is not None and known.ids else ""
    if says_nothing(new) or (known is not None and known.removed):
        return ()
    told = _told(before, new, covered(described(replace(edit, text=()))))
    hides = any(span.style & Style.SPOILER for span in edit.text)
    match told.extent:
        case Extent.NOTHING if not (_has_links(edit.text) or any(each.link for each in edit.media)):
            return ()
        case Extent.SUBSTITUTION if not hides:
            message = Message(words(told.text), edit.kind)
        case Extent.EXCERPT:
            message = spoken(replace(edit, text=words(told.text), media=()))
        case _:
            message = spoken(edit)
    return _message(item, message, place, "", names, how)


def _told(before: str, new: str, files: str) -> Change:
    """What has changed between two texts, of which the second ends with the description of `files`: only of their
    captions, where both have one. An edit to other files is told whole."""
    if not before or not before.endswith((CUT, files)):
        return Change(Extent.WHOLE)
    if files and before.endswith(files):
        before, new = before.removesuffix(files).rstrip(), new.removesuffix(files).rstrip()
        if before != new and not (before and new):
            return Change(Extent.WHOLE)
    return change(before, new) if before else Change(Extent.NOTHING)


def _has_links(text: Text) -> bool:
    """Whether a link is shown beside its words: what it was before the edit is not known."""
    return any(span.link and not is_address_of(span.text, span.link) for span in text)


def _bounded(item: Owed, message: Message, lead: str, limits: Limits, head: str) -> list[Say]:
    """The lines of a message. Of a text with too many: the first lines, and then one with how many more there are, the
    link to the whole text, if there is one, and the files. A text of one line more than `Event.max_lines`, without a
    link, is shown whole: it takes no more lines."""
    most, link = item.event.max_lines, item.event.text_link
    whole = _lines(item, message, with_links(message), lead, limits, head)
    if not most:
        return [*whole]
    says = _lines(item, message, message.text, lead, limits, head)
    fitting = most if link else most + 1
    said = [*islice(says, fitting + 1)]
    if len(said) <= fitting:
        return [*whole] if message.media else said
    kept = said[: min(_BEFORE_LINK, most - 1) if link else most]
    said += islice(says, max(_COUNTED - len(said), 0))
    if next(says, None) is not None:
        room = limits.budget(said[0].command, said[0].target) - len(head.encode())
        left = max(_about(message.text, room), len(said) + 1) - len(kept)
    else:
        left = len(said) - len(kept)
    more = f"... {left:,} more line{'' if left == 1 else 's'}"
    rest = (Span(f"{more}: "), Span(link, link=link)) if link else words(more)
    return [*kept, *_lines(item, message, with_links(replace(message, text=rest)), "", limits, head)]


def _about(text: Text, room: int) -> int:
    """About how many lines of `room` bytes `text` takes; exact if each of its lines fits one. Splitting all of a long
    text would take too long."""
    shown = (line if line.isprintable() else printable(line) for line in LINE_END.split(plain(text)))
    sizes = (len(line.encode(errors="replace")) for line in shown if line.strip())
    return sum(max(1, math.ceil(size / max(room, _WORDS_LEAST))) for size in sizes)


def _lines(item: Owed, message: Message, text: Text, lead: str, limits: Limits, head: str) -> Iterator[Say]:
    return chain.from_iterable(_pieces(item, message, text, lead, limits, head))


def _pieces(item: Owed, message: Message, text: Text, lead: str, limits: Limits, head: str) -> Iterator[Iterable[Say]]:
    """The pieces of each line of `text`."""
    command = "NOTICE" if message.kind is Kind.NOTICE else "PRIVMSG"
    wrap = _ACTION if item.event.private and message.kind is Kind.ACTION and not mark(item.event) else _PLAIN
    if not text and message.kind is Kind.ACTION:  # a bare /me
        yield (Say(command, item.room.id, clipped(head, limits.budget(command, item.room.id)).rstrip()),)
    for line in lines(text):
        flat = _flat(line)
        if plain(flat).strip():
            yield _fitting(command, item.room.id, wrap, head, (*words(lead), *flat), limits)
            lead = ""


def _fitting(command: str, target: str, wrap: tuple[str, str], head: str, words: Text, limits: Limits) -> Iterator[Say]:
    before, after = wrap
    budget = limits.budget(command, target) - len(before + after)
    head = clipped(head, budget - _WORDS_LEAST)
    for piece in split(words, max(budget - len(head.encode()), LEAST)):
        yield Say(command, target, before + head + piece + after, len(head))


def _flat(line: Text) -> Text:
    """`line` without control characters and mentions, with its links spelled out."""
    return spelled_out(
        tuple(
            Span(_clean(_blank(span.text)), span.style, _clean(span.link) if span.link else None, span.fg, span.bg)
            for span in line
        )
    )


def _blank(text: str) -> str:
    """`text` with blanks for tabs, and for no-break spaces in a row, with which HTML shows blanks that people copy."""
    text = untabbed(text)
    return text if text.isascii() else _WIDE.sub(lambda blanks: " " * len(blanks[0]), text)
