"""How a carried line says who said it, and when where it comes late: what every renderer puts before the words."""

from datetime import UTC, datetime

from bridge.model.event import Event, Kind, Message, Origin
from bridge.model.outbox import Owed
from bridge.model.people import Sender

_LATE_S = 60.0
_DAY_S = 86_400.0


def shown_as(sender: Sender) -> str:
    """The name as people see it elsewhere: with the gate's note, "bob (guest)"."""
    return f"{sender.name} ({sender.note})" if sender.note else sender.name


def mark(event: Event) -> str:
    """What each line of a carried message begins with, so that no line can pretend to be from somebody else: `<alice>
    `. '' in a private conversation, where nobody else is carried, and before our own words."""
    if event.private or event.origin is Origin.OURS:
        return ""
    action = isinstance(event.body, Message) and event.body.kind is Kind.ACTION
    return f"* {shown_as(event.sender)} " if action else f"<{shown_as(event.sender)}> "


def stamp(owed: Owed) -> str:
    """When it was said, before a line that comes more than a minute late: `[10:02 UTC] `."""
    if owed.age < _LATE_S or not mark(owed.event):
        return ""
    said = datetime.fromtimestamp(owed.said, UTC)
    return f"[{said:%H:%M} UTC] " if owed.age < _DAY_S else f"[{said:%Y-%m-%d %H:%M} UTC] "
