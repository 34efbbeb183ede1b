"""What goes before the words of an answer: whom it answers, and the beginning of what they said."""

import re

from bridge.irc.dialect.brief import shortened
from bridge.irc.dialect.names import Names
from bridge.model.event import EventKey, Kind, Message
from bridge.model.outbox import Known, Owed
from bridge.model.people import Sender
from bridge.model.text import addressed, in_quotes, plain, unquoted

WORDS = 50
"""Most characters of quoted words."""
_REMOVED = "a deleted message"
_WORDS_PART = re.compile(r"""[\s:,–—-]*["'“‘„«]*\{words\}["'”’»]*""")
"""The part of a template that is left out where there are no words."""
_CLOSING = re.compile(r"\{words\}([\])}>])")
"""A bracket that ends the words: without quotation marks around them, it would end them anywhere."""
_FIELD = re.compile(r"\{(name|words)\}")


def lead(item: Owed, message: Message, template: str, names: Names, before: Owed | None) -> str:
    """What goes before the words of `message` in its first line; '' if it answers nothing that is known here.

    `alice: ` if it answers the last thing said here in words, else a quotation by `template` (see `Presentation`). In a
    thread, `(thread: "its first words") `, if what was said here last, or is sent just `before`, is not of the thread.
    """
    answered, root = item.known(message.reply_to), item.known(message.thread)
    if item.event.private:
        return ""
    is_last = answered is not None and answered.last and not _is_between(before, message)
    if answered is not None and is_last and message.kind is not Kind.ACTION:
        return _address(item, message, answered, names)
    if answered is not None and (quotation := _quotation(item, answered, template, names)):
        return _threaded(quotation) if message.thread not in (None, message.reply_to) else quotation
    if root is None or root.last or _thread_of(before) == message.thread:
        return ""
    quoted = quoted_words(root, names)
    return f"(thread: {in_quotes(quoted)}) " if quoted else "(thread) "


def answered_id(item: Owed, message: Message) -> str:
    """The id here of what `message` answers, or of the root of its thread: the last one, if it was several lines."""
    ids = item.ids_of(message.reply_to) or item.ids_of(message.thread)
    return ids[-1] if ids else ""


def quoted_words(known: Known, names: Names) -> str:
    """The beginning of what somebody said, which calls nobody; '' if it was removed or not kept."""
    return "" if known.removed else names.guarded(shortened(known.excerpt, WORDS))


def _address(item: Owed, message: Message, answered: Known, names: Names) -> str:
    """`alice: `, unless one answers oneself, or begins with the name anyway."""
    who = answered.who
    if who is None or _is_same(who, item.event.sender):
        return ""
    name = names.answered(who, item)
    is_called = addressed(plain(message.text)[:200], (name, who.name, who.address)) is not None
    return "" if is_called else f"{name}: "


def _quotation(item: Owed, answered: Known, template: str, names: Names) -> str:
    """'' if nothing is known of what was said."""
    quoted = quoted_words(answered, names)
    if answered.removed:
        return _filled(template, _REMOVED, "")
    name = names.answered(answered.who, item) if answered.who is not None else ""
    return _filled(template, name or "somebody", quoted) if name or quoted else ""


def _filled(template: str, name: str, quoted: str) -> str:
    """`template` with both fields; without words, the name alone, in their place if it has no other."""
    if not quoted and "{name}" in template:
        template = _WORDS_PART.sub("", template).lstrip(" :,–—-")
    end = _CLOSING.search(template)
    quoted = unquoted(quoted) if end is None else unquoted(quoted).replace(end[1], "")
    values = {"name": name, "words": quoted or name}
    return _FIELD.sub(lambda field: values[field[1]], template)


def _threaded(quotation: str) -> str:
    return f"(thread, {quotation[1:]}" if quotation.startswith("(") else f"(thread) {quotation}"


def _is_between(before: Owed | None, message: Message) -> bool:
    """Whether `before` is a message other than the one that is answered."""
    return before is not None and isinstance(before.event.body, Message) and before.event.key != message.reply_to


def _thread_of(item: Owed | None) -> EventKey | None:
    """The thread that continues after `item`: its own."""
    return item.event.body.thread if item is not None and isinstance(item.event.body, Message) else None


def _is_same(one: Sender, other: Sender) -> bool:
    return (one.network, one.address) == (other.network, other.address) or one.is_same_person(other)
