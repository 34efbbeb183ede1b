"""The shell around one session: its socket, its reader, its clock, and the posts on their way through it."""

import asyncio
import logging
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from bridge.irc.backoff import Ending
from bridge.irc.dialect.operations import Operation, is_speech
from bridge.irc.effects import (
    Barred,
    Broken,
    CaughtUp,
    Effect,
    Failed,
    Heard,
    Joined,
    Left,
    MaySpeak,
    NetworkFound,
    Notable,
    Online,
    Pledged,
    Proved,
    Rejected,
    Typed,
    Upgrade,
    Write,
)
from bridge.irc.flood import Flood
from bridge.irc.inbox import Inbox
from bridge.irc.session.commands import PROBE
from bridge.irc.session.session import Session
from bridge.irc.settings import IrcSettings
from bridge.irc.typing import TypingShown
from bridge.irc.wire import line as wire
from bridge.irc.wire.line import Line, LineBuffer
from bridge.model.event import Room
from bridge.model.outbox import Post
from bridge.network import PermanentError, SendError, TransientError

log = structlog.get_logger()

_CHUNK = 4 * 1024
"""Bytes read at once: some 40 lines, a few milliseconds of work; from a hostile server a thousand lines, some ten."""
_BUSY = 0.005
"""Seconds of work after which an equally long rest is due: no server gets more than half of the event loop."""
_BEAT = 1.0
_PROOF_WITHIN = 30.0
_SAFE_TIMES = 10
_PROBED_WITHIN = 3.0
_GOODBYE = 0.8
"""Seconds for saying goodbye; the daemon must end within five."""
_COSTLY = (b"@batch=", b"CHATHISTORY ", b"JOIN ", b"NICK ", b"NOTICE ", b"PART ", b"WHO ", b"WHOIS ")
"""Commands that do not wait for the flood budget, but count against it: the server counts them like messages."""
_FLOODED = re.compile(r"\bflood|\brecvq\b", re.IGNORECASE)
"""Found in the reason that a server gives when it drops us for writing too fast."""
_EXPELLED = re.compile(r"\bkill|\bspam|\bfilter|\bbanned|\b[agkz]-?:?lined?\b|\bshun", re.IGNORECASE)
"""Found in the reason that a server gives when it throws us out for what we said."""

Flight = asyncio.Future[str | SendError]
"""The pending outcome of a written line: the network's id of the post, or an error."""


class Lost(TransientError):
    """The line was written; it may or may not have arrived. `why` the connection ended; `cut_off`: the server ended it;
    `expelled`: and said that it throws us out, perhaps for this line."""

    def __init__(self, why: str, *, cut_off: bool, expelled: bool) -> None:
        super().__init__(f"the connection was lost before the server confirmed the message: {why}", unclear=True)
        self.why = why
        self.cut_off = cut_off
        self.expelled = expelled


