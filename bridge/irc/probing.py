"""Tries an IRC network without starting the bridge: TLS, what it offers, the nick, the account, one channel.

It runs the bridge's own `Session` on a connection of its own, so that what works here works there. Every wait is
bounded. What goes wrong is a `ProbeError`.
"""

import asyncio
import random
import re
import secrets
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509

from bridge.irc.backoff import Ending
from bridge.irc.dialing import pins
from bridge.irc.dialing.dial import Dial, Dialed
from bridge.irc.dialing.servers import Address
from bridge.irc.effects import Barred, Broken, Effect, Heard, Joined, Left, Notable, Online, Rejected, Upgrade, Write
from bridge.irc.session.session import Session
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.line import Line, LineBuffer, compose, parse
from bridge.model.event import Message, Room
from bridge.model.people import Sender
from bridge.model.text import one_line, plain, printable

_CONNECT_S = 30.0
_WELCOME_S = 60.0
"""Seconds until the server lets us in: some look up host names first, and wait for ident."""
_JOIN_S = 30.0
_CERTIFICATE_S = 10.0
_ANSWER_S = 5.0
_CHUNK = 4096
_BEAT_S = 0.5
_MOST_HEARD = 1000
"""Most lines of speech that are kept while nobody asks for them."""
_MOST_OPS = 100
_LONG = 300

_MODES = {
    "m": "moderated (+m): only those with voice may speak",
    "r": "for registered nicks only (+r)",
    "R": "for registered nicks only (+R)",
    "i": "invite-only (+i)",
    "k": "with a key, a password (+k)",
    "l": "with a limit of people (+l)",
    "c": "without colours (+c)",
    "S": "without colours (+S)",
    "s": "secret (+s)",
    "p": "private (+p)",
    "n": "no messages from outside (+n)",
    "t": "only operators set the topic (+t)",
    "z": "for TLS connections only (+z)",
    "N": "no change of nick (+N)",
    "C": "no CTCP (+C)",
    "M": "only registered nicks may speak (+M)",
}

# Exceptions of probing:
#   ProbeError        something does not work; the text is a sentence for the operator
#     Untrusted       the server's certificate is not trusted
#     NickInUse       somebody else has the nick
#     LoginRequired   the network lets only those in who log in to an account
#     BadLogin        the network does not accept the account or its password
#     NoEntry         the channel does not let us in


class ProbeError(Exception):
    """Something does not work. The text is a sentence for the operator."""


class Untrusted(ProbeError):
    """The server's certificate is not trusted. `fingerprint`: as it would be pinned; `days_left`: negative if it has
    expired, None if unknown."""

    def __init__(self, reason: str, fingerprint: str, days_left: int | None) -> None:
        super().__init__(reason)
        self.fingerprint = fingerprint
        self.days_left = days_left


class NickInUse(ProbeError):
    """Somebody else has the nick, or the network holds it for its owner."""


class LoginRequired(ProbeError):
    """The network lets only those in who log in to an account with SASL."""


class BadLogin(ProbeError):
    """The network does not accept the account or its password."""


class NoEntry(ProbeError):
    """The channel does not let us in."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate. `days_left`: until it expires, None if that cannot be read."""

    fingerprint: str
    days_left: int | None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers: the names of its capabilities, and its SASL mechanisms (empty if it does not say)."""

    capabilities: frozenset[str]
    mechanisms: tuple[str, ...]

    @property
    def sasl(self) -> bool:
        return "sasl" in self.capabilities


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """A channel that we are in. `modes`: in words; `operators`: their nicks; `people`: how many are in it."""

    name: str
    modes: tuple[str, ...]
    operators: tuple[str, ...]
    people: int
    may_speak: bool


@dataclass(frozen=True, slots=True)
class Said:
    """`sender` said `text` in the channel; `sender.proofs` has the account if the network proves one."""

    sender: Sender
    text: str


@dataclass(slots=True)
class _Tapped:
    """What only the lines themselves tell: the session has no use for it."""

    capabilities: dict[str, str] = field(default_factory=dict)
    nicks: dict[str, str] = field(default_factory=dict)
    modes: str = ""
    asked: list[Line] = field(default_factory=list)

    def line(self, line: Line) -> None:
        if len(self.asked) < _MOST_HEARD:
            self.asked.append(line)
        match line.command:
            case "CAP" if line.param(1).upper() in ("LS", "NEW") and len(self.capabilities) < _LONG:
                for each in line.last.split()[:_LONG]:
                    name, _, value = each.partition("=")
                    self.capabilities[one_line(name, 100)] = one_line(value, _LONG)
            case "353" if len(self.nicks) < 10 * _MOST_HEARD:
                for each in line.last.split():
                    nick = each.lstrip("~&@%+!").partition("!")[0]
                    self.nicks[printable(nick)] = each[: len(each) - len(each.lstrip("~&@%+!"))]
            case "324":
                self.modes = line.param(2).lstrip("+")[:50]


async def certificate(address: Address) -> Certificate | None:
    """The certificate that a server shows, trusted or not; nothing is sent. None if it shows none in time."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_CERTIFICATE_S):
            _, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    except (OSError, TimeoutError):
        return None
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return Certificate(pins.fingerprints(shown)[0], _days_left(shown)) if shown else None


