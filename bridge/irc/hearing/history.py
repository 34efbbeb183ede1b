"""Catching up: tells what was said in a channel while we were away, as far as the server remembers it, before what is
said now; finds which of our own lines the server has."""

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from bridge.irc.dialect.convert import EventIds, Spoken, known_as
from bridge.irc.effects import CaughtUp, Joined, written
from bridge.irc.hearing.catchup import CatchUp, Stage
from bridge.irc.hearing.cursor import Position
from bridge.irc.hearing.pages import Pages
from bridge.irc.hearing.steps import AskWho, Fence, Now, Old, Step
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Line
from bridge.lib.lru import LruDict
from bridge.model.event import Room

CAPABILITY = "draft/chathistory"
PLAYBACK = "znc.in/playback"
"""ZNC's playback module (https://github.com/jpnurmi/znc-playback): it replays what it is asked for, nothing unasked."""
_ANSWER_WITHIN = 30.0
_WHOLE_WITHIN = 300.0
"""Seconds that a channel waits for its history in all, after the first page was asked for: each page may be slow."""
_BEFORE = 60.0
"""Seconds before the last heard line at which pages begin: a post of ours may be there, and its proof been lost."""
_PAGE = 100
"""Lines asked for at once if the server names no limit."""
_AT_ONCE = 4
"""Pages asked for at once, of all channels: each costs the server more than a line, and some slow us down for it."""
_OURS = 10_000
_TOLD = 20_000
"""Most lines that are remembered, of all channels, so that none of them is told twice on one connection."""
_KEPT_LINES, _KEPT_S = 20, 3_600.0
"""So many lines, for so many seconds, outlast a restart of ours."""
_KEEPS = re.compile(r"(\d+):(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
"""The parameter of InspIRCd's channel mode H: lines and duration, `500:1h30m`."""


class History:
    """Holds back what is said in a channel that we join until its history is told, and says when posts may go there
    (`settled`): once it is known which of them are there already. Sans I/O.

    A server that replays unasked (InspIRCd's chanhistory, a bouncer's playback) is done when it answers a PING written
    after the JOIN (`Fence`); another is asked page by page (https://ircv3.net/specs/extensions/chathistory). `supports`
    is what the server says about itself, `enabled` the capabilities that are on; `origin` differs for each connection.
    """

    def __init__(self, supports: Isupport, enabled: AbstractSet[str], origin: str = "") -> None:
        self._supports = supports
        self._enabled = enabled
        self._origin = f"{origin} history"
        self._ids = EventIds(self._origin)
        self._told: LruDict[tuple[Room, str], bool] = LruDict(_TOLD)  # True: by a history
        self._asked: deque[tuple[Room, tuple[str, ...]]] = deque()  # the first few are written
        self._channels: dict[Room, CatchUp] = {}
        self._positions: dict[Room, Position | None] = {}
        self._complete: set[Room] = set()
        self._showing: set[Room] = set()
        self._server = ""
        self._fences = 0
        self._ours: LruDict[str, str] = LruDict(_OURS)

    @property
    def asks_how_much_is_kept(self) -> bool:
        """Whether the answer to MODE (324) says how much history the server keeps, and nothing else does."""
        replays = bool(self._enabled & {"batch", "server-time"})
        return replays and self._supports.has_history_mode

    @property
    def _has_pages(self) -> bool:
        """Whether the server is asked page by page. Without batches nobody says where a page ends, and without times
        nobody says which lines are new."""
        return {CAPABILITY, "batch", "server-time"} <= self._enabled

    def told_by(self, server: str, created: str) -> None:
        """Note the server's name and creation time (003), which identify its run: most say when they were started."""
        self._server = hashlib.blake2s(f"{server} {created}".encode(), digest_size=4).hexdigest()

    def settled(self, room: Room) -> bool:
        """Whether we know all of our own lines that the server remembers."""
        catching = self._channels.get(room)
        return catching is None or catching.stage is Stage.ACCOUNTS

    def ours(self, post: str) -> str | None:
        """The network's id of a post that is in the history, else None."""
        return self._ours.get(post)

    def remembers(self, room: Room) -> bool:
        """Whether a post that is missing from the history of `room` was surely never sent. Without message-tags it is
        not sure: a bouncer may remember our lines without the tag by which we would know them."""
        return room in self._complete and "message-tags" in self._enabled

    def shows(self, room: Room) -> bool:
        """Whether a post to `room` will be in its history when we come back: the server says that it keeps the last
        lines for a good while, or has shown what we had heard before we were away."""
        return room in self._showing and self.remembers(room)

    def joined(self, room: Room, position: Position | None, now: float, server_time: float) -> Iterator[Step]:
        """We joined. `position` is what we heard last there; `server_time`: seconds since the epoch, by the server."""
        self._positions[room] = position
        if not self._enabled & {"batch", "server-time"}:  # it replays nothing
            yield Joined(room)
            yield CaughtUp(room, server_time, None if position is None else position.seen, self._server)
            return
        self._channels[room] = CatchUp(room, position, now, server_time, self._origin)
        if position is not None and PLAYBACK in self._enabled and not self._has_pages:
            yield from written("PRIVMSG", "*playback", f"PLAY {room.id} {_back_to(position):.3f}")
        yield from self._next_fence()

    def left(self, room: Room) -> None:
        """We left."""
        self._channels.pop(room, None)
        self._asked = deque(each for each in self._asked if each[0] != room)
        self._complete.discard(room)
        self._showing.discard(room)

    def heard(self, spoken: Spoken) -> Iterable[Step]:
        """A line is said now: passed on, or held back while we catch up. One that a history has told is not told again:
        the server remembered it before it reached us."""
        if self._told.get(key := (spoken.room, spoken.id)):
            return ()
        self._told[key] = False
        catching = self._channels.get(spoken.room)
        return () if catching is not None and catching.keep_live(spoken) else (Now(spoken),)

    def page_begun(self, room: Room) -> None:
        """A batch of history begins."""
        if (catching := self._channels.get(room)) is not None:
            catching.begin_page()

    def came(self, room: Room, line: Line, time: float) -> str | None:
        """A line of a channel's history, of any command: its id, None if it came before or there are too many."""
        catching = self._channels.get(room)
        if catching is None:
            return self._ids.of(line)
        id_ = catching.ids.of(line)
        return id_ if catching.came(id_, line.tags.get("msgid", ""), time) else None

    def replayed(self, spoken: Spoken, msgid: str) -> Iterable[Step]:
        """A line of history that has something to tell: held back while we catch up; else passed on, unless it was
        heard already."""
        catching = self._channels.get(spoken.room)
        if catching is not None:
            catching.lines += spoken.line.command != "REDACT"
            catching.keep_old(spoken, msgid)
            return ()
        position, key = self._positions.get(spoken.room), (spoken.room, spoken.id)
        if position is None or position.is_past(spoken.time, msgid) or self._told.get(key) is not None:
            return ()
        self._told[key] = True
        return (Old(spoken),)

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
            if catching.stage is Stage.FENCED:
                if self._has_pages and catching.position is not None:
                    catching.begin_pages(self._pages(catching.room, catching.position))
                    yield from self._ask(catching, catching.pages.first() if catching.pages else (), now)
                else:
                    catching.complete = self._is_complete(catching)
                    yield from self._settle(catching, now)
        yield from self._next_fence()

    def page_ended(self, room: Room, now: float, *, is_last: bool = False) -> Iterator[Step]:
        """A batch of history is over. `is_last`: the server says that nothing follows."""
        catching = self._channels.get(room)
        if catching is not None and catching.stage is Stage.PAGES and catching.pages is not None:
            yield from self._answered(room, now)
            asked = catching.pages.ended(reached=catching.reached, is_last=is_last)
            catching.turn()
            yield from self._ask(catching, () if catching.overflown else asked, now)

    def failed(self, rooms: Iterable[Room], code: str, now: float) -> Iterator[Step]:
        """The server does not answer a CHATHISTORY: FAIL with `code`, or that numeric. `rooms` are those that it names;
        if it names none, it is about the one that was asked about first."""
        asked = [room for room, _ in self._written]
        room = next((room for room in rooms if room in asked), asked[0] if asked else None)
        catching = self._channels.get(room) if room is not None else None
        if catching is not None and catching.stage is Stage.PAGES and catching.pages is not None:
            yield from self._answered(catching.room, now)
            yield from self._ask(catching, catching.pages.refused(code), now)

    def who_ended(self, room: Room) -> Iterable[Step]:
        """The accounts of the people in the channel are now known, as far as possible."""
        catching = self._channels.get(room)
        return self._release(catching) if catching is not None and catching.stage is Stage.ACCOUNTS else ()

    def tick(self, now: float) -> Iterator[Step]:
        """Give up on overdue answers."""
        for catching in [*self._channels.values()]:
            if self._is_overdue(catching, now):
                if catching.stage is not Stage.ACCOUNTS:
                    yield from self._settle(catching, now)
                if catching.room in self._channels:
                    yield from self._release(catching)
                yield from self._answered(catching.room, now)
        yield from self._admit(now)

    def _is_overdue(self, catching: CatchUp, now: float) -> bool:
        if catching.asked_at is not None and now - catching.asked_at > _WHOLE_WITHIN:
            return True
        return now - catching.since > _ANSWER_WITHIN and catching.stage is not Stage.WAITS

    def _pages(self, room: Room, position: Position) -> Pages:
        size = min(self._supports.chathistory or _PAGE, 1000)
        return Pages(room.id, _back_to(position), position.msgid, size, self._supports.message_references)

    @property
    def _written(self) -> list[tuple[Room, tuple[str, ...]]]:
        return [*self._asked][:_AT_ONCE]

    def _ask(self, catching: CatchUp, request: tuple[str, ...], now: float) -> Iterator[Step]:
        """Ask for a page as soon as it is its turn; without a request, the history is over."""
        if not request:
            pages = catching.pages
            complete = pages is not None and pages.complete
            catching.overlap |= pages is not None and pages.anchored
            catching.complete = complete and self._is_complete(catching)
            yield from self._settle(catching, now)
            return
        self._asked.append((catching.room, request))
        catching.stage = Stage.WAITS
        yield from self._admit(now)

    def _admit(self, now: float) -> Iterator[Step]:
        """Write the requests whose turn it is."""
        for room, request in self._written:
            catching = self._channels.get(room)
            if catching is not None and catching.stage is Stage.WAITS:
                catching.stage, catching.since = Stage.PAGES, now
                catching.asked_at = now if catching.asked_at is None else catching.asked_at
                catching.begin_page()
                yield from written("CHATHISTORY", *request)

    def _answered(self, room: Room, now: float) -> Iterator[Step]:
        """What was asked about a channel is answered, or never will be."""
        first = next((each for each in self._written if each[0] == room), None)
        if first is not None:
            self._asked.remove(first)
        yield from self._admit(now)

    def _next_fence(self) -> Iterator[Step]:
        fresh = [catching for catching in self._channels.values() if catching.stage is Stage.NEW]
        if fresh and not self._fences:
            self._fences += 1
            for catching in fresh:
                catching.stage = Stage.FENCED
            yield Fence()

    def _is_complete(self, catching: CatchUp) -> bool:
        """Whether what the server has told reaches back to our position. Where nobody says how much it keeps, the last
        line that we have heard must be in it: UnrealIRCd answers for channels without history as if nothing was said,
        and Ergo may show nothing of before we joined."""
        if catching.overlap or catching.position is None:
            return True
        if catching.pages is not None and not self._supports.has_history_mode:
            return self._was_there(catching) and not catching.position.msgid
        if catching.keeps is None or not self._was_there(catching):
            return False
        lines, seconds = catching.keeps
        return catching.lines < lines and catching.joined_at - catching.position.seen < seconds

    def _was_there(self, catching: CatchUp) -> bool:
        """Whether this run of the server heard all since our position. The channel's age alone does not tell: services
        restore it when the server restarts, but its history is gone."""
        position = catching.position
        return position is None or (position.is_of(self._server) and (catching.created or 0.0) <= position.time)

    def _settle(self, catching: CatchUp, now: float) -> Iterator[Step]:
        """Posts may go out now; the history is told once we know its speakers' accounts."""
        catching.close()
        if catching.complete:
            self._complete.add(catching.room)
        lines, seconds = catching.keeps or (0, 0.0)
        if catching.overlap or (lines >= _KEPT_LINES and seconds >= _KEPT_S):
            self._showing.add(catching.room)
        catching.stage, catching.since = Stage.ACCOUNTS, now
        yield Joined(catching.room)
        unknown = any("account" not in spoken.line.tags for spoken in catching.told)
        if unknown and self._supports.whox and "account-tag" in self._enabled:
            yield AskWho(catching.room.id)
        else:
            yield from self._release(catching)

    def _release(self, catching: CatchUp) -> Iterator[Step]:
        """Tell the history, then that we have caught up, then what was said meanwhile; each line once. What a history
        and we have heard is told as said now: that all came in order."""
        room, live = catching.room, {spoken.id for spoken in catching.live}
        del self._channels[room]
        for spoken in catching.told:
            if spoken.id not in live:
                self._told[room, spoken.id] = True
                yield Old(spoken)
        since = None if catching.position is None or catching.complete else catching.position.seen
        yield CaughtUp(room, catching.joined_at, since, self._server)
        yield from map(Now, catching.live)


def _back_to(position: Position) -> float:
    """From when on the history is asked for. The server's clock may have been wrong when it told the last line's time:
    then what it says now is older than that."""
    return max(0.0, min(position.time, position.seen or position.time) - _BEFORE)
