"""Catching up: what was said in a channel while we were away, as far as the server remembers it, before what is said
now; and which of our own lines it remembers."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import CaughtUp, Joined, written
from bridge.irc.hearing.cursor import Position
from bridge.irc.hearing.steps import AskWho, Fence, Now, Old, Step
from bridge.irc.wire.isupport import Isupport
from bridge.lib.lru import LruDict
from bridge.model.event import Room

CAPABILITY = "draft/chathistory"
_ANSWER_WITHIN = 30.0
_BEFORE = 60.0
"""Seconds before the last line that we heard: a post of ours may have gone out before that, and its proof been lost."""
_PAGE = 100
"""Lines asked for at once where the server names no limit."""
_MOST = 10_000
"""Lines of one channel's history; of more than that the rest is not known."""
_MOST_TEXT = 8_000_000
"""Characters of these: with the tags and the rest some 30 MB, whatever the server sends."""
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
    """`position` is None where we have never been: what was said there before is not for us."""

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
    """Sans I/O. Holds back what is said in a channel that we join until what was said before is told, and says when
    posts may go there: once it is known which of them are there already (`settled`).

    A server that tells by itself (InspIRCd's chanhistory, a bouncer's playback) has told all at the PONG for a PING
    that was written behind the JOIN (`Fence`); another is asked page by page
    (https://ircv3.net/specs/extensions/chathistory). `supports` and `enabled` are what the server says of itself, and
    the capabilities that are on.
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

    def told_by(self, server: str, created: str) -> None:
        """The server's name, and what it says of when it was made (003): most say when they were started."""
        self._server = hashlib.blake2s(f"{server} {created}".encode(), digest_size=4).hexdigest()

    def settled(self, room: Room) -> bool:
        """Whether all of our own lines that the server remembers are known."""
        catching = self._channels.get(room)
        return catching is None or catching.stage is _Stage.ACCOUNTS

    def ours(self, post: str) -> str | None:
        """The network's id of a post that the history has, else None."""
        return self._ours.get(post)

    def remembers(self, room: Room) -> bool:
        """Whether a post that the history of `room` does not have was surely never sent. A bouncer may remember our
        lines without the tag by which we would know them."""
        return room in self._complete and "message-tags" in self._enabled

    def joined(self, room: Room, position: Position | None, now: float, server_time: float) -> Iterator[Step]:
        """We are in. `position` is where we were last; `server_time` is in seconds since the epoch, by the server."""
        self._positions[room] = position
        if not self._enabled & {"batch", "server-time"}:  # it tells nothing of what was
            yield Joined(room)
            yield CaughtUp(room, server_time, None if position is None else position.seen, self._server)
            return
        self._channels[room] = _CatchUp(room, position, now, server_time)
        if CAPABILITY not in self._enabled and self._supports.has_history_mode:
            yield from written("MODE", room.id)
        yield from self._next_fence()

    def left(self, room: Room) -> None:
        self._channels.pop(room, None)
        self._complete.discard(room)

    def heard(self, spoken: Spoken) -> Iterable[Step]:
        """A line that is said now, if it is its turn; else it is held back."""
        catching = self._channels.get(spoken.room)
        if catching is None or not catching.has_room(catching.live):
            return (Now(spoken),)
        catching.keep(catching.live, spoken)
        return ()

    def replayed(self, spoken: Spoken, msgid: str) -> Iterable[Step]:
        """A line that was said before, if it is its turn and was not heard already."""
        catching = self._channels.get(spoken.room)
        if catching is not None:
            self._keep_old(catching, spoken, msgid)
            return ()
        position = self._positions.get(spoken.room)
        return (Old(spoken),) if position is not None and not position.is_past(spoken.time, msgid) else ()

    def _keep_old(self, catching: _CatchUp, spoken: Spoken, msgid: str) -> None:
        position = catching.position
        catching.lines += 1
        catching.page += 1
        if position is None:
            return
        catching.overlap |= position.is_reached(spoken.time)
        if msgid and msgid == position.msgid:
            catching.told.clear()  # what is told is in order, whatever the times
            catching.reached = catching.overlap = True
        elif not catching.reached and position.is_past(spoken.time, msgid):
            catching.overlap = True
        elif catching.has_room(catching.told):
            catching.keep(catching.told, spoken)
        else:
            catching.overflown = True

    def late(self, spoken: Spoken, msgid: str) -> Iterable[Step]:
        """A line that seems to be of before, by its time alone. While we do not catch up, it may be the server's clock
        that jumps: better told twice, which its id shows, than never."""
        return self.replayed(spoken, msgid) if spoken.room in self._channels else (Old(spoken),)

    def mine(self, room: Room, post: str, msgid: str, time: float) -> None:
        """The history has this line of ours; `post` is '' where it does not say which one it is."""
        if post:
            self._ours[post] = msgid or post
        if (catching := self._channels.get(room)) is not None:
            catching.lines += 1
            catching.page += 1
            catching.overlap |= catching.position is not None and catching.position.is_reached(time)

    def keeps(self, room: Room, parameter: str) -> None:
        """The channel has mode H with that parameter."""
        found = _KEEPS.fullmatch(parameter)
        if found and room in self._channels:
            lines, *parts = (int(part or 0) for part in found.groups())
            seconds = sum(part * unit for part, unit in zip(parts, (604800, 86400, 3600, 60, 1), strict=True))
            self._channels[room].keeps = (lines, float(seconds))

    def created(self, room: Room, time: float) -> None:
        """The channel is there since then, by the server. What was said in one of that name before is forgotten."""
        if room in self._channels:
            self._channels[room].created = time

    def fenced(self, now: float) -> Iterator[Step]:
        """The PONG for the oldest fence."""
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
        """A batch of history is over; `msgid` and `time` are of its last line."""
        catching = self._channels.get(room)
        if catching is None or catching.stage is not _Stage.PAGES:
            return
        if 0 < self._page_size <= catching.page and catching.lines < _MOST:
            yield from self._turn_page(catching, msgid, time, now)
            return
        catching.complete = catching.page < self._page_size and (catching.overlap or self._was_there(catching))
        yield from self._settle(catching, now)

    def failed(self, room: Room, now: float) -> Iterable[Step]:
        """FAIL CHATHISTORY."""
        catching = self._channels.get(room)
        return self._settle(catching, now) if catching is not None and catching.stage is _Stage.PAGES else ()

    def who_ended(self, room: Room) -> Iterable[Step]:
        """The accounts of the people in the channel are known, as far as they can be."""
        catching = self._channels.get(room)
        return self._release(catching) if catching is not None and catching.stage is _Stage.ACCOUNTS else ()

    def tick(self, now: float) -> Iterator[Step]:
        """Give up waiting for an answer that does not come."""
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
        """Whether what the server told by itself reaches back to where we were."""
        if catching.overlap or catching.position is None:
            return True
        if catching.keeps is None or not self._was_there(catching):
            return False
        lines, seconds = catching.keeps
        return catching.lines < lines and catching.joined_at - catching.position.seen < seconds

    def _was_there(self, catching: _CatchUp) -> bool:
        """Whether the server heard all since we were there: a channel of services is as old as before when the server
        starts anew, and has forgotten all the same."""
        position = catching.position
        return position is None or (position.is_of(self._server) and (catching.created or 0.0) <= position.time)

    def _settle(self, catching: _CatchUp, now: float) -> Iterator[Step]:
        """Posts may go; and what was said is told, once we know who is who."""
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
        """What was said before, that we have caught up, and what was said meanwhile, each line once."""
        del self._channels[catching.room]
        told = {spoken.id for spoken in catching.told}
        yield from map(Old, catching.told)
        since = None if catching.position is None or catching.complete else catching.position.seen
        yield CaughtUp(catching.room, catching.joined_at, since, self._server)
        yield from (Now(spoken) for spoken in catching.live if spoken.id not in told)
