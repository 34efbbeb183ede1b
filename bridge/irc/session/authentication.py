"""Logging in to the services account: SASL exchanges, one after the other, until one succeeds or none is left."""

from collections.abc import Iterator
from enum import Enum

from bridge.irc.effects import Broken, Effect, Notable, Rejected, Write
from bridge.irc.sasl import choice
from bridge.irc.sasl.choice import Trust
from bridge.irc.sasl.mechanism import Declined, Distrusted, Mechanism, Name, Unfit
from bridge.irc.sasl.pieces import Pieces, cut
from bridge.irc.sasl.scram import LIED
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.capabilities import SASL, Capabilities
from bridge.irc.wire.line import Line, compose
from bridge.lib.bucket import TokenBucket
from bridge.model.text import one_line

_REASON_LIMIT = 300
_REFUSAL_WITHIN_S = 3
"""Seconds after 908 in which its 904 comes; some servers send 908 alone."""
_AGAIN_AFTER_S = 5.0
"""Seconds after a logout. If the services go away, they take SASL back first."""
_AFTER_ABORT_S = 60.0
"""Seconds after a login that the server broke off, mostly because its services did not answer."""
_LOGINS = (5, 1 / 60)
"""Logins on one connection: so many at once, then so many a second. Each costs up to a tenth of a second."""


class Phase(Enum):
    """Where the login is."""

    DUE = "due"
    RUNNING = "running"
    IN = "in"
    OUT = "out"  # given up, until the server offers SASL anew
    OVER = "over"  # nothing goes on with this server


