"""Registration with the server: capabilities, password, SASL, and a nick that is free."""

import random
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator

from bridge.irc.effects import Broken, Effect, Notable, Rejected, Write
from bridge.irc.session.bouncer_networks import BouncerNetworks
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.capabilities import SASL, Capabilities
from bridge.irc.wire.line import Line, compose
from bridge.model.text import one_line

_CHUNK = 400
"""Most characters in one AUTHENTICATE (https://ircv3.net/specs/extensions/sasl-3.1)."""
_BANNED_PAUSE = 300.0
"""Seconds before a server that banned us is tried again: trying sooner prolongs the ban."""
_BAN = re.compile(r"\b[GKZ]-?:?lined?\b", re.IGNORECASE)
"""Found in the ERROR of a server that bans our address, and closes the connection before it sends a numeric."""
_REASON_LIMIT = 300


class Login:
    """Logs in to the server, never without the configured account: if SASL is missing for now, we wait. Sans I/O."""

    def __init__(self, settings: IrcSettings, rng: random.Random) -> None:
        self._settings = settings
        self.nick = settings.nick
        self.networks = BouncerNetworks(settings.bouncer_network, settings.key("bouncer_network"))
        self.capabilities = Capabilities(sasl=settings.sasl is not None, more=self.networks.capabilities)
        self.welcomed = False
        self._nicks = _candidates(settings.nick, rng)
        self._authenticating = False
        self._authenticated = settings.sasl is None
        self._ended = False
        self._mechanisms = ""
        self._ban = ""

    def start(self) -> Iterator[Effect]:
        yield _write("CAP", "LS", "302")
        if self._settings.password is not None:
            yield _write("PASS", self._settings.password)
        # USER first: the pure-Python server of the `irc` package sends its welcome as soon as it gets NICK
        yield _write("USER", self._settings.username, "0", "*", self._settings.realname)
        yield _write("NICK", self.nick)

    def cap(self, line: Line) -> Iterator[Effect]:
        for names in self.capabilities.heard(line):
            yield _write("CAP", "REQ", names)
        yield from self._advance()

    def _advance(self) -> Iterator[Effect]:
        if not self.capabilities.settled:
            return
        if self.welcomed:
            if not self._authenticated and not self._authenticating and SASL in self.capabilities.enabled:
                yield from self._authenticate()
        elif self._authenticated and not self._ended:
            self._ended = True
            yield from self.networks.bind(self.capabilities.enabled)
            yield _write("CAP", "END")
        elif not self._authenticating and not self._ended:
            yield from self._authenticate()

    def _authenticate(self) -> Iterator[Effect]:
        if SASL not in self.capabilities.enabled:
            yield _turned_away(
                "the server offers no SASL login at the moment; the bridge waits for it, because `sasl` is configured"
            )
            return
        mechanisms = self.capabilities.offer(SASL) or ""
        if mechanisms and not _has_plain(mechanisms):
            yield self._refused(f"the server offers SASL only by {mechanisms}; the bridge needs PLAIN")
            return
        self._authenticating = True
        yield _write("AUTHENTICATE", "PLAIN")

    def authenticate(self, line: Line) -> Iterator[Effect]:
        """AUTHENTICATE +: the server waits for the credentials."""
        sasl = self._settings.sasl
        if sasl is None or not self._authenticating or self._authenticated or line.param(0) != "+":
            return
        for chunk in _plain(sasl.account, sasl.password):
            yield _write("AUTHENTICATE", chunk)

    def logged_in(self, _: Line) -> Iterator[Effect]:
        """903, 907: we are logged in to the account."""
        if self._authenticating:
            self._authenticated = True
            yield from self._advance()

    def mechanisms(self, line: Line) -> Iterator[Effect]:
        """908 (RPL_SASLMECHS): the mechanisms that the server takes. Most servers send 904 too, but not all."""
        self._mechanisms = one_line(line.param(1), _REASON_LIMIT)
        if not self._authenticated and not _has_plain(line.param(1)):
            yield self._refused(f"the server offers SASL only by {self._mechanisms}; the bridge needs PLAIN")

    def logged_out(self, line: Line) -> Iterator[Effect]:
        """901 (RPL_LOGGEDOUT): log in again when the server offers SASL anew; its services are back then."""
        if self._settings.sasl is not None and self.welcomed:
            self._authenticated = self._authenticating = False
            yield Notable("logged_out", _said(line))

    def not_logged_in(self, line: Line) -> Iterator[Effect]:
        """902, 904, 905: the account is locked, or the credentials are wrong."""
        if self._authenticated:
            return
        self._authenticating = False
        only = f"; it offers {self._mechanisms}" if self._mechanisms else ""
        account = self._settings.sasl.account if self._settings.sasl is not None else ""
        yield self._refused(
            f"the server does not accept the account or password (SASL account {account!r}: {_said(line)}{only})",
            self._settings.key("sasl", "password") if self._settings.sasl is not None else (),
        )

    def aborted(self, line: Line) -> Iterator[Effect]:
        """906 (ERR_SASLABORTED)."""
        if self._authenticated:
            return
        self._authenticating = False
        reason = f"the server broke off the SASL login: {_said(line)}"
        yield Notable("not_logged_in", reason) if self.welcomed else _turned_away(reason)

    def _refused(self, reason: str, key: tuple[str, ...] = ()) -> Effect:
        """A connection that works is kept, though its account is gone."""
        return Notable("not_logged_in", reason) if self.welcomed else Rejected(reason, key)

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
        if not self._authenticated:
            yield _turned_away("the server let us in without the SASL login that is configured")
            return
        self.welcomed = True
        self.nick = line.param(0) or self.nick


def _write(command: str, *params: str) -> Write:
    """Raises Unwritable if the words, which come from the configuration, do not make a line."""
    return Write(compose(command, *params))


def _turned_away(reason: str, pause: float | None = None) -> Broken:
    return Broken(reason, pause, turned_away=True)


def _has_plain(mechanisms: str) -> bool:
    return "PLAIN" in mechanisms.upper().split(",")


def _said(line: Line) -> str:
    return one_line(line.last, _REASON_LIMIT)


def _plain(account: str, password: str) -> Iterator[str]:
    """SASL PLAIN credentials (RFC 4616) in chunks; a full last chunk is followed by an empty one."""
    data = b64encode(f"\0{account}\0{password}".encode()).decode()
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
    if len(data) % _CHUNK == 0:
        yield "+"


def _candidates(nick: str, rng: random.Random) -> Iterator[str]:
    """Nicks to try if `nick` is taken: with underscores, then shorter (a server may allow nine characters) and with a
    number."""
    for count in range(1, 4):
        yield nick + "_" * count
    for _ in range(5):
        yield f"{nick[:5]}{rng.randrange(1000, 10000)}"
