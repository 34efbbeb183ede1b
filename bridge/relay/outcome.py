"""What follows from one event, before it is stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bridge.model.accounting import Count
from bridge.model.changes import beginning
from bridge.model.event import Event, EventKey, Kind, Message, Room
from bridge.model.outbox import Addressed, Known

EXCERPT = 2000
"""Characters of a message that others in its batch may refer to."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from one event: it and our notices with the rooms they are `owed` to, `counts`, in `changes` the
    event itself if it changes an earlier one, even if nobody is owed it, and what the relay remembers in `memory`.
    `audit`: what is done in the name of whom, with details."""

    owed: tuple[Addressed, ...] = ()
    counts: tuple[Count, ...] = ()
    changes: tuple[Event, ...] = ()
    memory: Mapping[str, str] = field(default_factory=dict)
    audit: tuple[tuple[str, str, str], ...] = ()

    @property
    def keys(self) -> frozenset[EventKey]:
        """The events that are to be stored."""
        return frozenset((*(each.event.key for each in self.owed), *(each.key for each in self.changes)))

    def known(self, event: Event) -> Known:
        """What will be known of `event`, which this follows from, once it is stored."""
        rooms = tuple(each.room for each in self.owed if each.event.key == event.key)
        sender = next((each.event.sender for each in self.owed if each.event.key == event.key), event.sender)
        kind = event.body.kind if isinstance(event.body, Message) else Kind.TEXT
        return Known(event.key, sender, beginning(event.text, EXCERPT), (event.room, *rooms), kind=kind)

    def said_in(self, room: Room) -> Iterator[Event]:
        """The message that was said in `room`, if it is carried."""
        events = {each.event.key: each.event for each in self.owed if each.event.room == room}
        yield from (event for event in events.values() if isinstance(event.body, Message))
