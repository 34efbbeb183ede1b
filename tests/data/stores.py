"""What is in the frozen stores, store-v1.sqlite to store-v12.sqlite. Each was made by the program of its version, and
is never made again: an operator may still have one.

In each, alice has said three things in HOME for LIBERA: "sent" was sent, "dead" is dead, "queued" is frozen. Those of
versions 4 to 12 also have bob's messages for OFTC (in MORE), two notices of our own there, and carol's private question
to the duck. Versions 10 to 12 also have a picture for OFTC, with a link that works for ever,
versions 11 and 12 have counted three requests for such files, and version 12 has a run and an outage that are over.
"""

from pathlib import Path

from bridge.model.event import BOTS, Event, EventKey, Kind, Message, Origin, Reaction, Room
from bridge.model.outbox import Delivery
from bridge.model.people import Sender
from bridge.model.text import Span, Style, words
from tests.events import HOME, LIBERA, OFTC, irc, matrix, rebodied, said

SENT, DEAD_EVENT, QUEUED_EVENT = (said(HOME, matrix("alice"), text).key for text in ("sent", "dead", "queued"))
DEAD, QUEUED = (Delivery.of(key, LIBERA).id for key in (DEAD_EVENT, QUEUED_EVENT))
REMOTE = "irc-1"

_US = Sender("oftc", "", "quackbridge", bot=True)
BOB = irc("bob", "bob")
MORE: list[Event] = [
    rebodied(said(LIBERA, BOB, "", "$styled"), text=(Span("a"), Span("b", Style.BOLD, "https://x.example/"))),
    said(LIBERA, BOB, "late", "$late", time=500.0, origin=Origin.REPLAYED),
    said(LIBERA, BOB, "re", "$reply", reply_to=SENT, called="duck"),
    Event("away x", OFTC, _US, 900.0, Message(words("libera/#pond is away"), Kind.NOTICE), origin=Origin.OURS),
    Event("dead $x", OFTC, _US, 900.0, Reaction(EventKey(SENT.room, SENT.id), "not delivered"), origin=Origin.OURS),
]
"""What waits for OFTC in version 4. An action was given up as too old."""
EAR = Room(BOTS, "duck@home/!dm:hs")
QUESTION = said(Room("home", "!dm:hs"), matrix("carol"), "quack?", "$question", private=True)


def frozen_store(version: int) -> Path:
    return Path(__file__).with_name(f"store-v{version}.sqlite")
