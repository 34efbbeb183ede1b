"""The shell around one puppet's session: its socket, its reader, and the posts on their way through it."""

import asyncio
import itertools
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from bridge.irc.dialect.formatting import stripped
from bridge.irc.dialect.operations import React, Say
from bridge.irc.effects import Write, written
from bridge.irc.puppets.faces import NotShown
from bridge.irc.puppets.session import Closed, Identified, NotSaid, Outcome, PuppetSession, Taken
from bridge.irc.wire.line import MAX_LINE, Unwritable, compose
from bridge.lib.bucket import TokenBucket
from bridge.network import InDoubt

log = structlog.get_logger()

_CHUNK = 4 * 1024
_RECORD = 18 * 1024
"""Bytes of a TLS record, at most (RFC 8446, section 5.2, and a little more)."""
_DEALT_WITH_WITHIN_S = 30.0
_SEEN_WITHIN_S = 6.0
"""Seconds after the server has dealt with a line in which the bridge sees it in the channel: they may be on different
servers of the network."""
_GONE_WITHIN_S = 4.0
"""Seconds after the end of a connection in which the bridge sees the puppet leave, and so all that it said before."""
_PING_AFTER_S, _DEAD_AFTER_S = 90.0, 150.0
_GOODBYE_S = 0.5
_LOGIN_WITHIN_S = 10.0
"""Seconds for a login to the services: servers give up on those who are not in after some 30."""
_DEBT = 1000.0
"""More lines than the rooms of a network may wait to have a puppet say at once."""


class Unseen(InDoubt):
    """The server of a puppet has dealt with its line, or is gone. If the bridge does not see the line within so many
    seconds, it is unknown whether it was shown. `dealt_with`: the server has; then what is said to one person is
    proved."""

    def __init__(self, reason: str, within_s: float, *, dealt_with: bool = False) -> None:
        super().__init__(reason, resend=True)
        self.within_s = within_s
        self.dealt_with = dealt_with


class Refused(NotShown):
    """The server did not take a line of a puppet, for that reason."""


Verdict = asyncio.Future[Unseen | Refused]
"""What the server of a puppet makes of a line."""


def slim(transport: asyncio.WriteTransport) -> None:
    """Let a TLS connection keep a buffer for one record instead of the 256 kB that asyncio gives each
    (`asyncio.sslproto`, Python 3.11 to 3.14). Does nothing where that has changed."""
    protocol: Any = getattr(transport, "_ssl_protocol", None)
    if isinstance(getattr(protocol, "_ssl_buffer", None), bytearray) and hasattr(protocol, "max_size"):
        protocol.max_size = _RECORD
        protocol._ssl_buffer = bytearray(_RECORD)
        protocol._ssl_buffer_view = memoryview(protocol._ssl_buffer)


