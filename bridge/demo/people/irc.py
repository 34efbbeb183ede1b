"""A person on IRC: an asyncio stream, and as much of RFC 1459 and IRCv3 as a conversation needs."""

import asyncio
import base64
import re
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bridge.demo.people.heard import Ears, Heard, Wanted

TIMEOUT = 10.0  # seconds to wait by default: what takes longer on loopback is broken

_LINE = 65536  # bytes: more than tags (8191) and line (512) of any server
_UNESCAPED = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_NAME = re.compile(r"(\A(?:\[[0-9: UTC-]+\] )?(?:<|\* ))(?:\x03[0-9]{2}(?:\x02\x02)?)?([^\x03\x0f>]*)(\x0f?)")
"""The mark at the beginning of a carried line: the name in it may have a colour."""
_REFUSED_JOIN = {"403", "405", "437", "461", "471", "473", "474", "475", "476", "477", "520"}
_REFUSED_NICK = {"432", "433", "436", "437", "484"}


class IrcError(Exception):
    """The server refused what the person asked for; the text is the server's line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line from the server. `source` is the nick, or the server's name."""

    tags: Mapping[str, str]
    prefix: str
    command: str
    params: tuple[str, ...]
    raw: str

    @property
    def source(self) -> str:
        return self.prefix.partition("!")[0]

    @classmethod
    def parse(cls, raw: str) -> "Line":
        rest, tags, prefix = raw, {}, ""
        if rest.startswith("@"):
            section, _, rest = rest[1:].partition(" ")
            pairs = (tag.partition("=") for tag in section.split(";"))
            tags = {key: _unescape(value) for key, _, value in pairs}
        rest = rest.lstrip(" ")
        if rest.startswith(":"):
            prefix, _, rest = rest[1:].partition(" ")
        head, colon, last = (" " + rest).partition(" :")
        words = head.split()
        return cls(tags, prefix, words[0].upper() if words else "", (*words[1:], *([last] if colon else [])), raw)


