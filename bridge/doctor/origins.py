"""Checks of how a network can tell members apart: WEBIRC, source addresses, the identd. Connects once as a member."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from bridge.doctor.finding import Finding, fail, ok, warn
from bridge.irc.dialing.sources import Place, Source
from bridge.irc.probing import ProbeError
from bridge.irc.puppets import identd, nicks, origins, trial
from bridge.irc.puppets.trial import Seen
from bridge.irc.settings import IrcSettings
from bridge.lib import hosts
from bridge.lib.reasons import why

_NOBODY = "quackbridge doctor"
"""Whose puppet it is: its address and user name are no member's."""
_ASK_S = 5.0
_GATEWAY = "the server's admins have to name the bridge's address, and this very password, for WEBIRC"
_ROUTE = "route the prefix to this machine, and let it take it for its own: ip -6 route add local {} dev lo"
_PORT = "choose another port for `identd`, or end the program that has it"
_LOW = "ports below 1024 are for root: take 1113, and let the system redirect port 113 to it"
_ASKS = "let port 113 of this machine reach `identd`, if the server asks at all (in its configuration: ident)"


async def found(subject: str, settings: IrcSettings, *, runs: bool) -> AsyncGenerator[Finding, None]:
    """What is configured, tried. `runs`: a daemon runs, and has the port of the identd."""
    puppets = settings.puppets
    if puppets.webirc is None and puppets.source is None and puppets.identd is None:
        return
    trouble = None
    if puppets.identd is not None:
        trouble = await _port(f"{subject} identd", puppets.identd, runs=runs)
        if trouble is not None:
            yield trouble
    place = puppets.identd if trouble is None else None
    try:
        seen, is_asked = await _tried(settings, place)
    except ProbeError as error:
        yield _not_in(subject, settings, str(error))
        return
    if puppets.source is not None and puppets.webirc is None:
        yield source(f"{subject} source", origins.address(puppets.source, _NOBODY), seen)
    if puppets.webirc is not None:
        yield webirc(f"{subject} webirc", origins.address(puppets.webirc.addresses, _NOBODY), seen)
    if place is not None:
        yield believed(f"{subject} identd", seen, is_asked=is_asked)


async def _tried(settings: IrcSettings, place: str | None) -> tuple[Seen, bool]:
    """How the server sees a member, and whether it has asked the identd that answers at `place` meanwhile."""
    listening = identd.Identd()
    with listening.pairs.owner(nicks.username(_NOBODY)) as announce:
        if place is None:
            return await trial.seen(settings, _NOBODY, _source(settings, announce)), False
        async with listening.listening(place):
            await asyncio.sleep(0)  # it begins to listen
            return await trial.seen(settings, _NOBODY, _source(settings, announce)), listening.pairs.told > 0


def _source(settings: IrcSettings, announce: Callable[[Place, Place], None]) -> Source:
    prefix = settings.puppets.source
    return Source(settings.bind if prefix is None else origins.address(prefix, _NOBODY), announce)


def _not_in(subject: str, settings: IrcSettings, reason: str) -> Finding:
    """No member gets in."""
    puppets = settings.puppets
    if puppets.webirc is not None and "webirc" in reason.lower():
        return fail(f"{subject} webirc", reason, _GATEWAY)
    if puppets.webirc is not None and " broke: " in reason:
        return fail(f"{subject} webirc", f"{reason}; some servers that refuse WEBIRC do so", _GATEWAY)
    if puppets.source is not None:
        return fail(f"{subject} source", reason, _ROUTE.format(puppets.source))
    return fail(f"{subject} members", reason, "ask the server's admins: it may limit the connections of an address")


def webirc(subject: str, told: str, seen: Seen) -> Finding:
    """Whether the server took the address that it was told."""
    if told in (seen.host, *seen.actually):
        return ok(subject, "the server takes the addresses of members that the bridge tells")
    if seen.actually:
        return fail(subject, f"the server does not take the address of a member: it sees {seen.host}", _GATEWAY)
    return warn(subject, f"the server shows {seen.host}: it hides addresses, or does not take WEBIRC", _GATEWAY)


def source(subject: str, address: str, seen: Seen) -> Finding:
    """Whether the server sees the address from which we connected. That we did connect shows that it works."""
    if address in (seen.host, *seen.actually):
        return ok(subject, f"members connect from addresses of their own, such as {address}")
    return ok(subject, f"members connect from addresses of their own; the server shows {seen.host} for {address}")


def believed(subject: str, seen: Seen, *, is_asked: bool) -> Finding:
    """Whether the server asked our identd, and took its word."""
    if is_asked and not seen.username.startswith("~"):
        return ok(subject, f"the server asks it, and shows the user name that it tells: {seen.username}")
    did = "asked, and did not take the answer" if is_asked else "did not ask"
    return warn(subject, f"the server {did}; it shows {seen.username}", _ASKS)


async def _port(subject: str, place: str, *, runs: bool) -> Finding | None:
    """What stands against listening for a moment; ok if the daemon answers there."""
    if runs:
        return await _answers(subject, place)
    try:
        identd.listener(place).close()
    except PermissionError:
        return fail(subject, f"the bridge may not listen at {place}", _LOW)
    except OSError as error:
        return fail(subject, f"the bridge cannot listen at {place}: {why(error)}", _PORT)
    return None


async def _answers(subject: str, place: str) -> Finding:
    host, port = hosts.address(place)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to connect, not to listen
    try:
        async with asyncio.timeout(_ASK_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"1, 1\r\n")
            answer = await reader.read(100)
            writer.close()
    except (OSError, TimeoutError) as error:
        answer, trouble = b"", why(error) if str(error) else "no answer"
    else:
        trouble = "another program answers there"
    if answer.startswith(b"1, 1 : ERROR : NO-USER"):
        return ok(subject, f"it answers at {place}")
    return fail(subject, f"a daemon runs, and its identd does not answer at {place}: {trouble}", _PORT)
