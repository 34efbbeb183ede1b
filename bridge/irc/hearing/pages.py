"""Which page of a channel's history to ask for next (https://ircv3.net/specs/extensions/chathistory). Sans I/O."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

MSGID, TIMESTAMP = "msgid", "timestamp"
_MOST_PAGES = 200
"""Most pages of one channel: a server that has two lines at a time to give, or always the same ones, is left then."""
_MOST_TRIES = 2
_MOST_REFUSALS = 4
"""More ways to ask than there are."""
_MOMENT = 0.001
"""Seconds: the shortest time that a time tag can tell (IRCv3 server-time)."""
_LATEST_TIME = 253_402_300_799.0
"""The last second of the year 9999: no time tag can be later."""
_NEVER = frozenset({"INVALID_TARGET", "421"})
"""Refusals that no other request would change: we may not have the history of this channel, or there is none at all."""


@dataclass(slots=True)
class _Page:
    """What has come of one page: `lines`, those of them that are new, and its edges."""

    lines: int = 0
    fresh: int = 0
    times: tuple[float, float] = (0.0, 0.0)  # of the first line and the last
    msgids: tuple[str, str] = ("", "")  # the first and the last that there is


@dataclass(slots=True)
class Pages:
    """The pages of one channel from `since` on (seconds since the epoch, by the server): forward, with AFTER. If the
    server does not know that, or if it takes no reference that we have, backward, with LATEST and BEFORE. BETWEEN says
    nothing more, and UnrealIRCd counts it from the wrong end (its bug 5952).

    Each method returns the parameters of the next CHATHISTORY, empty if there is nothing more to ask for. `msgid` is
    that of the last line that we have heard; `size`: lines asked for at once; `types`: what the server takes as a
    reference (MSGREFTYPES). The last page is the one in which nothing is new: a page may lack lines that we may not
    see.
    """

    channel: str
    since: float
    msgid: str
    size: int
    types: Collection[str]
    backward: bool = False
    """Each page is of before those that came already."""
    finished: bool = False
    """The server has nothing more."""
    anchored: bool = False
    """The server knows our last line by its msgid, and has told what follows it."""
    _page: _Page = field(default_factory=_Page)
    _before: _Page = field(default_factory=_Page)
    _pages: int = 0
    _refusals: int = 0
    _by: str = TIMESTAMP
    _reference: str = ""
    _tries: int = 0
    _skips: bool = False

    @property
    def complete(self) -> bool:
        """Whether all came that the server has since then."""
        return self.finished and not self._skips

    def first(self) -> tuple[str, ...]:
        if TIMESTAMP in self.types:
            return self._ask("AFTER", TIMESTAMP, _stamp(self.since))
        if MSGID in self.types and self.msgid:
            return self._ask("AFTER", MSGID, self.msgid)
        return self._latest()

    def line(self, msgid: str, time: float, *, fresh: bool) -> None:
        """One line of the page. `fresh`: it did not come before."""
        page = self._page
        page.times = (page.times[0] if page.lines else time, time)
        if msgid:
            page.msgids = (page.msgids[0] or msgid, msgid)
        page.lines += 1
        page.fresh += fresh

    def ended(self, *, reached: bool, is_last: bool = False) -> tuple[str, ...]:
        """The page is over. `reached`: the last line that we have heard is in it, or was in one before. `is_last`: the
        server says that it has no other (Ergo's draft/chathistory-end)."""
        page, self._before, self._page = self._page, self._page, _Page()
        self._pages += 1
        if not page.fresh:
            return self._nothing_new(page)
        self._tries = 0
        self.anchored |= self._pages == 1 and self._by == MSGID and not self.backward
        if is_last or (self.backward and (reached or page.times[0] < self.since)):
            self.finished = True
            return ()
        return self._turn(page)

    def refused(self, code: str) -> tuple[str, ...]:
        """The server does not take the last request: FAIL with `code`, or that numeric."""
        self._refusals += 1
        if code in _NEVER or self._refusals > _MOST_REFUSALS or self._by == "":
            return ()
        self._page = _Page()
        lost = self._by == MSGID and code != "INVALID_MSGREFTYPE" and not self._pages
        if lost and TIMESTAMP not in self.types:  # it may be this msgid only that the server does not know any more
            return self._latest()
        if self._by == MSGID or code == "INVALID_MSGREFTYPE":
            self.types = [each for each in self.types if each != self._by]
        if self._by not in self.types and self.types:
            return self._turn(self._before) if self._pages else self.first()
        hopeless = code == "MESSAGE_ERROR" and self._by == TIMESTAMP
        return () if self._pages or hopeless else self._latest()

    def _nothing_new(self, page: _Page) -> tuple[str, ...]:
        """A page without a new line: the end, unless it is full (all of one moment, or always the same), or the server
        does not know the msgid that we have asked for any more."""
        if page.lines < self.size:
            if self._pages == 1 and self._by == MSGID and not self.backward:
                return self._latest()
            self.finished = True
            return ()
        self._tries += 1
        if self._tries > _MOST_TRIES or self._by != TIMESTAMP:
            self._skips = True
            return ()
        self._skips |= self._tries == _MOST_TRIES
        return self._ask_beside(page)

    def _turn(self, page: _Page) -> tuple[str, ...]:
        """Ask for the page beside this one. By time, the lines at its edge come again: not all of their moment may be
        in it."""
        if self._pages >= _MOST_PAGES:
            return ()
        command, msgid = ("BEFORE", page.msgids[0]) if self.backward else ("AFTER", page.msgids[1])
        if MSGID in self.types and msgid and msgid != self._reference:
            self._reference = msgid
            return self._ask(command, MSGID, msgid)
        return self._ask_beside(page) if TIMESTAMP in self.types else ()

    def _ask_beside(self, page: _Page) -> tuple[str, ...]:
        """Ask by time: with all of the second at the edge (lines without ids are counted by it), if that is more than a
        page with all of the last moment, and at last without it."""
        if self.backward:
            time = page.times[0]
            edge = (math.floor(time) + 1.0, time + _MOMENT, time)[self._tries]
            return self._ask("BEFORE", TIMESTAMP, _stamp(edge))
        time = page.times[1]
        edge = (math.floor(time) - _MOMENT, time - _MOMENT, time)[self._tries]
        return self._ask("AFTER", TIMESTAMP, _stamp(edge))

    def _latest(self) -> tuple[str, ...]:
        self.backward, self._by = True, ""
        return ("LATEST", self.channel, "*", str(self.size))

    def _ask(self, command: str, by: str, reference: str) -> tuple[str, ...]:
        self._by = by
        return (command, self.channel, f"{by}={reference}", str(self.size))


def _stamp(time: float) -> str:
    """As in a time tag. A server's times may be any: they are kept within what one can say."""
    there = datetime.fromtimestamp(min(max(time, 0.0), _LATEST_TIME), UTC)
    return there.isoformat(timespec="milliseconds").replace("+00:00", "Z")