class IrcPerson:
    """Connects on entering the context, quits on leaving it. `caps` are asked for if the server has them and are
    then in `active`; `sasl` is (account, password), and raises `IrcError` if it fails."""

    def __init__(
        self,
        host: str,
        port: int,
        nick: str,
        *,
        caps: Sequence[str] = (),
        sasl: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        password: str | None = None,
    ) -> None:
        self.nick = nick
        self.active: set[str] = set()
        self.lines: list[Line] = []
        """Every line that the server sent."""
        self._where = (host, port, tls)
        self._caps = {*caps, *(["sasl"] if sasl else [])}
        self._sasl = sasl
        self._password = password
        self._ears = Ears()

    @property
    def messages(self) -> Sequence[Heard]:
        return self._ears.messages

    # Speaking

    async def say(self, target: str, text: str) -> None:
        """PRIVMSG to a channel or a nick."""
        await self.raw(f"PRIVMSG {target} :{text}")

    async def me(self, target: str, text: str) -> None:
        await self.say(target, f"\x01ACTION {text}\x01")

    async def notice(self, target: str, text: str) -> None:
        await self.raw(f"NOTICE {target} :{text}")

    async def raw(self, line: str) -> None:
        """Send `line` as it is."""
        self._writer.write(line.encode() + b"\r\n")
        await self._writer.drain()

    async def ping(self, timeout: float = TIMEOUT) -> None:
        """A barrier: return when the server has handled all that was sent before, and its answers were heard."""
        # Any PONG will do, for not every server repeats what it was sent
        await self.ask("PING barrier", lambda line: line.command == "PONG", timeout)

    # Channels

    async def join(self, channel: str, key: str = "", timeout: float = TIMEOUT) -> None:
        """Return when the channel has been joined. Raises IrcError if the server refuses."""

        def answered(line: Line) -> bool:
            names = [param.lower() for param in line.params]
            return line.command in {"366", *_REFUSED_JOIN} and channel.lower() in names

        line = await self.ask(f"JOIN {channel} {key}".rstrip(), answered, timeout)
        if line.command != "366":
            raise IrcError(line.raw)

    async def part(self, channel: str, reason: str = "bye", timeout: float = TIMEOUT) -> None:
        await self.ask(f"PART {channel} :{reason}", lambda line: self._mine(line, "PART"), timeout)

    async def rename(self, nick: str, timeout: float = TIMEOUT) -> None:
        """Change the nick. Raises IrcError if the server refuses."""
        line = await self.ask(
            f"NICK {nick}", lambda line: self._mine(line, "NICK") or line.command in _REFUSED_NICK, timeout
        )
        if line.command != "NICK":
            raise IrcError(line.raw)
        self.nick = nick

    async def names(self, channel: str, timeout: float = TIMEOUT) -> set[str]:
        """The nicks in `channel`, without prefixes."""
        start = len(self.lines)
        await self.ask(f"NAMES {channel}", lambda line: line.command == "366", timeout)
        replies = [line for line in self.lines[start:] if line.command == "353"]
        return {name.lstrip("~&@%+").partition("!")[0] for line in replies for name in line.params[-1].split()}

    # Hearing

    async def heard(self, wanted: Wanted, timeout: float = TIMEOUT) -> Heard:
        """The first message heard since connecting whose text contains `wanted` (or for which it is true). Raises
        NotHeard, with what was heard, if it does not come within `timeout` seconds."""
        return await self._ears.heard(wanted, timeout)

    def listen(self) -> AsyncGenerator[Heard, None]:
        """Every message heard so far, then each as it comes, until the connection ends."""
        return self._ears.follow()

    async def ask(self, command: str, answers: Callable[[Line], bool], timeout: float = TIMEOUT) -> Line:
        """Send `command` and return the first line after it for which `answers` is true."""
        start = len(self.lines)
        await self.raw(command)
        return await self.line(answers, start, timeout, command.partition(" ")[0])

    async def line(
        self, wanted: Callable[[Line], bool], start: int = 0, timeout: float = TIMEOUT, what: str = "line"
    ) -> Line:
        """Wait for the first of `lines`, from index `start` on, that is `wanted`."""
        found: Line | None = None

        def seen() -> bool:
            nonlocal found, start
            while start < len(self.lines) and found is None:
                found = self.lines[start] if wanted(self.lines[start]) else None
                start += 1
            return found is not None

        await self._ears.until(seen, timeout, f"{self.nick}: {what}")
        assert found is not None
        return found

    # Coming and going

    async def connect(self) -> None:
        """Connect, register, and return after the end of the MOTD."""
        host, port, tls = self._where
        self._reader, self._writer = await asyncio.open_connection(host, port, ssl=tls, limit=_LINE)
        self._listening = asyncio.create_task(self._listen(), name=f"{self.nick} listens")  # ended in `close`
        try:
            await self._register()
        except BaseException:
            await self.close()
            raise

    async def quit(self, reason: str = "bye") -> None:
        with suppress(ConnectionError, TimeoutError):
            await self.raw(f"QUIT :{reason}")
            async with asyncio.timeout(1):  # one second: some servers do not close the connection themselves
                await asyncio.wait([self._listening])
        await self.close()

    async def close(self) -> None:
        """Drop the connection without QUIT."""
        self._listening.cancel()
        await asyncio.wait([self._listening])
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.quit()

    async def _register(self) -> None:
        if self._password:
            await self.raw(f"PASS {self._password}")
        if self._caps:
            await self.raw("CAP LS 302")
        await self.raw(f"USER {self.nick} 0 * :{self.nick}")  # first: one small server registers at NICK already
        await self.raw(f"NICK {self.nick}")
        if self._caps:
            await self._negotiate()
        line = await self.line(lambda line: line.command in {"376", "422", *_REFUSED_NICK}, what="welcome")
        if line.command in _REFUSED_NICK:
            raise IrcError(line.raw)

    async def _negotiate(self) -> None:
        last = await self.line(lambda line: line.command == "421" or _is_last_ls(line), what="CAP LS")
        if last.command == "421":  # a server from before capabilities
            return
        lists = [line.params[-1] for line in self.lines if line.command == "CAP" and line.params[1] == "LS"]
        offered = {word.partition("=")[0] for words in lists for word in words.split()}
        if wanted := sorted(self._caps & offered):
            answer = await self.ask(f"CAP REQ :{' '.join(wanted)}", _is_cap_answer)
            self.active = set(wanted) if answer.params[1] == "ACK" else set()
        if self._sasl:
            await self._authenticate(*self._sasl)
        await self.raw("CAP END")

    async def _authenticate(self, account: str, password: str) -> None:
        if "sasl" not in self.active:
            raise IrcError("the server has no SASL")
        await self.ask("AUTHENTICATE PLAIN", lambda line: line.command == "AUTHENTICATE")
        secret = base64.b64encode(f"{account}\0{account}\0{password}".encode()).decode()
        results = {"903", "902", "904", "905", "906", "907"}
        answer = await self.ask(f"AUTHENTICATE {secret}", lambda line: line.command in results)
        if answer.command != "903":
            raise IrcError(answer.raw)

    async def _listen(self) -> None:
        reason = "the server closed the connection"
        try:
            while data := await self._reader.readline():
                line = Line.parse(data.decode(errors="replace").rstrip("\r\n"))
                await self._take(line)
                if line.command == "ERROR":  # the last word of a server (RFC 2812 section 3.7.4)
                    reason = line.raw
                    break
        except OSError as error:
            reason = f"the connection broke: {error}"
        finally:
            self._ears.go_deaf(reason)

    async def _take(self, line: Line) -> None:
        self.lines.append(line)
        if line.command == "PING":
            await self.raw(f"PONG :{line.params[-1]}")
        elif line.command in {"PRIVMSG", "NOTICE"} and len(line.params) == 2:
            self._ears.take(_message(line))
        self._ears.wake()

    def _mine(self, line: Line, command: str) -> bool:
        return line.command == command and line.source == self.nick


def as_read(text: str) -> str:
    """`text` with the name at its beginning as people read it: without its colour, and the invisible sign in it."""
    return _NAME.sub(lambda name: name[1] + name[2].replace("\u200b", ""), text, count=1)


def _message(line: Line) -> Heard:
    target, text = line.params
    kind = "text" if line.command == "PRIVMSG" else "notice"
    if text.startswith("\x01ACTION "):
        kind, text = "action", text.removeprefix("\x01ACTION ").removesuffix("\x01")
    return Heard(target, line.source, as_read(text), kind, time.monotonic(), line.tags.get("msgid", ""), line.tags)


def _is_last_ls(line: Line) -> bool:
    return line.command == "CAP" and line.params[1] == "LS" and line.params[2] != "*"


def _is_cap_answer(line: Line) -> bool:
    return line.command == "CAP" and line.params[1] in {"ACK", "NAK"}


def _unescape(value: str) -> str:
    """Unescape a tag (IRCv3 message-tags, "Escaping values")."""
    characters = iter(value)
    return "".join(_UNESCAPED.get(c := next(characters, ""), c) if char == "\\" else char for char in characters)
