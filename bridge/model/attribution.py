"""The prefix of carried lines, for all renderers: who said it, and, if it comes late, when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from bridge.model.event import Edit, Event, Kind, Message, Origin
from bridge.model.outbox import Owed
from bridge.model.people import Sender
from bridge.model.talks import is_talk
from bridge.model.text import as_name, words

_LATE_S, _OVERTAKEN_S = 60.0, 5.0
_DAY_S = 86_400.0


def shown_as(sender: Sender) -> str:
    """The sender's name as shown in other rooms, with the gate's note: "bob (guest)"."""
    return f"{sender.name} ({sender.note})" if sender.note else sender.name


def told_as(sender: Sender) -> str:
    """As `shown_as`, in a sentence: the name cannot read like a part of it."""
    return shown_as(replace(sender, name=as_name(sender.name)))


def mark(event: Event, shown: Callable[[Sender], str] = shown_as) -> str:
    """The sender mark that begins each line of a carried message, so that no line can pretend to be from somebody else:
    `<alice> `, with the name as `shown`; in a talk, `alice: `. '' in any other private conversation, and for our own
    messages."""
    if event.origin is Origin.OURS or (event.private and not is_talk(event.room)):
        return ""
    action = isinstance(event.body, Message | Edit) and event.body.kind is Kind.ACTION
    if action:  # a sentence, which begins with the name
        return f"* {shown(replace(event.sender, name=as_name(event.sender.name)))} "
    return f"{shown(event.sender)}: " if event.private else f"<{shown(event.sender)}> "


def spoken(body: Message | Edit) -> Message:
    """`body` as a message of its own: an edit is its new text after "(edited) "."""
    if isinstance(body, Message):
        return body
    return Message((*words("(edited) "), *body.text), body.kind, media=body.media)


def stamp(owed: Owed) -> str:
    """The time mark of a message that comes a minute late or more, or five seconds if later ones may have come before
    it: `[10:02 UTC] `. Otherwise ''."""
    late_s = _OVERTAKEN_S if owed.event.overtaken else _LATE_S
    if owed.age < late_s or not mark(owed.event):
        return ""
    said = datetime.fromtimestamp(owed.said, UTC)
    return f"[{said:%H:%M} UTC] " if owed.age < _DAY_S else f"[{said:%Y-%m-%d %H:%M} UTC] "
