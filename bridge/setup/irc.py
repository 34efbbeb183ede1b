"""The questions about the IRC network and its channel. Each answer is tried at once."""

from collections.abc import Mapping
from types import MappingProxyType

from bridge.irc.probing import BadLogin, LoginRequired, ProbeError, Untrusted, registered
from bridge.irc.settings import IrcSettings
from bridge.lib import hosts
from bridge.lib.unhindered import run
from bridge.model import identifiers
from bridge.setup.answers import IrcAnswers
from bridge.setup.console import Console, WrongAnswer, password_of, valid
from bridge.setup.matrix import NAME as MATRIX
from bridge.setup.options import Options

_KNOWN: Mapping[str, str] = MappingProxyType(
    {"libera": "irc.libera.chat:6697", "oftc": "irc.oftc.net:6697", "hackint": "irc.hackint.org:6697"}
)
"""Networks by their short names."""
_PORT = 6697
_CONSENT = "Have you the consent of the channel's operators to relay what is said there?"


def network(console: Console, options: Options) -> IrcSettings:
    """Choose a network, a nick, and an account where there is one; register with them."""
    console.title("The IRC network.")
    server = console.settled(
        options.irc, lambda: console.ask(f"Network ({', '.join(_KNOWN)}), or HOST:PORT", "libera"), _address
    )
    values: dict[str, object] = {"type": "irc", "server": server, "tls": not hosts.is_loopback(_host(server))}
    account, password = options.irc_account, password_of(options.irc_password_file)
    nick = options.nick
    while True:
        nick = console.settled(nick, lambda: console.ask("Nick of the bridge", "duck"), identifiers.irc_nick)
        login = {} if account is None else {"sasl": {"account": account, "password": password or ""}}
        settings = valid(IrcSettings, {**values, "nick": nick, **login}).called(name_of(server))
        try:
            run(_register(console, settings))
        except ProbeError as error:
            if not console.interactive:
                raise WrongAnswer(str(error)) from None
            console.say(f"  That does not work: {error}")
            if isinstance(error, Untrusted):
                values["tls_fingerprints"] = _pinned(console, error)
            elif isinstance(error, LoginRequired | BadLogin):
                account, password = _account(console)
            else:
                nick = None
        else:
            if account is not None or not _wants_account(console):
                return settings
            account, password = _account(console)


def _wants_account(console: Console) -> bool:
    return console.interactive and console.confirm("Has the bridge an account at the network's services (NickServ)?")


def _account(console: Console) -> tuple[str, str]:
    account = console.settled(None, lambda: console.ask("Account at the services"), identifiers.irc_account)
    return account, console.secret(f"Password of {account}")


def _pinned(console: Console, error: Untrusted) -> list[str]:
    """The fingerprint, if the operator trusts that certificate."""
    if not console.confirm(f"Trust exactly this certificate, {error.fingerprint}?"):
        raise WrongAnswer("the server's certificate is not trusted: nothing was written")
    return [error.fingerprint]


def _address(answer: str) -> str:
    known = _KNOWN.get(answer.lower(), answer)
    server = known if ":" in known else f"{known}:{_PORT}"
    hosts.address(server)
    return server


def _host(server: str) -> str:
    return hosts.address(server)[0]


def name_of(server: str) -> str:
    """A name in the config for the network of a server: `libera` for irc.libera.chat."""
    host = _host(server)
    known = next((name for name, address in _KNOWN.items() if address == server), "")
    parts = [] if hosts.is_loopback(host) or ":" in host else host.split(".")
    made = known or (parts[-2] if len(parts) > 1 and not parts[-1].isdecimal() else "irc")
    return "irc" if made in (MATRIX, "bots") else made


async def _register(console: Console, settings: IrcSettings) -> None:
    async with registered(settings) as probe:
        by = f", logged in as {settings.sasl.account}" if settings.sasl else ""
        console.say(f"  {settings.host} let me in as {probe.nick}{by}.")
        if probe.offer.sasl and not settings.sasl:
            how = ", ".join(probe.offer.mechanisms) or "it does not say how"
            console.say(f"  It offers SASL, to log in to an account: {how}.")


def channel(console: Console, options: Options, settings: IrcSettings) -> IrcAnswers:
    """Choose a channel, and join it."""
    console.title("The IRC channel.")

    def attempt(answer: str) -> str:
        run(join(console, settings, identifiers.irc_channel(answer)))
        return answer

    name = console.settled(options.channel, lambda: console.ask("Channel", "#pond"), attempt)
    agreed(console)
    sasl = settings.sasl
    return IrcAnswers(
        settings.name,
        settings.server[0],
        settings.tls,
        settings.nick,
        name,
        sasl.account if sasl else "",
        sasl.password if sasl else "",
        next(iter(settings.tls_fingerprints), ""),
    )


def agreed(console: Console) -> None:
    """Go on if the operators of the channel agree."""
    if not console.agreed(_CONSENT):
        raise WrongAnswer("ask the channel's operators first, and start again: nothing was written")


async def join(console: Console, settings: IrcSettings, name: str) -> None:
    """Join the channel, and say what is seen there."""
    async with registered(settings) as probe:
        seen = await probe.join(name)
    operators = ", ".join(seen.operators) or "nobody"
    console.say(f"  Joined {name}: {seen.people} people; operators: {operators}.")
    for mode in seen.modes:
        console.say(f"    {mode}")
    if not seen.may_speak:
        console.say("  The channel is moderated: ask its operators to give me voice (+v), else I only listen there.")