class Authentication:
    """The login of one connection. Sans I/O. After a refusal the next weaker mechanism is tried, but not after the
    server has judged the password, nor after it has failed to prove itself."""

    def __init__(self, settings: IrcSettings, capabilities: Capabilities, trust: Trust) -> None:
        self._settings = settings
        self._capabilities = capabilities
        self._trust = trust
        self._means = choice.usable(settings)
        self.phase = Phase.IN if settings.sasl is None else Phase.DUE
        self.online = False
        self._offered: frozenset[str] | None = None
        self._tried: list[Name] = []
        self._refusals: list[str] = []
        self._mechanism: Mechanism | None = None
        self._pieces = Pieces()
        self._begun = False
        self._declined = ""
        self._overdue: int | None = None
        self._again_at: float | None = None
        self._now = 0.0
        self._logins = TokenBucket(*_LOGINS)

    @property
    def may_go_on(self) -> bool:
        """Whether registration may end: we are logged in, or need not be."""
        sasl = self._settings.sasl
        return sasl is None or self.phase is Phase.IN or (self.phase is Phase.OUT and not sasl.required)

    def offered_anew(self) -> None:
        """The server has switched SASL on: what failed before may work now."""
        if self.phase in (Phase.OUT, Phase.DUE):
            self.phase, self._again_at = Phase.DUE, None

    def withdrawn(self) -> Iterator[Effect]:
        """The server has taken SASL back."""
        if self.phase is Phase.RUNNING:
            yield from self._fail(_turned_away("the server took SASL back during the login"))

    def begin(self) -> Iterator[Effect]:
        """Start, if it is due and the server offers SASL. Call when everything is negotiated."""
        if self.phase is not Phase.DUE or self._again_at is not None:
            return
        if SASL not in self._capabilities.enabled:
            if not self.online:
                yield from self._fail(
                    _turned_away(
                        "the server offers no SASL login at the moment; the bridge waits for it, because `sasl` is "
                        "configured"
                    )
                )
            return
        if self.online and not self._logins.has_token(self._now):
            self._again_at = self._now + self._logins.wait_s(self._now)
            return
        self._logins.spend(self._now)
        self._offered = _names(self._capabilities.offer(SASL) or "") or None
        self._tried, self._refusals, self._again_at = [], [], None
        yield from self._next()

    def _next(self) -> Iterator[Effect]:
        """Try the strongest mechanism that is left."""
        sasl = self._settings.sasl
        while sasl is not None:
            name = choice.choose(self._means, self._offered, self._tried, self._trust)
            if name is None:
                yield from self._fail(self._none_left())
                return
            self._tried.append(name)
            try:
                self._mechanism = choice.begin(name, sasl)
            except Unfit as error:
                self._refusals.append(str(error))
                continue
            self.phase, self._pieces, self._begun = Phase.RUNNING, Pieces(), False
            self._declined, self._overdue = "", None
            yield Write(compose("AUTHENTICATE", name))
            return

    def _none_left(self) -> Effect:
        if self._trust.lied:
            return Rejected(f"{LIED}. Only SCRAM would show that this is over, and the server does not offer it")
        if self._refusals:
            return Rejected("; ".join(self._refusals), self._key())
        if not self._means:
            return Rejected("no SASL mechanism can be used without TLS and with what is configured", self._key())
        means = [name.value for name in self._means]
        needs = " or ".join([", ".join(means[:-1]), means[-1]]) if len(means) > 1 else means[0]
        offered = ",".join(sorted(self._offered or ()))
        return Rejected(f"the server offers SASL only by {one_line(offered, _REASON_LIMIT)}; the bridge needs {needs}")

    def _key(self) -> tuple[str, ...]:
        """Where the configuration says what the server did not accept last."""
        last = self._tried[-1] if self._tried else None
        match last:
            case None:
                return self._settings.key("sasl", "mechanism")
            case Name.EXTERNAL:
                return self._settings.key("sasl", "certificate")
            case Name.ECDSA:
                return self._settings.key("sasl", "key")
        return self._settings.key("sasl", "password")

    def challenge(self, line: Line) -> Iterator[Effect]:
        """AUTHENTICATE from the server: a piece of a challenge."""
        mechanism = self._mechanism
        if self.phase is not Phase.RUNNING or mechanism is None or self._declined:
            return
        try:
            challenge = self._pieces.add(line.param(0))
            if challenge is None or (challenge and not self._begun):
                return  # we speak first, in all mechanisms: the first challenge is empty
            self._begun = True
            answer = mechanism.respond(challenge)
        except Declined as error:
            self._declined = str(error)
        except (ValueError, Distrusted) as error:
            yield Write(compose("AUTHENTICATE", "*"))
            if mechanism.mutual and mechanism.judged:
                reason = LIED
            elif isinstance(error, Distrusted):
                reason = str(error)
            else:
                reason = f"the server's SASL challenge is not valid: {error}"
            yield from self._distrust(reason)
        else:
            for piece in cut(answer):
                yield Write(compose("AUTHENTICATE", piece))

    def _distrust(self, reason: str) -> Iterator[Effect]:
        """The server is not what it should be. Whatever `required` says, nothing goes on with it."""
        if self._mechanism is not None and self._mechanism.mutual:
            self._trust.lied = True
        self.phase = Phase.OVER
        yield Rejected(reason)

    def succeeded(self, line: Line) -> Iterator[Effect]:
        """903, 907: we are logged in to the account."""
        if self.phase is not Phase.RUNNING or self._mechanism is None:
            return
        if not self._mechanism.trusted and not (self.online and line.command == "907"):
            yield from self._distrust(LIED)
            return
        if self._mechanism.mutual:
            self._trust.lied = False
        self.phase = Phase.IN

    def named(self, line: Line) -> Iterator[Effect]:
        """900 (RPL_LOGGEDIN): the account that we are logged in to."""
        sasl, account = self._settings.sasl, one_line(line.param(2), _REASON_LIMIT)
        if sasl is not None and self.phase is Phase.RUNNING and account.lower() not in ("", "*", sasl.account.lower()):
            yield Notable("other_account", f"the server logged us in as {account}, not as {sasl.account}")

    def mechanisms(self, line: Line) -> Iterator[Effect]:
        """908 (RPL_SASLMECHS): the mechanisms that the server takes. Most servers send 904 too, but not all."""
        if self.phase is not Phase.RUNNING:
            return
        self._offered = _names(line.param(1))
        current = self._tried[-1]
        if current in self._offered:
            return
        self._overdue = 0
        if choice.choose(self._means, self._offered, self._tried, self._trust) is None:
            yield from self._fail(self._none_left())

    def refused(self, line: Line) -> Iterator[Effect]:
        """902, 904, 905: the account is locked, what we said is wrong, or too long."""
        if self.phase is not Phase.RUNNING or self._mechanism is None:
            return
        why = self._why(line)
        if line.command == "902" or (line.command == "904" and self._mechanism.judged):
            yield from self._fail(Rejected(why, self._key()))
            return
        if self._overdue is None:
            self._refusals.append(why)
        yield from self._next()

    def _why(self, line: Line) -> str:
        sasl = self._settings.sasl
        account = sasl.account if sasl is not None else ""
        said = "; ".join(filter(None, (one_line(line.last, _REASON_LIMIT), self._declined)))
        about = f"SASL account {account!r}, {self._tried[-1]}: {said}"
        if line.command == "902":
            return f"the server says that the account is locked, or not for our nick ({about})"
        if line.command == "905":
            return f"the server says that our SASL message is too long ({about})"
        if self._mechanism is not None and self._mechanism.judged:
            return f"the server does not accept the account or password ({about})"
        match self._tried[-1]:
            case Name.EXTERNAL:
                return f"the server does not know our certificate: register it with the services ({about})"
            case Name.ECDSA:
                return f"the server does not know our key: register it with the services ({about})"
        return f"the server does not let us log in ({about})"

    def aborted(self, line: Line) -> Iterator[Effect]:
        """906 (ERR_SASLABORTED)."""
        if self.phase is Phase.RUNNING:
            reason = f"the server broke off the SASL login: {one_line(line.last, _REASON_LIMIT)}"
            yield from self._fail(_turned_away(reason))
            if self.online:
                self.phase, self._again_at = Phase.DUE, self._now + _AFTER_ABORT_S

    def logged_out(self, line: Line) -> Iterator[Effect]:
        """901 (RPL_LOGGEDOUT): log in again, soon or when the server offers SASL anew."""
        if self._settings.sasl is not None and self.online and self.phase is not Phase.RUNNING:
            self.phase = Phase.DUE
            self._again_at = self._now + _AGAIN_AFTER_S
            yield Notable("logged_out", one_line(line.last, _REASON_LIMIT))

    def tick(self, now: float) -> Iterator[Effect]:
        """Time passed; call about once a second."""
        self._now = now
        if self.phase is Phase.RUNNING and self._overdue is not None:
            self._overdue += 1
            if self._overdue >= _REFUSAL_WITHIN_S:
                yield from self._next()
        elif self._again_at is not None and now >= self._again_at:
            self._again_at = None
            yield from self.begin()

    def _fail(self, effect: Effect) -> Iterator[Effect]:
        """Give up. A connection that works is kept, though its account is gone."""
        sasl = self._settings.sasl
        self.phase = Phase.OVER if self._trust.lied else Phase.OUT
        if self._trust.lied or not isinstance(effect, (Broken, Rejected)):
            yield effect
        elif self.online:
            yield Notable("not_logged_in", effect.reason)
        elif sasl is not None and not sasl.required:
            yield Notable("not_logged_in", f"{effect.reason}; the bridge goes on without the account")
        else:
            yield effect


def _names(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.upper().split(",")))


def _turned_away(reason: str) -> Broken:
    return Broken(reason, turned_away=True)
