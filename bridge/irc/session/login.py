"""Registration with the server: capabilities, password, login to the account, and a nick that is free."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from bridge.irc.effects import Broken, Effect, Notable, Rejected, Write
from bridge.irc.sasl.choice import Trust
from bridge.irc.session.authentication import Authentication
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.capabilities import SASL, Capabilities
from bridge.irc.wire.line import Line, compose
from bridge.model.text import one_line

_BANNED_PAUSE = 300.0
"""Seconds before a server that banned us is tried again: trying sooner prolongs the ban."""
_BAN = re.compile(r"\b[GKZ]-?:?lined?\b", re.IGNORECASE)
"""Found in the ERROR of a server that bans our address, and closes the connection before it sends a numeric."""
_REASON_LIMIT = 300


class Login:
    """Logs in to the server, never without the configured account if that is `required`: if SASL is missing for now, we
    wait. Sans I/O."""

    def __init__(self, settings: IrcSettings, rng: random.Random, trust: Trust) -> None:
        self._settings = settings
        self.nick = settings.nick
        self.capabilities = Capabilities(sasl=settings.sasl is not None)
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

    def start(self) -> Iterator[Effect]:
        yield _write("CAP", "LS", "302")
        if self._settings.password is not None:
            yield _write("PASS", self._settings.password)
        # USER first: the pure-Python server of the `irc` package sends its welcome as soon as it gets NICK
        yield _write("USER", self._settings.username, "0", "*", self._settings.realname)
        yield _write("NICK", self.nick)

    def cap(self, line: Line) -> Iterator[Effect]:
        """CAP: of what the server can do, ask for what we want; then log in, and end the negotiation."""
        had = SASL in self.capabilities.enabled
        for subcommand, names in self.capabilities.heard(line):
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
            yield _write("CAP", "END")

    def sasl(self, line: Line) -> Iterator[Effect]:
        """AUTHENTICATE, and the numerics about it (https://ircv3.net/specs/extensions/sasl-3.2)."""
        yield from self._sasl[line.command](line)
        yield from self._advance()

    def tick(self, now: float) -> Iterator[Effect]:
        """Time passed; call about once a second."""
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
        if self._ban or _BAN.search(reason):
            said = f"{self._ban} ({reason})" if self._ban and reason else self._ban or reason
            yield _turned_away(f"the server has banned us: {said}", _BANNED_PAUSE)
        elif reason:
            yield _turned_away(f"the server closed the connection: {reason}")
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
