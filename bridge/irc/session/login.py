"""Registration with the server: capabilities, password, login to the account, and a nick that is free."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from bridge.irc.effects import Broken, Effect, Notable, Rejected, Write
from bridge.irc.sasl.choice import Trust
from bridge.irc.session.authentication import Authentication
from bridge.irc.session.bouncer_networks import BouncerNetworks
from bridge.irc.session.farewells import sent_away
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.capabilities import SASL, Capabilities
from bridge.irc.wire.line import Line, compose
from bridge.model.text import one_line

_WITHHELD_S = 3.0
"""Seconds that a server password waits, on a connection without TLS, for a server that might want TLS."""
_REASON_LIMIT = 300


class Login:
    """Logs in to the server, never without the configured account if that is `required`: if SASL is missing for now, we
    wait. Sans I/O."""

    def __init__(self, settings: IrcSettings, rng: random.Random, trust: Trust) -> None:
        self._settings = settings
        self.nick = settings.nick
        self.networks = BouncerNetworks(settings.bouncer_network, settings.key("bouncer_network"))
        self.capabilities = Capabilities(sasl=settings.sasl is not None, more=self.networks.capabilities)
        self.welcomed = False
        self._nicks = _candidates(settings.nick, rng)
        self._account = account = Authentication(settings, self.capabilities, trust)
        self._sasl: Mapping[str, Callable[[Line], Iterator[Effect]]] = MappingProxyType(
            {
                "AUTHENTICATE": account.challenge,
                "900": account.named,
                "901": account.logged_out,
                "902": account.refused,
                "903": account.succeeded,
                "904": account.refused,
                "905": account.refused,
                "906": account.aborted,
                "907": account.succeeded,
                "908": account.mechanisms,
            }
        )
        self._ended = False
        self._ban = ""
        self._withheld = settings.password is not None and not settings.tls
        self._started_at: float | None = None

    def start(self) -> Iterator[Effect]:
        """A server may want TLS (IRCv3 STS). Without it, no password is sent before it could say so."""
        yield _write("CAP", "LS", "302")
        if not self._withheld:
            yield from self._introduce()

    def _introduce(self) -> Iterator[Effect]:
        self._withheld = False
        if self._settings.password is not None:
            yield _write("PASS", self._settings.password)
        # USER first: the pure-Python server of the `irc` package sends its welcome as soon as it gets NICK
        yield _write("USER", self._settings.username, "0", "*", self._settings.realname)
        yield _write("NICK", self.nick)

    def cap(self, line: Line) -> Iterator[Effect]:
        """CAP: of what the server can do, ask for what we want; then log in, and end the negotiation."""
        had = SASL in self.capabilities.enabled
        asked = [*self.capabilities.heard(line)]
        if self._withheld and self.capabilities.listed:
            yield from self._introduce()
        for subcommand, names in asked:
            yield _write("CAP", subcommand, names)
        has = SASL in self.capabilities.enabled
        if has and not had:
            self._account.offered_anew()
        elif had and not has:
            yield from self._account.withdrawn()
        yield from self._advance()

    def _advance(self) -> Iterator[Effect]:
        if not self.capabilities.settled:
            return
        yield from self._account.begin()
        if not self.welcomed and not self._ended and self._account.may_go_on:
            self._ended = True
            yield from self.networks.bind(self.capabilities.enabled)
            yield _write("CAP", "END")

    def sasl(self, line: Line) -> Iterator[Effect]:
        """AUTHENTICATE, and the numerics about it (https://ircv3.net/specs/extensions/sasl-3.2)."""
        yield from self._sasl[line.command](line)
        yield from self._advance()

    def tick(self, now: float) -> Iterator[Effect]:
        """Time passed; call about once a second. A server that does not know CAP does not answer it."""
        if self._started_at is None:
            self._started_at = now
        elif self._withheld and now - self._started_at >= _WITHHELD_S:
            yield from self._introduce()
        for subcommand, names in self.capabilities.tick(now):
            yield _write("CAP", subcommand, *filter(None, [names]))
        yield from self._account.tick(now)
        yield from self._advance()

    def wrong_password(self, line: Line) -> Iterator[Effect]:
        """464. Ignored after the welcome: then it is about a wrong operator password."""
        if not self.welcomed:
            yield Rejected(
                f"the server does not accept the server password: {_said(line)}", self._settings.key("password")
            )

    def banned(self, line: Line) -> Iterable[Effect]:
        """465. The ERROR that follows says why."""
        self._ban = _said(line)
        return ()

    def closed(self, reason: str) -> Iterator[Effect]:
        """The server has ended the connection; `reason` is what it said."""
        if reason or self._ban:
            yield sent_away(reason, self._ban, self._settings, welcomed=self.welcomed)
        else:
            perhaps = "" if self.welcomed or self._settings.tls else "; if that is its port for TLS, set `tls: true`"
            yield Broken(f"the server closed the connection{perhaps}", by_server=True)

    def nick_refused(self, line: Line) -> Iterator[Effect]:
        """431, 432, 433, 436, 437 before the welcome: try the next name."""
        if self.welcomed:
            return
        nick = next(self._nicks, None)
        if nick is None:
            yield _turned_away(f"the server takes none of our nicks: {_said(line)}")
            return
        yield Notable("nick_refused", f"{self.nick}: {_said(line)}; trying {nick}")
        self.nick = nick
        yield _write("NICK", nick)

    def welcome(self, line: Line) -> Iterator[Effect]:
        """001: we are `welcomed`, unless the server lets us in without the login. It names the nick we really have."""
        if not self._account.may_go_on:
            yield _turned_away("the server let us in without the SASL login that is configured")
            return
        self.welcomed = self._account.online = True
        self.nick = line.param(0) or self.nick


def _write(command: str, *params: str) -> Write:
    """Raises Unwritable if the words, which come from the configuration, do not make a line."""
    return Write(compose(command, *params))


def _turned_away(reason: str, pause: float | None = None) -> Broken:
    return Broken(reason, pause, turned_away=True)


def _said(line: Line) -> str:
    return one_line(line.last, _REASON_LIMIT)


def _candidates(nick: str, rng: random.Random) -> Iterator[str]:
    """Nicks to try if `nick` is taken: with underscores, then shorter (a server may allow nine characters) and with a
    number."""
    for count in range(1, 4):
        yield nick + "_" * count
    for _ in range(5):
        yield f"{nick[:5]}{rng.randrange(1000, 10000)}"
