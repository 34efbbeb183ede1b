"""The state that the tasks of all networks share."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.lib.heartbeats import Heartbeats
from bridge.lib.lru import LruSet
from bridge.model.counters import Counters
from bridge.model.event import Event, Media
from bridge.relay.admins import Admins
from bridge.relay.gaps import Gaps
from bridge.relay.limits import Terms
from bridge.relay.lines import LastLines
from bridge.relay.momentary import Momentary
from bridge.relay.notices import Notices
from bridge.relay.outages import Outages
from bridge.relay.previews import Previews
from bridge.relay.requests import RequestNews
from bridge.relay.tail import Tail
from bridge.relay.talks import Talks

_REMOVED = 10_000


def _no_link(_event: Event, _media: Media) -> str:
    return ""


def _no_text_link(_event: Event) -> str:
    return ""


def _nobody_listens(_event: Event) -> None:
    """Nobody wants to know of changes."""


def _nothing_is_kept(_by: str, _what: str, _details: str) -> None:
    """There is no audit log."""


@dataclass(slots=True)
class Shared:
    """`clock` gives seconds since the epoch. A reload replaces `terms`."""

    clock: Callable[[], float]
    rng: random.Random
    notices: Notices
    outages: Outages = field(default_factory=Outages)
    gaps: Gaps = field(default_factory=Gaps)
    removed: LruSet[str] = field(default_factory=lambda: LruSet[str](_REMOVED))
    """Deliveries that were erased because their message was removed: what is still to be sent of them is not."""
    counters: Counters = field(default_factory=Counters)
    momentary: Momentary = field(default_factory=Momentary)
    previews: Previews = field(default_factory=Previews)
    terms: Terms = field(default_factory=Terms)
    link_to: Callable[[Event, Media], str] = _no_link
    """Makes the link to a file of an event; '' if none can be made."""
    link_to_text: Callable[[Event], str] = _no_text_link
    """Makes the link to the whole text of an event; '' if none can be made."""
    on_change: Callable[[Event], None] = _nobody_listens
    """Is told of each edit and each removal that was accepted."""
    record: Callable[[str, str, str], None] = _nothing_is_kept
    """Keeps in the audit log who did what, with details. May wait for the disk; raises UsersError."""
    requests: RequestNews | None = None
    admins: Admins | None = None
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    tail: Tail = field(default_factory=Tail)
    talks: Talks = field(default_factory=Talks)
    lines: LastLines = field(init=False)

    def __post_init__(self) -> None:
        self.lines = LastLines(self.clock)
