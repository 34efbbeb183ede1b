"""Catching up: tells what was said in a channel while we were away, as far as the server remembers it, before what is
said now; finds which of our own lines the server has."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from bridge.irc.dialect.convert import Spoken, known_as
from bridge.irc.effects import CaughtUp, Joined, written
from bridge.irc.hearing.cursor import Position
from bridge.irc.hearing.steps import AskWho, Fence, Now, Old, Step
from bridge.irc.wire.isupport import Isupport
from bridge.lib.lru import LruDict
from bridge.model.event import Room

CAPABILITY = "draft/chathistory"
_ANSWER_WITHIN = 30.0
_BEFORE = 60.0
"""Seconds before the last heard line at which pages begin: a post of ours may be there, and its proof been lost."""
_PAGE = 100
"""Lines asked for at once if the server names no limit."""
_MOST = 10_000
"""Most lines kept of one channel's history; the rest is reported as a gap."""
_MOST_TEXT = 8_000_000
"""Most characters in these lines: with tags and the rest some 30 MB, whatever the server sends."""
_OURS = 10_000
_KEEPS = re.compile(r"(\d+):(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
"""The parameter of InspIRCd's channel mode H: lines and duration, `500:1h30m`."""


class _Stage(Enum):
    NEW = "no fence is written yet"
    FENCED = "what the server tells by itself may still be on its way"
    PAGES = "a page was asked for"
    ACCOUNTS = "asked who is who"


@dataclass(slots=True)
class _CatchUp:
    """A channel being caught up. `position` is None if we have never been there: then no history is told."""

    room: Room
    position: Position | None
    since: float
    joined_at: float
    stage: _Stage = _Stage.NEW
    told: list[Spoken] = field(default_factory=list)
    live: list[Spoken] = field(default_factory=list)
    size: int = 0
    overflown: bool = False
    lines: int = 0
    page: int = 0
    reached: bool = False
    overlap: bool = False
    created: float | None = None
    complete: bool = False
    keeps: tuple[int, float] | None = None

    def has_room(self, kept: list[Spoken]) -> bool:
        """Whether one more line may be put into one of our lists."""
        return len(kept) < _MOST and self.size < _MOST_TEXT

    def keep(self, kept: list[Spoken], spoken: Spoken) -> None:
        kept.append(spoken)
        self.size += len(spoken.line.param(1))


class History:
    """Holds back what is said in a channel that we join until its history is told, and says when posts may go there
    (`settled`): once it is known which of them are there already. Sans I/O.

    A server that replays unasked (InspIRCd's chanhistory, a bouncer's playback) is done when it answers a PING written
    after the JOIN (`Fence`); another is asked page by page (https://ircv3.net/specs/extensions/chathistory). `supports`
    is what the server says about itself, `enabled` the capabilities that are on.
    """

    def __init__(self, supports: Isupport, enabled: AbstractSet[str]) -> None:
        self._supports = supports
        self._enabled = enabled
        self._channels: dict[Room, _CatchUp] = {}
        self._positions: dict[Room, Position | None] = {}
        self._complete: set[Room] = set()
        self._server = ""
        self._fences = 0
        self._ours: LruDict[str, str] = LruDict(_OURS)

    @property
    def asks_how_much_is_kept(self) -> bool:
        """Whether the answer to MODE (324) says how much history the server keeps, and nothing else does."""
        replays = bool(self._enabled & {"batch", "server-time"})
        return replays and CAPABILITY not in self._enabled and self._supports.has_history_mode

    def told_by(self, server: str, created: str) -> None:
        """Note the server's name and creation time (003), which identify its run: most say when they were started."""
        self._server = hashlib.blake2s(f"{server} {created}".encode(), digest_size=4).hexdigest()

    def settled(self, room: Room) -> bool:
        """Whether we know all of our own lines that the server remembers."""
        catching = self._channels.get(room)
        return catching is None or catching.stage is _Stage.ACCOUNTS

    def ours(self, post: str) -> str | None:
        """The network's id of a post that is in the history, else None."""
        return self._ours.get(post)

    def remembers(self, room: Room) -> bool:
        """Whether a post that is missing from the history of `room` was surely never sent. Without message-tags it is
        not sure: a bouncer may remember our lines without the tag by which we would know them."""
        return room in self._complete and "message-tags" in self._enabled

    def joined(self, room: Room, position: Position | None, now: float, server_time: float) -> Iterator[Step]:
        """We joined. `position` is what we heard last there; `server_time`: seconds since the epoch, by the server."""
        self._positions[room] = position
        if not self._enabled & {"batch", "server-time"}:  # it replays nothing
            yield Joined(room)
            yield CaughtUp(room, server_time, None if position is None else position.seen, self._server)
            return
        self._channels[room] = _CatchUp(room, position, now, server_time)
        yield from self._next_fence()

    def left(self, room: Room) -> None:
        self._channels.pop(room, None)
        self._complete.discard(room)

    def heard(self, spoken: Spoken) -> Iterable[Step]:
        """A line is said now: passed on, or held back while we catch up."""
        catching = self._channels.get(spoken.room)
        if catching is None or not catching.has_room(catching.live):
            return (Now(spoken),)
        catching.keep(catching.live, spoken)
        return ()

    def replayed(self, spoken: Spoken, msgid: str) -> Iterable[Step]:
        """A line of history: held back while we catch up; else passed on, unless it was heard already."""
        catching = self._channels.get(spoken.room)
        if catching is not None:
            self._keep_old(catching, spoken, msgid)
            return ()
        position = self._positions.get(spoken.room)
        return (Old(spoken),) if position is not None and not position.is_past(spoken.time, msgid) else ()

    def _keep_old(self, catching: _CatchUp, spoken: Spoken, msgid: str) -> None:
        position = catching.position
        if spoken.line.command != "REDACT":
            catching.lines += 1
            catching.page += 1
        if position is None:
            return
        catching.overlap |= position.is_reached(spoken.time)
        if msgid and msgid == position.msgid:
            catching.told.clear()  # history comes in order, whatever its times say
            catching.reached = catching.overlap = True
        elif not catching.reached and position.is_past(spoken.time, msgid):
            catching.overlap = True
        elif catching.has_room(catching.told):
            catching.keep(catching.told, spoken)
        else:
            catching.overflown = True

    def late(self, spoken: Spoken, msgid: str) -> Iterable[Step]:
        """A line that looks old by its time alone. Unless we are catching up, it is passed on: the server's clock may
        have jumped, and telling a line twice, which its id shows, is better than never."""
        return self.replayed(spoken, msgid) if spoken.room in self._channels else (Old(spoken),)

    def mine(self, room: Room, post: str, msgid: str, time: float) -> None:
        """The history has a line of ours; `post` is '' if it does not say which post it is."""
        if post:
            self._ours[post] = known_as(msgid) or post
        if (catching := self._channels.get(room)) is not None:
            catching.lines += 1
            catching.page += 1
            catching.overlap |= catching.position is not None and catching.position.is_reached(time)

    def keeps(self, room: Room, parameter: str) -> None:
        """Note the parameter of the channel's mode H: how much history the server keeps."""
        found = _KEEPS.fullmatch(parameter)
        if found and room in self._channels:
            lines, *parts = (int(part or 0) for part in found.groups())
            seconds = sum(part * unit for part, unit in zip(parts, (604800, 86400, 3600, 60, 1), strict=True))
            self._channels[room].keeps = (lines, float(seconds))

    def created(self, room: Room, time: float) -> None:
        """Note when the channel was created, by the server: it has forgotten an earlier channel of that name."""
        if room in self._channels:
            self._channels[room].created = time

    def fenced(self, now: float) -> Iterator[Step]:
        """The PONG for the oldest fence came."""
        self._fences = max(0, self._fences - 1)
        for catching in [*self._channels.values()]:
            if catching.stage is _Stage.FENCED:
                if CAPABILITY in self._enabled and catching.position is not None:
                    yield from self._turn_page(catching, "", catching.position.time - _BEFORE, now)
                else:
                    catching.complete = self._is_complete(catching)
                    yield from self._settle(catching, now)
        yield from self._next_fence()

    def page_ended(self, room: Room, msgid: str, time: float, now: float) -> Iterator[Step]:
        """A page of history is over; `msgid` and `time` are those of its last line."""
        catching = self._channels.get(room)
        if catching is None or catching.stage is not _Stage.PAGES:
            return
        if 0 < self._page_size <= catching.page and catching.lines < _MOST:
            yield from self._turn_page(catching, msgid, time, now)
            return
        catching.complete = catching.page < self._page_size and (catching.overlap or self._was_there(catching))
        yield from self._settle(catching, now)

    def failed(self, room: Room, now: float) -> Iterable[Step]:
        """FAIL CHATHISTORY: ask for no more pages."""
        catching = self._channels.get(room)
        return self._settle(catching, now) if catching is not None and catching.stage is _Stage.PAGES else ()

    def who_ended(self, room: Room) -> Iterable[Step]:
        """The accounts of the people in the channel are now known, as far as possible."""
        catching = self._channels.get(room)
        return self._release(catching) if catching is not None and catching.stage is _Stage.ACCOUNTS else ()

    def tick(self, now: float) -> Iterator[Step]:
        """Give up on overdue answers."""
        for catching in [*self._channels.values()]:
            if now - catching.since > _ANSWER_WITHIN:
                if catching.stage is not _Stage.ACCOUNTS:
                    yield from self._settle(catching, now)
                if catching.room in self._channels:
                    yield from self._release(catching)

    @property
    def _page_size(self) -> int:
        return min(self._supports.chathistory or _PAGE, 1000)

    def _next_fence(self) -> Iterator[Step]:
        fresh = [catching for catching in self._channels.values() if catching.stage is _Stage.NEW]
        if fresh and not self._fences:
            self._fences += 1
            for catching in fresh:
                catching.stage = _Stage.FENCED
            yield Fence()

    def _turn_page(self, catching: _CatchUp, msgid: str, time: float, now: float) -> Iterator[Step]:
        stamp = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        catching.stage, catching.since, catching.page = _Stage.PAGES, now, 0
        after = f"msgid={msgid}" if msgid else f"timestamp={stamp}"
        yield from written("CHATHISTORY", "AFTER", catching.room.id, after, str(self._page_size))

    def _is_complete(self, catching: _CatchUp) -> bool:
        """Whether what the server replayed unasked reaches back to our position."""
        if catching.overlap or catching.position is None:
            return True
        if catching.keeps is None or not self._was_there(catching):
            return False
        lines, seconds = catching.keeps
        return catching.lines < lines and catching.joined_at - catching.position.seen < seconds

    def _was_there(self, catching: _CatchUp) -> bool:
        """Whether this run of the server heard all since our position. The channel's age alone does not tell: services
        restore it when the server restarts, but its history is gone."""
        position = catching.position
        return position is None or (position.is_of(self._server) and (catching.created or 0.0) <= position.time)

    def _settle(self, catching: _CatchUp, now: float) -> Iterator[Step]:
        """Posts may go out now; the history is told once we know its speakers' accounts."""
        catching.complete = catching.complete and not catching.overflown
        if catching.complete:
            self._complete.add(catching.room)
        catching.stage, catching.since = _Stage.ACCOUNTS, now
        yield Joined(catching.room)
        unknown = any("account" not in spoken.line.tags for spoken in catching.told)
        if unknown and self._supports.whox and "account-tag" in self._enabled:
            yield AskWho(catching.room.id)
        else:
            yield from self._release(catching)

    def _release(self, catching: _CatchUp) -> Iterator[Step]:
        """Tell the history, then that we have caught up, then what was said meanwhile; each line once."""
        del self._channels[catching.room]
        told = {spoken.id for spoken in catching.told}
        yield from map(Old, catching.told)
        since = None if catching.position is None or catching.complete else catching.position.seen
        yield CaughtUp(catching.room, catching.joined_at, since, self._server)
        yield from (Now(spoken) for spoken in catching.live if spoken.id not in told)