class PuppetConnection:
    """One connection, from first line to last. `told` gets what concerns more than the connection."""

    def __init__(
        self, session: PuppetSession, streams: tuple[StreamReader, StreamWriter], told: Callable[[Outcome], None]
    ) -> None:
        self.session = session
        self._reader, self._writer = streams
        slim(self._writer.transport)
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._verdicts: dict[str, Verdict] = {}
        self._numbers = itertools.count(1)
        self._asked: dict[str, asyncio.Future[Identified | None]] = {}
        self._closed: Closed | None = None
        self._heard_at = self._loop.time()
        self._over = asyncio.Event()
        self._said_goodbye = False

    @property
    def open(self) -> bool:
        return self.session.online and not self._over.is_set() and not self._said_goodbye

    @property
    def is_speaking(self) -> bool:
        """Whether the server has not dealt with all lines yet."""
        return bool(self._verdicts)

    async def run(self) -> Closed:
        """Run until the connection is over; return why. Cancelling it says goodbye to the server."""
        reading = asyncio.create_task(self._read(), name="puppet read")
        try:
            self._do(self.session.start())
            self._loop.call_later(_LOGIN_WITHIN_S, self._login_overdue)
            await self._over.wait()
            return self._closed or Closed("the bridge is leaving")
        finally:
            if not self._over.is_set():
                self._goodbye("quackbridge")
                self._end(Closed("the bridge is leaving"))
            reading.cancel()
            await asyncio.wait([reading])
            await self._close()

    def quit(self, reason: str) -> None:
        """Say goodbye, and end."""
        if not self._over.is_set():
            self._goodbye(reason)
            self._end(Closed(reason))

    def show(self, lines: Sequence[Write]) -> None:
        """Write what changes how others see the puppet."""
        self._do(lines)

    def join(self, channel: str, key: str) -> None:
        self._do(self.session.join(channel, key))

    def notice(self, who: str, text: str) -> None:
        """Say something to somebody in private, which no program may answer."""
        self._do(written("NOTICE", who, text))

    def part(self, channel: str) -> None:
        self._do(self.session.part(channel))

    def say(self, post: str, target: str, line: bytes) -> Verdict:
        """Write the line of a post, each time it is tried. The verdict comes some 30 seconds later at the latest."""
        verdict: Verdict = self._loop.create_future()
        each = f"{post}-{next(self._numbers)}"
        self._verdicts[each] = verdict
        verdict.add_done_callback(lambda _: self._verdicts.pop(each, None))
        self._do(self.session.say(each, target, line))
        self._loop.call_later(_DEALT_WITH_WITHIN_S, self._overdue, verdict)
        return verdict

    async def whois(self, nick: str) -> Identified | None:
        """Who has a nick now; None if the connection ends first, or the server does not answer in time. Asks one
        question about a nick at a time."""
        asked: asyncio.Future[Identified | None] = self._loop.create_future()
        if self._over.is_set() or self._asked.setdefault(nick, asked) is not asked:
            return None
        try:
            self._do(self.session.whois(nick))
            async with asyncio.timeout(_DEALT_WITH_WITHIN_S):
                return await asked
        except TimeoutError:
            return None
        finally:
            del self._asked[nick]

    def tick(self, now: float) -> None:
        """Call every few seconds: asks a silent server whether it is there."""
        silent = now - self._heard_at
        if silent > _DEAD_AFTER_S:
            self._end(Closed("the server does not answer"))
        elif silent > _PING_AFTER_S:
            self._do([Write(b"PING alive\r\n")])

    def _login_overdue(self) -> None:
        if not self._over.is_set():
            self._do(self.session.login_overdue())

    def _overdue(self, verdict: Verdict) -> None:
        if not verdict.done():
            self._end(Closed("the server has not dealt with a line in time"))

    async def _read(self) -> None:
        rest = b""
        try:
            while data := await self._reader.read(_CHUNK):
                self._heard_at = self._loop.time()
                *lines, rest = (rest + data).split(b"\n")
                rest = rest if len(rest) <= MAX_LINE else b""
                for line in lines:
                    self._do(self.session.feed(line.rstrip(b"\r")))
                    if self._over.is_set():
                        return
                if len(data) == _CHUNK:
                    await asyncio.sleep(0)  # what is buffered already would not let others run
            self._end(Closed("the server closed the connection"))
        except (OSError, EOFError) as error:
            self._end(Closed(f"the connection broke: {error or type(error).__name__}"))

    def _do(self, outcomes: Iterable[Outcome]) -> None:
        out = b""
        for outcome in outcomes:
            match outcome:
                case Write(data):
                    out += data
                case NotSaid(each, reason):
                    self._settle(each, Refused(reason))
                case Taken(each):
                    self._settle(each, Unseen("nobody has seen the message", _SEEN_WITHIN_S, dealt_with=True))
                case Identified(nick) if (asked := self._asked.get(nick)) is not None and not asked.done():
                    asked.set_result(None if outcome.unanswered else outcome)
                case Closed():
                    self._end(outcome)
                case _:
                    self._told(outcome)
        if out and not self._over.is_set() and not self._writer.is_closing():
            self._writer.write(out)

    def _settle(self, each: str, outcome: Unseen | Refused) -> None:
        verdict = self._verdicts.get(each)
        if verdict is not None and not verdict.done():
            verdict.set_result(outcome)

    def _end(self, closed: Closed) -> None:
        if self._over.is_set():
            return
        self._closed = closed
        self._over.set()
        for each in [*self._verdicts]:
            self._settle(each, Unseen(f"the member's connection was lost: {closed.reason}", _GONE_WITHIN_S))
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result(None)

    def _goodbye(self, reason: str) -> None:
        if not self._said_goodbye and not self._writer.is_closing():
            self._said_goodbye = True
            self._writer.write(f"QUIT :{reason}\r\n".encode())

    async def _close(self) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                self._writer.close()
                await self._writer.wait_closed()
        self._writer.transport.abort()


def line_of(said: Say | React, tags: Mapping[str, str], *, plain: bool, limit: int) -> tuple[str, str, bytes] | None:
    """The line with which a puppet says or shows a post, with its command and its text; None if that is more than one
    line of `limit` bytes. `plain`: the channel takes neither formatting nor notices."""
    if isinstance(said, React):
        return _composed("TAGMSG", "", (said.target,), tags, limit) if tags else None
    command, text = said.command, said.unmarked
    if plain:
        command, text = "PRIVMSG", stripped(text)
    return _composed(command, text, (said.target, text), tags, limit) if text else None


def _composed(
    command: str, text: str, params: Sequence[str], tags: Mapping[str, str], limit: int
) -> tuple[str, str, bytes] | None:
    try:
        return command, text, compose(command, *params, tags=tags, limit=limit)
    except Unwritable:
        return None


class Pace:
    """A puppet's own flood budget."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._bucket = TokenBucket(max(1, burst), max(per_second, 0.001))

    async def turn(self) -> None:
        """Wait until a line may be written."""
        now = asyncio.get_running_loop().time()
        wait = self._bucket.wait_s(now)
        self._bucket.spend(now, debt=_DEBT)
        await asyncio.sleep(wait)
