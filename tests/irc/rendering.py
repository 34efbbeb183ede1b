"""What is owed to a channel, and what is rendered of it, for tests of the renderer."""

from collections.abc import Sequence
from dataclasses import replace

from bridge.irc.dialect.operations import Operation, Say, decode
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.render import render
from bridge.model.event import Body, Event, EventKey, Room
from bridge.model.outbox import Known, Owed
from bridge.model.people import Sender
from bridge.model.presentation import DEFAULT, Presentation
from tests.events import HOME, LIBERA, irc, matrix

TARGET = EventKey(HOME, "$target")
PLACE = Place(Limits(512, 60))
ALICE, BOB = replace(matrix("alice"), user="alice"), replace(irc("bob", "bob"), user="bob")


def known(excerpt: str = "", who: Sender | None = BOB, **changes: object) -> Known:
    """What is known of `TARGET`, which was sent to the channel."""
    base = Known(TARGET, who, excerpt, ids=("m1", "m2"), before=excerpt)
    return replace(base, **changes)  # type: ignore[arg-type]


def owed(
    body: Body, number: int = 1, *, sender: Sender = ALICE, context: Sequence[Known] = (), room: Room = LIBERA
) -> Owed:
    event = Event(f"${number}", HOME, sender, 0.0, body)
    return Owed(f"d{number}", room, event, {each.source: each for each in context})


def operations(items: Owed | Sequence[Owed], place: Place = PLACE, how: Presentation = DEFAULT) -> list[Operation]:
    items = [items] if isinstance(items, Owed) else items
    return [decode(post.payload) for post in render(items, place, how)]


def said(items: Owed | Sequence[Owed], place: Place = PLACE, how: Presentation = DEFAULT) -> list[str]:
    """The lines that `items` become, which must be messages."""
    done = operations(items, place, how)
    assert all(isinstance(each, Say) for each in done)
    return [each.text for each in done if isinstance(each, Say)]
