"""The questions about the IRC network and its channel. Each answer is tried at once."""

from collections.abc import Mapping
from types import MappingProxyType

from bridge.irc.probing import BadLogin, LoginRequired, NickInUse, Offer, ProbeError, Untrusted, registered
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
    server, nick = options.irc, options.nick
    account, password = options.irc_account, password_of(options.irc_password_file)
    pins: list[str] = []
    while True:
        server = console.settled(server, lambda: _asked_server(console), _address)
        nick = console.settled(nick, lambda: console.ask("Nick of the bridge", "duck"), _nick)
        try:
            settings = _settings(server, nick, account, password, pins)
            offer = run(_register(console, settings))
        except (ProbeError, ValueError) as error:
            if not console.interactive:
                raise WrongAnswer(str(error)) from None
            console.say(f"  That does not work: {error}")
            if isinstance(error, Untrusted):
                pins = _pinned(console, error)
            elif isinstance(error, LoginRequired | BadLogin):
                account, password = _account(console)
            elif isinstance(error, NickInUse):
                nick = None
            else:  # whatever else is wrong, another server may be right; the nick is asked again with it
                server, nick, account, pins = None, None, None, []
        else:
            if account is not None or not offer.sasl or not _wants_account(console):
                return settings
            account, password = _account(console)


def _nick(answer: str) -> str:
    if ":" in answer:
        raise ValueError(f"{answer!r} looks like an address; a nick is one word, such as duck")
    return identifiers.irc_nick(answer)


def _asked_server(console: Console) -> str:
    return console.ask(f"Network ({', '.join(_KNOWN)}), or HOST:PORT", "libera")


def _settings(server: str, nick: str, account: str | None, password: str | None, pins: list[str]) -> IrcSettings:
    values: dict[str, object] = {"type": "irc", "server": server, "tls": not hosts.is_loopback(_host(server))}
    login = {} if account is None else {"sasl": {"account": account, "password": password or ""}}
    pinned = {"tls_fingerprints": pins} if pins else {}
    return valid(IrcSettings, {**values, "nick": nick, **login, **pinned}).called(name_of(server))


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
    try:
        hosts.address(server)
    except ValueError:
        raise ValueError(
            f"{answer!r} is neither {', '.join(_KNOWN)} nor HOST:PORT, such as irc.example.org:6697"
        ) from None
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


async def _register(console: Console, settings: IrcSettings) -> Offer:
    console.say(f"  Connecting to {settings.server[0]} ...")
    async with registered(settings) as probe:
        by = f", logged in as {settings.sasl.account}" if settings.sasl else ""
        sealed = "" if settings.tls else ", without encryption, as it is on this machine"
        console.say(f"  {settings.host} let me in as {probe.nick}{by}{sealed}.")
        if probe.offer.sasl and not settings.sasl:
            how = ", ".join(probe.offer.mechanisms) or "it does not say how"
            console.say(f"  It offers SASL, to log in to an account: {how}.")
        return probe.offer


def channel(console: Console, options: Options, settings: IrcSettings) -> IrcAnswers:
    """Choose a channel, and join it."""
    console.title("The IRC channel.")

    def attempt(answer: str) -> str:
        peopled(console, answer, run(join(console, settings, identifiers.irc_channel(answer))))
        return answer

    name = console.settled(options.channel, lambda: console.ask("Channel (such as #pond)"), attempt)
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


def peopled(console: Console, name: str, people: int) -> None:
    """Ask whether a channel is meant where nobody else is: joining a wrong name makes it. Raises ProbeError."""
    if people <= 1 and console.interactive and not console.confirm("  Nobody else is there. Is the name right?"):
        raise ProbeError(f"{name} is not the channel that you mean: name it again")


async def join(console: Console, settings: IrcSettings, name: str) -> int:
    """Join the channel, and say what is seen there; returns how many people, we among them."""
    async with registered(settings) as probe:
        seen = await probe.join(name)
    operators = ", ".join(seen.operators) or "nobody"
    console.say(f"  Joined {name}: {seen.people} people; operators: {operators}.")
    for mode in seen.modes:
        console.say(f"    {mode}")
    if not seen.may_speak:
        console.say("  The channel is moderated: ask its operators to give me voice (+v), else I only listen there.")
    return seen.people