def _days_left(der: bytes) -> int | None:
    try:
        return (x509.load_der_x509_certificate(der).not_valid_after_utc - datetime.now(UTC)).days
    except ValueError:
        return None


class IrcProbe:
    """A connection on which we are registered. Made by `registered`."""

    def __init__(self, settings: IrcSettings, dialed: Dialed, session: Session) -> None:
        self._settings = settings
        self._dialed = dialed
        self._session = session
        self._lines = LineBuffer(settings.encoding)
        self._tapped = _Tapped()
        self._nick_trouble = ""
        self._failure: ProbeError | None = None
        self._online = False
        self._joined: set[Room] = set()
        self._heard: list[Said] = []
        self._changed = asyncio.Event()

    @property
    def nick(self) -> str:
        """The nick that we have."""
        return self._session.nick

    @property
    def offer(self) -> Offer:
        """What the server offers."""
        found = self._tapped.capabilities
        return Offer(frozenset(found), tuple(filter(None, found.get("sasl", "").split(","))))

    async def run(self) -> None:
        """Read and write until cancelled. A connection that ends becomes the error of whoever waits."""
        self._do(self._session.start())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(), name="irc probe beat")
            await self._read()

    async def registered(self) -> None:
        """Wait until the server lets us in. Raises ProbeError."""
        await self._until(lambda: self._online, _WELCOME_S, "the server did not let us in within")
        if self._nick_trouble and self.nick.casefold() != self._settings.nick.casefold():
            raise NickInUse(f"the nick {self._settings.nick} cannot be had: {self._nick_trouble}")

    async def join(self, channel: str) -> ChannelSeen:
        """Join a channel, and look at it. Raises NoEntry, ProbeError."""
        room = Room(self._settings.name, channel)
        self._tapped.nicks.clear()
        self._tapped.modes = ""
        self._do(self._session.set_rooms([room]))
        await self._until(lambda: room in self._joined, _JOIN_S, f"the server did not answer to JOIN {channel} within")
        self._write(compose("MODE", channel))
        with suppress(ProbeError):
            await self._until(lambda: bool(self._tapped.modes), 5.0, "")
        return self._seen(channel)

    async def ask(self, command: Sequence[str], *ends: str) -> Sequence[Line]:
        """The lines that come after `command`, given as its words, until one of the numerics `ends`, or for some
        seconds."""
        asked = self._tapped.asked
        asked.clear()
        self._write(compose(*command))
        with suppress(ProbeError):
            await self._until(lambda: any(line.command in ends for line in asked), _ANSWER_S, "")
        return [*asked]

    async def said(self, within: float) -> Sequence[Said]:
        """Wait for what is said in our channel, for `within` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self._heard and self._failure is None:
                    self._changed.clear()
                    await self._changed.wait()
        if self._failure is not None:
            raise self._failure
        heard, self._heard = self._heard, []
        return heard

    def _seen(self, channel: str) -> ChannelSeen:
        nicks, ours = self._tapped.nicks, self._tapped.nicks.get(self.nick, "")
        operators = tuple(nick for nick, signs in nicks.items() if set(signs) & set("~&@"))[:_MOST_OPS]
        modes = tuple(_MODES.get(letter, f"mode +{letter}") for letter in printable(self._tapped.modes))
        return ChannelSeen(channel, modes, operators, len(nicks), "m" not in self._tapped.modes or bool(ours))

    async def _until(self, done: Callable[[], bool], within: float, late: str) -> None:
        try:
            async with asyncio.timeout(within):
                while not done():
                    if self._failure is not None:
                        raise self._failure
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise ProbeError(f"{late} {within:.0f} s") from None

    async def _read(self) -> None:
        try:
            while data := await self._dialed.reader.read(_CHUNK):
                for text in self._lines.feed(data):
                    if (line := parse(text)) is not None:
                        self._tapped.line(line)
                    self._do(self._session.feed(text, time.monotonic(), time.time()))
                await self._dialed.writer.drain()
                await asyncio.sleep(0)  # a server that floods us does not stop our clock
        except OSError as error:
            self._do([Broken(f"the connection broke: {error or type(error).__name__}")])
            return
        self._do(self._session.closed())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            self._do(self._session.tick(time.monotonic()))

    def _write(self, data: bytes) -> None:
        if not self._dialed.writer.is_closing():
            self._dialed.writer.write(data)

    def _do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._one(effect)
        self._changed.set()

    def _one(self, effect: Effect) -> None:
        match effect:
            case Write(data):
                self._write(data)
            case Online():
                self._online = True
            case Joined(room):
                self._joined.add(room)
            case Left(_, reason) | Broken(reason):
                self._fail(_meant(reason))
            case Rejected(reason, key):
                self._fail(_refused(reason, key))
            case Barred(_, reason, hint):
                self._fail(NoEntry(f"{reason}: {hint.replace('{us}', self._session.nick)}" if hint else reason))
            case Notable("nick_refused", reason):
                self._nick_trouble = self._nick_trouble or one_line(reason.partition("; trying")[0], _LONG)
            case Upgrade(port):
                self._fail(ProbeError(f"the server wants TLS, on port {port}: give HOST:{port}"))
            case Heard(event) if isinstance(event.body, Message) and len(self._heard) < _MOST_HEARD:
                self._heard.append(Said(event.sender, plain(event.body.text)))
            case _:
                pass

    def _fail(self, error: ProbeError) -> None:
        self._failure = self._failure or error


def _refused(reason: str, key: Sequence[str]) -> ProbeError:
    if key[-1:] == ("sasl",):
        return LoginRequired(reason)
    return BadLogin(reason) if "sasl" in key else _meant(reason)


def _meant(reason: str) -> ProbeError:
    return LoginRequired(reason) if re.search(r"\bsasl\b.*\b(required|only)\b", reason, re.I) else ProbeError(reason)


@asynccontextmanager
async def registered(settings: IrcSettings) -> AsyncGenerator[IrcProbe, None]:
    """Connect to the first server of `settings`, and register with the nick, and with the account if there is one; say
    goodbye in the end. Raises Untrusted, NickInUse, LoginRequired, BadLogin, ProbeError."""
    dialed = await _dialed(settings)
    now, origin = time.monotonic(), secrets.token_hex(4)
    session = Session(settings, (), origin=origin, now=now, rng=random.Random())  # noqa: S311
    probe = IrcProbe(settings, dialed, session)
    running = asyncio.create_task(probe.run(), name="irc probe")
    try:
        await probe.registered()
        yield probe
    finally:
        for effect in session.quit():
            if isinstance(effect, Write) and not dialed.writer.is_closing():
                dialed.writer.write(effect.data)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await dialed.writer.drain()
        running.cancel()
        with suppress(asyncio.CancelledError, OSError, ExceptionGroup):
            await running
        dialed.writer.close()


async def _dialed(settings: IrcSettings) -> Dialed:
    address = Address(settings.host, settings.port, settings.tls)
    async with asyncio.timeout(_CONNECT_S + _CERTIFICATE_S):
        found = await Dial(settings, asyncio.open_connection).open(address)
    if not isinstance(found, Ending):
        return found
    if settings.tls and "is not trusted" in found.reason and (shown := await certificate(address)) is not None:
        left = "" if shown.days_left is None else f", with {shown.days_left} days left"
        raise Untrusted(f"{found.reason}. It is {shown.fingerprint}{left}", shown.fingerprint, shown.days_left)
    raise ProbeError(found.reason)