class Connection:
    """One connection, from first line to last. `changed` is called when we come online, enter a room or leave one."""

    def __init__(
        self,
        settings: IrcSettings,
        session: Session,
        streams: tuple[StreamReader, StreamWriter],
        inbox: Inbox,
        *,
        clock: Callable[[], float],
        changed: Callable[[Effect], None],
        flood: Flood[asyncio.Future[bool]],
    ) -> None:
        self._settings = settings
        self.session = session
        self._reader, self._writer = streams
        self._inbox = inbox
        self._clock = clock
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._flood = flood
        session.channels.may_write = flood.may_go_aside
        self._typing = TypingShown()
        self._timer: asyncio.TimerHandle | None = None
        self._flights: dict[str, Flight] = {}
        self._muted: set[str] = set()
        self._over = asyncio.Event()
        self.heard: float | None = None
        """When the server last said anything (seconds since the epoch)."""
        self._ending = Ending("the bridge is leaving")
        self._online_at: float | None = None
        self._paused = False
        self._leaving = False
        self._said_goodbye = False

    async def run(self) -> Ending:
        """Run until the connection is over; return why. Cancelling it says goodbye to the server."""
        try:
            self._do(self.session.start())
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read(), name=f"irc {self._settings.name} read"),
                    group.create_task(self._beat(), name=f"irc {self._settings.name} beat"),
                ]
                await self._over.wait()
                for task in tasks:
                    task.cancel()
            return self._ending
        finally:
            abruptly = not self._over.is_set()
            self._end(self._ending)
            await self._close(politely=abruptly and not self._leaving)

    def leave(self) -> None:
        """Say goodbye, and read on until the server closes the connection, for `_GOODBYE` seconds at most."""
        if not self._leaving:
            self._do(self.session.quit())
            self._leaving = True
            self._loop.call_later(_GOODBYE, self._end, self._ending)

    @property
    def open(self) -> bool:
        """Whether we are logged in and may write."""
        return self.session.online and not self._leaving and not self._over.is_set()

    @property
    def silent(self) -> bool:
        """Whether the server counts as dead, though the connection is kept: it may wake up."""
        return self.open and self.session.is_silent(self._loop.time())

    def set_rooms(self, rooms: Sequence[Room]) -> None:
        """Replace the configured rooms. Writes nothing if the connection is over."""
        self._do(self.session.set_rooms(rooms))

    async def turn(self, room: Room) -> bool:
        """Wait until the flood budget lets one line of `room` out; False if the connection ends first."""
        ticket: asyncio.Future[bool] = self._loop.create_future()
        self._flood.queue(room, ticket)
        self._pump()
        try:
            return await ticket and self.open
        finally:
            self._flood.withdraw(room, ticket)

    def launch(self, post: Post, operation: Operation) -> "Flight":
        """Write one line of `post`. Call `turn` first. Raises `Needless` if the server has nothing to show it by."""
        flight: Flight = self._loop.create_future()
        effects = self.session.perform(post.id, operation)
        self._flights[post.id] = flight
        self._do(effects)
        if is_speech(operation):
            self._typing.spoke(post.room)
        return flight

    def whispered(self, line: Line, owner: str, identity: str, account: str | None) -> None:
        """Somebody has said a line to the puppet of `owner`; see `Session.whispered`."""
        self._do(self.session.whispered(line, owner, identity, account, self._loop.time(), self._clock()))

    def watch(self, post: str) -> "Flight":
        """The outcome of a post that a puppet is about to write: we see it in the channel. Call `unwatch` at last."""
        flight: Flight = self._loop.create_future()
        self._flights[post] = flight
        return flight

    def unwatch(self, post: str) -> None:
        self._flights.pop(post, None)

    def typing(self, room: Room, *, active: bool) -> None:
        """Show that somebody types in `room`, or has stopped, as soon as no message has to wait for that."""
        self._typing.change(room, self._loop.time(), active=active)
        self._show_typing()

    def _show_typing(self) -> None:
        now = self._loop.time()
        for room, what in self._typing.due(now):
            if not self.open or not self._flood.spare(now):
                return
            effects = self.session.typing(room.id, what)
            if effects:
                self._flood.charge(now)
                self._do(effects)
            self._typing.wrote(room, what, now)

    async def landed(self, post: Post, flight: "Flight", *, speech: bool = True) -> str:
        """Wait for the proof of delivery; return the network's id of the post. Raises SendError if it was not taken.
        `speech`: if it was taken, the channel lets us speak."""
        patience = self._loop.call_later(self._proof_within, self._overdue, flight)
        try:
            outcome = await flight
        finally:
            patience.cancel()
        if isinstance(outcome, SendError):
            if not self._over.is_set():
                self._complain(post.room, outcome)
            raise outcome
        if speech:
            self._muted.discard(post.room.id)
            self._do(self.session.spoke(post.room.id))
        return outcome

    @property
    def _proof_within(self) -> float:
        """A bouncer that lets us write as fast as we can writes to its server as slowly as it must."""
        return _PROOF_WITHIN * (_SAFE_TIMES if self.session.isupport.safe_rate else 1)

    async def answers(self) -> None:
        """Return when the server has answered a PING. Raises TransientError if the connection ends first."""
        flight = self._flights[PROBE] = self._loop.create_future()
        self._do(self.session.probe())
        patience = self._loop.call_later(_PROOF_WITHIN, self._overdue, flight)
        try:
            if isinstance(await flight, SendError):
                raise TransientError("the connection was lost before the line was written")
        finally:
            patience.cancel()

    def _overdue(self, flight: "Flight") -> None:
        """There is no proof in time. If the server still answers a PING, it may be this line that it does not bear."""
        if flight.done():
            return
        if self._paused:  # the proof may be there, unread
            self._loop.call_later(_PROOF_WITHIN, self._overdue, flight)
            return
        probe: Flight = self._loop.create_future()
        if self._flights.setdefault(PROBE, probe) is probe:
            self._do(self.session.probe())
        self._loop.call_later(min(_PROBED_WITHIN, _PROOF_WITHIN), self._give_up, flight, probe)

    def _give_up(self, flight: "Flight", probe: "Flight") -> None:
        if not flight.done():
            answers = probe.done() and isinstance(probe.result(), str)
            self._end(Ending(f"no confirmation of a message within {_PROOF_WITHIN:.0f} s", by_server=answers))

    def _complain(self, room: Room, error: SendError) -> None:
        """Log the error once per room, until the room takes a post again."""
        if self.session.absence(room.id) or room.id in self._muted or isinstance(error, PermanentError):
            return
        self._muted.add(room.id)
        hint = f"messages for this channel wait, and go as soon as it lets {self.session.nick} speak"
        log.warning("cannot_speak", network=self._settings.name, room=str(room), reason=str(error), hint=hint)

    async def _read(self) -> None:
        buffer = LineBuffer(self._settings.encoding)
        try:
            while data := await self._reader.read(_CHUNK):
                now, wall = self._loop.time(), self._clock()
                self._inbox.until = self.heard = wall
                for line in buffer.feed(data):
                    self._do(self.session.feed(line, now, wall))
                    if self._over.is_set():
                        return
                await self._writer.drain()
                await self._breathe()
                busy = self._loop.time() - now
                if busy > _BUSY:
                    await asyncio.sleep(busy)
                elif len(data) == _CHUNK:
                    await asyncio.sleep(0)  # reading what is buffered already would not let other tasks run
        except (OSError, EOFError) as error:
            self._end(Ending(f"the connection broke: {error or type(error).__name__}", by_server=True))
            return
        self._inbox.until = self._clock()  # the server closed after all that it said, so we missed nothing
        self._do(self.session.closed())

    async def _breathe(self) -> None:
        """Stop reading while the inbox is full."""
        self._paused = self._inbox.full
        await self._inbox.room()
        self._paused = False

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            now = self._loop.time()
            if self._paused:
                self.session.paused(now)
            self._do(self.session.tick(now))
            self._show_typing()

    def _do(self, effects: list[Effect]) -> None:
        closed, out = self._over.is_set(), b""
        for effect in effects:
            match effect:
                case Write(data, is_secret):
                    out += self._charged(data)
                    if log.is_enabled_for(logging.DEBUG):  # else the line is parsed for nothing
                        log.debug("wrote", network=self._settings.name, line=_shown(data, is_secret=is_secret))
                case Heard() | Typed():
                    self._inbox.put(effect)
                case CaughtUp():
                    self._inbox.put(effect)
                    self._changed(effect)
                case Proved(post, remote_id):
                    self._land(post, remote_id)
                case Failed(post, _, error):
                    self._land(post, error)
                case Broken() | Rejected() | Upgrade():
                    self._end(_ending(effect))
                case Online() | Joined() | Left() | Barred() | MaySpeak() | Notable() | Pledged() | NetworkFound():
                    self._tell(effect)
        self._write(out, closed=closed)

    def _write(self, data: bytes, *, closed: bool) -> None:
        """Write all at once: if the server has closed, a second write would end the connection before we read why."""
        if data and not closed and not self._writer.is_closing():
            self._writer.write(data)

    def _charged(self, data: bytes) -> bytes:
        """Count a line that is about to be written against the flood budget, if it is costly."""
        if self._online_at is not None and data.startswith(_COSTLY):
            self._flood.charge(self._loop.time())
        self._said_goodbye |= data.startswith(b"QUIT ")
        return data

    def _tell(self, effect: Online | Joined | Left | Barred | MaySpeak | Notable | Pledged | NetworkFound) -> None:
        bound = log.bind(network=self._settings.name)
        match effect:
            case Online(nick):
                self._online_at = self._loop.time()
                bound.info("online", nick=nick)
            case Joined(room):
                bound.info("joined", room=str(room))
            case Left(room, reason, pause):
                bound.warning("left", room=str(room), reason=reason, retry_in_s=pause)
            case Barred(room, reason, hint, pause, news):
                say = bound.error if news else bound.debug
                say("not_joined", room=str(room), reason=reason, hint=self._hint(hint), retry_in_s=pause)
            case MaySpeak(room):
                bound.info("may_speak", room=str(room))
            case Notable(event, reason):
                bound.info(event, detail=reason)
            case Pledged(duration):
                bound.debug("tls_only", duration_s=duration)
            case NetworkFound(netid):
                bound.info("bouncer_network", netid=netid)
        self._changed(effect)

    def _hint(self, hint: str) -> str:
        return f"{hint.replace('{us}', self.session.nick)}; messages for it wait"

    def _land(self, post: str, outcome: str | SendError) -> None:
        flight = self._flights.pop(post, None)
        if flight is not None and not flight.done():
            flight.set_result(outcome)

    def _pump(self) -> None:
        now = self._loop.time()
        self._flood.is_safe = self.session.isupport.safe_rate
        for ticket in self._flood.grant(now):
            if not ticket.done():
                ticket.set_result(True)
        if self._timer is not None:
            self._timer.cancel()
        wait = self._flood.wait(now)
        self._timer = None if wait is None else self._loop.call_later(wait, self._pump)

    def _end(self, ending: Ending) -> None:
        """End the connection, and release everything that waits for it."""
        if self._over.is_set():
            return
        self._do(self.session.lost())
        now = self._loop.time()
        since = now - self._online_at if self._online_at is not None else 0.0
        flooded = self._flood.lately(now) if _FLOODED.search(ending.reason) else 0
        self._ending = replace(ending, online_for=since, flooded=flooded)
        self._over.set()
        said = ending.everywhere or (_EXPELLED.search(ending.reason) and not flooded)
        expelled = ending.turned_away and bool(said)
        for post in [*self._flights]:
            self._land(post, Lost(ending.reason, cut_off=ending.by_server, expelled=expelled))
        for ticket in self._flood.drain():
            if not ticket.done():
                ticket.set_result(False)
        if self._timer is not None:
            self._timer.cancel()

    async def _close(self, *, politely: bool) -> None:
        """Say goodbye, unless the server has ended the connection, and close the socket. `politely`: wait until the
        server closes, so that no line is lost."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                if not (self._said_goodbye or self._ending.by_server or self._writer.is_closing()):
                    for effect in self.session.quit():
                        if isinstance(effect, Write):
                            self._writer.write(effect.data)
                if politely:
                    await self._writer.drain()
                    while await self._reader.read(_CHUNK):
                        pass
                self._writer.close()
                await self._writer.wait_closed()
        self._writer.transport.abort()


def _ending(effect: Broken | Rejected | Upgrade) -> Ending:
    match effect:
        case Broken(reason, pause, turned_away, by_server, everywhere):
            by_server = by_server or turned_away
            return Ending(reason, pause, turned_away=turned_away, by_server=by_server, everywhere=everywhere)
        case Rejected(reason, key):
            return Ending(reason, rejected=True, key=key)
        case Upgrade(port):
            return Ending(f"the server wants TLS, on its port {port}", upgrade=port)


def _shown(data: bytes, *, is_secret: bool) -> str:
    return f"{data.partition(b' ')[0].decode(errors='replace')} [redacted]" if is_secret else wire.redacted(data)
