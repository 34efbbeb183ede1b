"""The login of a puppet to its owner's own services account: by SASL PLAIN before the server lets it in; where there is
no SASL, by a private message to the services."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from bridge.irc.effects import Write, written
from bridge.irc.puppets.book import Changes
from bridge.irc.sasl.mechanism import Name
from bridge.irc.sasl.pieces import cut
from bridge.irc.sasl.plain import Plain
from bridge.irc.wire.line import Line, compose
from bridge.model.text import one_line

SERVICE = "NickServ"
NUMERICS = frozenset({"900", "902", "903", "904", "905", "906", "907", "908", "AUTHENTICATE", "312", "313", "318"})
"""Lines that may be about the login (https://ircv3.net/specs/extensions/sasl-3.1), or of WHOIS: the server where a nick
is, that it is an operator or a service, and the end."""
_OF_SERVICES = re.compile(r"services?\.", re.IGNORECASE)
"""How the server of services is called on most networks; nobody but those who run a network names its servers."""
_WRONG = frozenset({"902", "904"})
_FAILED = frozenset({"905", "906", "908"})
_REFUSED = re.compile(
    r"incorrect|invalid|wrong|denied|(?:isn't|not) (?:a )?registered|(?:n't|not) exist", re.IGNORECASE
)
"""In what services say whose password is not right, or whose account there is not."""
_ACCEPTED = re.compile(r"accepted|recogni[sz]ed|identified|logged in", re.IGNORECASE)
_REASON = 200
_KEY = "puppet-login "


@dataclass(frozen=True, slots=True)
class Account:
    """A services account. `service` is who takes its password where there is no SASL. `trusted`: the operator has named
    that service; else the server has to show that it is one."""

    name: str
    password: str = field(repr=False)
    service: str = SERVICE
    trusted: bool = False


class Accounts(Protocol):
    """The services accounts of members on one network."""

    def version(self, user: str) -> str:
        """A code that changes when the login of `user` does; '' if they have none. Cheap."""
        ...

    def opened(self, user: str) -> tuple[str, str] | None:
        """The account of `user` and its password; None if they have none. May block. Raises ValueError."""
        ...


class NoAccounts:
    """Nobody has one."""

    def version(self, user: str) -> str:
        return ""

    def opened(self, user: str) -> tuple[str, str] | None:
        return None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The puppet is logged in."""

    account: str


@dataclass(frozen=True, slots=True)
class NotLoggedIn:
    """The puppet goes on without the account. `wrong`: the network does not accept account or password."""

    account: str
    reason: str
    wrong: bool


Outcome = Write | LoggedIn | NotLoggedIn


class Phase(Enum):
    """Where a login is."""

    DUE = "due"
    SASL = "sasl"
    ASKING = "asking"  # whether the server knows the service as one
    IDENTIFYING = "identifying"
    OVER = "over"


class Login:
    """The login of one connection. Sans I/O."""

    def __init__(self, account: Account) -> None:
        self.account = account.name
        self._account = account
        self.phase = Phase.DUE
        self._is_service = False
        self.succeeded = False

    @property
    def runs(self) -> bool:
        """Whether an answer is waited for."""
        return self.phase in (Phase.SASL, Phase.ASKING, Phase.IDENTIFYING)

    def wants(self, offered: str) -> bool:
        """Whether the login can be by SASL; `offered` is the value of the capability, '' if the server names none."""
        return self.phase is Phase.DUE and (not offered or Name.PLAIN in offered.upper().split(","))

    def begin(self) -> Iterator[Outcome]:
        """The server has switched SASL on."""
        self.phase = Phase.SASL
        yield Write(compose("AUTHENTICATE", Name.PLAIN))

    def welcomed(self, nick: str) -> Iterator[Outcome]:
        """The server has let the puppet in, without SASL: the services are told the password, if they are services.
        Anybody may have their nick where there are none."""
        if self.phase is not Phase.DUE:
            return
        if self._account.trusted:
            yield from self._identify(nick)
        else:
            self.phase = Phase.ASKING
            yield from written("WHOIS", self._account.service)

    def told(self, line: Line, nick: str) -> Iterator[Outcome]:
        """One of `NUMERICS`."""
        match line.command:
            case "AUTHENTICATE" if self.phase is Phase.SASL and line.param(0) == "+":
                for piece in cut(Plain(self.account, self._account.password).respond(b"")):
                    yield Write(compose("AUTHENTICATE", piece), is_secret=True)
            case "903" | "907" if self.phase is Phase.SASL:
                yield self._in()
            case "900" if self.phase is Phase.IDENTIFYING:
                yield self._in()
            case "312" | "313" if self.phase is Phase.ASKING and self._is_about_service(line):
                self._is_service |= line.command == "313" or _OF_SERVICES.match(line.param(2)) is not None
            case "318" if self.phase is Phase.ASKING and self._is_about_service(line):
                if self._is_service:
                    yield from self._identify(nick)
                else:
                    yield self._out(f"there is no SASL, and {self._account.service} is not known to be services")
            case command if self.phase is Phase.SASL and (command in _WRONG or command in _FAILED):
                yield self._out(one_line(line.last, _REASON), wrong=command in _WRONG)

    def answered(self, text: str) -> Iterator[Outcome]:
        """What services say to the puppet in private."""
        if self.phase is not Phase.IDENTIFYING:
            return
        if _REFUSED.search(text):
            said = one_line(text, _REASON).replace(self._account.password, "[redacted]")
            yield self._out(said, wrong=True)
        elif _ACCEPTED.search(text):
            yield self._in()

    def late(self) -> Iterator[Outcome]:
        """The answer takes too long."""
        if self.phase is Phase.SASL:
            yield Write(compose("AUTHENTICATE", "*"))
        if self.runs:
            yield self._out("the services do not answer")

    def _is_about_service(self, line: Line) -> bool:
        return line.param(1).lower() == self._account.service.lower()

    def _identify(self, nick: str) -> Iterator[Outcome]:
        self.phase = Phase.IDENTIFYING
        # without a nick where it is ours: old services know no other form
        name = [] if nick.lower() == self.account.lower() else [self.account]
        words = " ".join(("IDENTIFY", *name, self._account.password))
        lines = written("PRIVMSG", self._account.service, words)
        yield from lines or (self._out("its password does not fit a line"),)

    def _in(self) -> LoggedIn:
        self.phase, self.succeeded = Phase.OVER, True
        return LoggedIn(self.account)

    def _out(self, reason: str, *, wrong: bool = False) -> NotLoggedIn:
        self.phase = Phase.OVER
        return NotLoggedIn(self.account, reason, wrong)


class WrongLogins:
    """Which logins were wrong: each is told to its owner once, and tried no more, also after a restart: services lock
    accounts after wrong passwords. `kept` is what the network remembers, other things too. Versions are those of
    `Accounts.version`."""

    def __init__(self, kept: Mapping[str, str]) -> None:
        self._versions = {key.removeprefix(_KEY): version for key, version in kept.items() if key.startswith(_KEY)}
        self._unsaved: dict[str, str | None] = {}

    def has(self, user: str, version: str) -> bool:
        return self._versions.get(user.casefold()) == version

    def add(self, user: str, version: str) -> None:
        self._versions[user.casefold()] = version
        self._unsaved[_KEY + user.casefold()] = version

    def forget(self, user: str) -> None:
        """A login of that user was right."""
        if self._versions.pop(user.casefold(), None) is not None:
            self._unsaved[_KEY + user.casefold()] = None

    def unsaved(self) -> Changes:
        """What is to be remembered since the last call."""
        found, self._unsaved = self._unsaved, {}
        return found
