"""A puppet of nobody, which connects for a moment to see how the server sees it."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

from bridge.irc.backoff import Ending
from bridge.irc.dialing.dial import Dial, Dialed
from bridge.irc.dialing.servers import Address
from bridge.irc.dialing.sources import Source
from bridge.irc.effects import Write
from bridge.irc.probing import ProbeError
from bridge.irc.puppets import nicks, origins
from bridge.irc.puppets.session import Closed, Identity, Outcome, PuppetSession
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.line import Line, compose, parse
from bridge.model.casemap import Casemapping

_WITHIN_S = 10.0
_MOST_LINES = 2000
_ACTUALLY = frozenset({"338", "378"})
"""Where somebody really connects from, as servers tell it to them alone."""
_NO_SUCH = frozenset({"401", "421", "461"})
_END = "318"


@dataclass(frozen=True, slots=True)
class Seen:
    """How a server sees a puppet: its user name (with `~` if nobody vouches for it), the host that it shows to all, and
    the words that it tells the puppet alone about where it comes from (none: it tells nothing)."""

    username: str
    host: str
    actually: tuple[str, ...] = ()


async def seen(settings: IrcSettings, identity: str, source: Source | None) -> Seen:
    """Connect as the puppet of `identity`, ask, and leave. Raises ProbeError."""
    address = Address(settings.host, settings.port, settings.tls)
    here = f" from {source.address}" if source is not None and source.address else ""
    try:
        async with asyncio.timeout(_WITHIN_S):
            dial = Dial(settings.model_copy(update={"sasl": None}), asyncio.open_connection)
            dialed = await dial.open(address, source)
            if isinstance(dialed, Ending):
                raise ProbeError(dialed.reason)
            return await _asked(dialed, _session(settings, identity))
    except TimeoutError:
        raise ProbeError(f"{address} did not answer{here} within {_WITHIN_S:.0f} s") from None
    except (OSError, ValueError) as error:
        raise ProbeError(f"the connection to {address} broke: {error}") from error


def _session(settings: IrcSettings, identity: str) -> PuppetSession:
    webirc = origins.webirc(settings.puppets.webirc, identity)
    names, username = [f"duck{secrets.token_hex(2)}"], nicks.username(identity)
    introduced = Identity(names, username, "quackbridge doctor", settings.password, webirc)
    return PuppetSession(introduced, Casemapping.RFC1459, lambda _: True)


async def _asked(dialed: Dialed, session: PuppetSession) -> Seen:
    try:
        lines = [line async for line in _whois(dialed, session)]
        dialed.writer.write(b"QUIT :quackbridge\r\n")
        await dialed.writer.drain()
    finally:
        dialed.writer.close()
    user = next((line for line in lines if line.command == "311"), None)
    if user is None:
        raise ProbeError("the server does not tell by WHOIS how it sees us")
    words = [word for line in lines if line.command in _ACTUALLY for param in line.params for word in param.split()]
    return Seen(user.param(2), user.param(3), tuple(word.rpartition("@")[2] for word in words))


async def _whois(dialed: Dialed, session: PuppetSession) -> AsyncGenerator[Line, None]:
    """Register, and yield what is answered to a WHOIS of ourselves."""
    _do(dialed, session.start())
    is_asked = False
    for _ in range(_MOST_LINES):
        data = await dialed.reader.readline()
        if not data:
            raise ProbeError("the server closed the connection")
        _do(dialed, session.feed(data.rstrip(b"\r\n")))
        if session.online and not is_asked:
            dialed.writer.write(compose("WHOIS", session.nick))
            is_asked = True
        line = parse(data.decode(errors="replace").rstrip("\r\n"))
        if is_asked and line is not None:
            yield line
            if line.command == _END or line.command in _NO_SUCH:
                return


def _do(dialed: Dialed, outcomes: Iterable[Outcome]) -> None:
    """Write what is to be written, at once: if a second write fails, nothing is read any more of why the server closes
    the connection. Raises ProbeError if the server does not let us in."""
    data = b""
    for outcome in outcomes:
        if isinstance(outcome, Closed):
            raise ProbeError(f"the server does not let a member in: {outcome.reason}")
        if isinstance(outcome, Write):
            data += outcome.data
    if data:
        dialed.writer.write(data)
