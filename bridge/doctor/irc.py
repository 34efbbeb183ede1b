"""Checks of an IRC network: registers under another nick, logs in to the account, and joins nothing."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from bridge.doctor import origins, reach
from bridge.doctor.finding import Finding, Outcome, fail, ok, skip
from bridge.irc import probing
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.line import Line
from bridge.model.glob import matches

_HIDDEN = frozenset({"442", "403", "401"})


@dataclass(frozen=True, slots=True)
class NickFacts:
    """Who has our nick: nobody (`there` is False), or somebody with this `mask` (nick!user@host) and `account`."""

    there: bool
    mask: str = ""
    account: str = ""
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A channel from outside: its `modes` (None: hidden), and its bans."""

    modes: str | None
    bans: tuple[str, ...] = ()


async def found(settings: IrcSettings, rooms: Sequence[str], *, runs: bool) -> AsyncGenerator[Finding, None]:
    """Look at the network. `runs`: a daemon runs, and should have the nick."""
    subject, pinned = f"irc {settings.name}", bool(settings.tls_fingerprints)
    if settings.proxy is None:
        async for finding in reach.found(
            subject, settings.host, settings.port, tls=settings.tls, ca=settings.tls_ca_file, pinned=pinned
        ):
            yield finding
            if finding.outcome is Outcome.FAIL:
                return  # nothing behind it can be reached
    nick = f"{settings.nick[:9]}{secrets.token_hex(2)}"
    other = settings.model_copy(update={"nick": nick, "nickserv": None, "pre_join": ()})
    try:
        async with probing.registered(other) as probe:
            yield ok(subject, f"lets us in, and offers {len(probe.offer.capabilities)} capabilities")
            yield account(f"{subject} account", settings, probe.offer)
            who = nick_of(await probe.ask(("WHOIS", settings.nick), "318"))
            yield nick_finding(f"{subject} nick", settings, who, runs=runs)
            for name in rooms:
                modes = await probe.ask(("MODE", name), "324", *_HIDDEN)
                bans = await probe.ask(("MODE", name, "b"), "368", "482", *_HIDDEN)
                yield channel(f"{subject}/{name}", channel_of(modes, bans), who, name, runs=runs)
    except probing.NickInUse as error:
        yield skip(subject, str(error))
    except probing.BadLogin as error:
        yield fail(f"{subject} account", str(error), "correct `sasl` in the config")
    except probing.LoginRequired as error:
        yield fail(f"{subject} account", str(error), "configure `sasl`: this network wants an account")
    except probing.ProbeError as error:
        yield fail(subject, str(error), "check `server` and `tls`, and whether the network bans this address")
        return
    async for finding in origins.found(subject, settings, runs=runs):
        yield finding


def account(subject: str, settings: IrcSettings, offer: probing.Offer) -> Finding:
    """We have registered: with the account if there is one."""
    if settings.sasl is None:
        return skip(subject, "no `sasl` is configured")
    if not offer.sasl:
        return fail(subject, "the server offers no SASL now", "its services may be away: look again later")
    return ok(subject, f"logged in to {settings.sasl.account} by SASL")


def nick_of(lines: Sequence[Line]) -> NickFacts:
    """Who has the nick, by the answers to WHOIS."""
    user = next((line for line in lines if line.command == "311"), None)
    if user is None:
        return NickFacts(there=False)
    logged_in = next((line.param(2) for line in lines if line.command == "330"), "")
    channels = tuple(name for line in lines if line.command == "319" for name in line.last.split())
    return NickFacts(
        there=True, mask=f"{user.param(1)}!{user.param(2)}@{user.param(3)}", account=logged_in, channels=channels
    )


def nick_finding(subject: str, settings: IrcSettings, who: NickFacts, *, runs: bool) -> Finding:
    """Whether our nick is ours, free, or somebody else's."""
    nick, ours = settings.nick, settings.sasl.account.lower() if settings.sasl is not None else ""
    if not who.there:
        if runs:
            return fail(subject, f"nobody is called {nick}, though a daemon runs", "look into the daemon's log")
        return ok(subject, f"{nick} is free")
    if runs and (not ours or who.account.lower() == ours):
        return ok(subject, f"{nick} is ours, seen as {who.mask}")
    if ours and who.account.lower() == ours:
        return ok(subject, f"{nick} is in use, by our own account")
    return fail(subject, f"{nick} is taken by somebody else ({who.mask})", "choose another `nick`, or register it")


def channel_of(modes: Sequence[Line], bans: Sequence[Line]) -> ChannelFacts:
    """How a channel is, by the answers to MODE."""
    shown = next((line.param(2) for line in modes if line.command == "324"), None)
    return ChannelFacts(shown, tuple(line.param(2) for line in bans if line.command == "367"))


def channel(subject: str, facts: ChannelFacts, who: NickFacts, name: str, *, runs: bool) -> Finding:
    """Whether the bridge, `who`, can speak in the channel."""
    signs = next((each for each in who.channels if each.lstrip("~&@%+!").lower() == name.lower()), None)
    has_rank = signs is not None and signs[:1] in "~&@%+!"
    mask = who.mask.lower()
    if who.there and not has_rank and any(matches(ban.removeprefix("m:").lower(), mask) for ban in facts.bans):
        return fail(subject, f"the bridge ({who.mask}) is banned there", "ask its operators to lift the ban (-b)")
    if facts.modes is None:
        return skip(subject, "the channel does not exist yet, or shows its modes only to those inside")
    if runs and "m" in facts.modes and not has_rank:
        return fail(subject, "the channel is moderated (+m), and the bridge has no voice", "ask for +v, or for -m")
    said = f"modes {facts.modes}" + (", and the bridge is in it" if signs is not None else "")
    return ok(subject, said)
