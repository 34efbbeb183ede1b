"""One channel that is being caught up: what its history tells, what is said meanwhile, whether anything is missing."""

from dataclasses import dataclass, field
from enum import Enum

from bridge.irc.dialect.convert import EventIds, Spoken
from bridge.irc.hearing.cursor import Position
from bridge.irc.hearing.pages import Pages
from bridge.model.event import Room

MOST = 10_000
"""Most lines kept of one channel's history; the rest is reported as a gap."""
_MOST_TEXT = 8_000_000
"""Most characters in these lines: with tags and the rest some 30 MB, whatever the server sends."""


class Stage(Enum):
    NEW = "no fence is written yet"
    FENCED = "what the server tells by itself may still be on its way"
    WAITS = "a page is to be asked for when it is its turn"
    PAGES = "a page was asked for"
    ACCOUNTS = "asked who is who"


@dataclass(slots=True)
class CatchUp:
    """A channel being caught up. `position` is None if we have never been there: then no history is told. Times are
    seconds: `since` and `asked_at` (of the first page) of a clock that does not go back, the others since the epoch.

    `told` is what is known of the history by now, `page` what the current page (or the server, unasked) tells; `live`
    what is said meanwhile. `lines` counts what comes of the history, as a limit of the channel would."""

    room: Room
    position: Position | None
    since: float
    joined_at: float
    origin: str = ""
    asked_at: float | None = None
    stage: Stage = Stage.NEW
    pages: Pages | None = None
    told: list[Spoken] = field(default_factory=list)
    page: list[Spoken] = field(default_factory=list)
    unasked: list[Spoken] = field(default_factory=list)
    live: list[Spoken] = field(default_factory=list)
    size: int = 0
    overflown: bool = False
    lines: int = 0
    reached: bool = False
    overlap: bool = False
    created: float | None = None
    complete: bool = False
    keeps: tuple[int, float] | None = None
    ids: EventIds = field(init=False)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ids = EventIds(self.origin)

    def came(self, id_: str, msgid: str, time: float) -> bool:
        """Any line of the history came. Whether it is a new one, and one that we have room for."""
        if len(self._seen) >= MOST:
            self.overflown = True
            return False
        fresh = id_ not in self._seen
        self._seen.add(id_)
        if self.pages is not None:
            self.pages.line(msgid, time, fresh=fresh)
        return fresh

    def keep_live(self, spoken: Spoken) -> bool:
        """Hold back a line that is said now; False if there is no more room."""
        return self._keep(self.live, spoken)

    def keep_old(self, spoken: Spoken, msgid: str) -> None:
        """A line of the history. What was heard already is dropped: all up to the last line that we have heard, in the
        server's order; by their times only while that line has not come."""
        position = self.position
        if position is None:
            return
        self.overlap |= position.is_reached(spoken.time)
        if msgid and msgid == position.msgid:
            self.page.clear()
            if self.pages is None or not self.pages.backward:
                self.told.clear()
            self.reached = self.overlap = True
        elif not self.reached and position.is_past(spoken.time, msgid):
            self.overlap = True
        elif not self._keep(self.page, spoken):
            self.overflown = True

    def begin_pages(self, pages: Pages) -> None:
        """What the server told unasked is kept aside: the pages tell it again, in order."""
        self.unasked, self.page = self.page, []
        self.reached = self.overlap = False
        self._seen.clear()
        self.pages = pages

    def begin_page(self) -> None:
        """Lines without ids are counted anew: a page may repeat some of the last."""
        self.ids = EventIds(self.origin)

    def turn(self) -> None:
        """The page is over."""
        if self.pages is not None and self.pages.backward:
            self.told = [*self.page, *self.told]
        else:
            self.told += self.page
        self.page = []

    def close(self) -> None:
        """No more will come of the history. What the server told only unasked goes first."""
        self.turn()
        known = {spoken.id for spoken in self.told}
        self.told = [*(spoken for spoken in self.unasked if spoken.id not in known), *self.told]
        self.unasked = []
        self.complete = self.complete and not self.overflown

    def _keep(self, kept: list[Spoken], spoken: Spoken) -> bool:
        if len(kept) >= MOST or self.size >= _MOST_TEXT:
            return False
        kept.append(spoken)
        self.size += len(spoken.line.param(1))
        return True
