"""A puppet's connection as a pure state machine: bytes of lines and its own lines in, effects out.

It hears nothing but what is about itself: what others say in its channels is skipped before it is decoded.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bridge.irc.dialect.convert import speech
from bridge.irc.effects import Write, written
from bridge.irc.puppets.claims import NUMERICS as OF_CLAIMS
from bridge.irc.puppets.claims import Claims, is_claim, sounds_like_services
from bridge.irc.puppets.logins import NUMERICS as OF_LOGINS
from bridge.irc.puppets.logins import Account, LoggedIn, Login, NotLoggedIn
from bridge.irc.session.farewells import Farewell, meaning
from bridge.irc.wire.capabilities import SASL
from bridge.irc.wire.encoding import LineDecoder
from bridge.irc.wire.line import Line, Source, compose, parse
from bridge.model.casemap import Casemapping
from bridge.model.text import one_line

_ABOUT_OTHERS = frozenset({b"JOIN", b"PART", b"QUIT", b"NICK", b"AWAY", b"ACCOUNT", b"CHGHOST", b"SETNAME"})
_SAID = frozenset({b"PRIVMSG", b"NOTICE", b"TAGMSG"})
_CHANNELS = b"#&+!"
_TAGS = "message-tags"
_ACCOUNTS = "account-tag"
_WANTED = (_TAGS, _ACCOUNTS, "server-time")
"""Capabilities (IRCv3): without the first, the others are of no use."""
_BANNED = "474"
_NOT_JOINED = frozenset(
    map(str, (402, 403, 405, 407, 437, 448, 471, 473, 474, 475, 476, 477, 479, 480, 485, 489, 490, 495, 500, 520, 926))
)
_NO_NICK = frozenset({"431", "432", "433", "436", "437"})
_NOT_SAID = frozenset(
    map(str, (401, 403, 404, 408, 411, 412, 415, 417, 421, 442, 477, 482, 486, 492, 513, 531, 716))
) | {"FAIL"}
"""716 (ERR_TARGUMODEG): they take private messages of some people only; 486, 492, 531: of nobody, or not of us."""
_WHOIS = frozenset({"263", "311", "318", "330"})
_ANSWERS = _WHOIS | OF_CLAIMS | OF_LOGINS
_REGISTERED_TO = "each nick of the member is registered to somebody"
_REASON = 200


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The server has let the puppet in, as `nick`."""

    nick: str


@dataclass(frozen=True, slots=True)
class Hosted:
    """Others see the puppet with this host, and this user name ('': the one before)."""

    host: str
    username: str = ""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The puppet is called `nick` now; `asked`: because we asked for it."""

    nick: str
    asked: bool


@dataclass(frozen=True, slots=True)
class Entered:
    """The puppet is in a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Barred:
    """The puppet may not join a channel; `banned`: it is banned there."""

    channel: str
    reason: str
    banned: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """The puppet is not in a channel any more: kicked by `who`, or removed by the server."""

    channel: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotSaid:
    """The server did not take the line of a post."""

    post: str
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The server has dealt with the line of a post, and with all before it."""

    post: str


@dataclass(frozen=True, slots=True)
class Whispered:
    """Somebody says something to the puppet in private. `account`: that of who says it, '' for none; None if the server
    does not tell."""

    line: Line
    account: str | None


@dataclass(frozen=True, slots=True)
class Identified:
    """The answer to a WHOIS: who has a nick now, and the account that they are logged in to ('' for none); `source`
    None: nobody has it. `unanswered`: the server does not want to say it now."""

    nick: str
    source: Source | None
    account: str
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The server ends the connection, or will not have it. `nickless`: no nick is left to ask for."""

    reason: str
    farewell: Farewell = Farewell.OTHER
    nickless: bool = False


Outcome = (
    Write
    | Welcomed
    | Hosted
    | Renamed
    | Entered
    | Barred
    | Removed
    | NotSaid
    | Taken
    | Whispered
    | Identified
    | LoggedIn
    | NotLoggedIn
    | Closed
)


@dataclass(frozen=True, slots=True)
class Identity:
    """How a puppet introduces itself. `nicks`: those to ask for, in turn. `password` is the server's own; `account` is
    its owner's with the services. `webirc`: see `origins.webirc`."""

    nicks: Iterable[str]
    username: str
    realname: str
    password: str | None = field(default=None, repr=False)
    webirc: Sequence[str] = field(default=(), repr=False)
    account: Account | None = None


class PuppetSession:
    """One connection of one puppet. Sans I/O. `is_free`: whether a nick is surely nobody else's, as far as we see."""

    def __init__(self, identity: Identity, casemapping: Casemapping, is_free: Callable[[str], bool]) -> None:
        self._identity = identity
        self._casemapping = casemapping
        self._is_free = is_free
        self._nicks: Iterator[str] = iter(identity.nicks)
        self._joining: set[str] = set()
        self._flying: dict[str, str] = {}
        self._renames: set[str] = set()
        self._claims = Claims(casemapping.fold)
        self._ban = ""
        self._decoder = LineDecoder()
        self._asked: dict[str, Identified] = {}
        self._offered: dict[str, str] = {}
        self._accounts = False
        self._login = Login(identity.account) if identity.account is not None else None
        self._claimed = ("", "")  # who has said whose nick it is while the login runs, and of which nick
        self.nick = ""
        self.online = False
        self.tags = False
        """Whether the server passes tags on."""
        self.channels: set[str] = set()
        """The channels where the puppet is, folded."""

    def start(self) -> Iterator[Outcome]:
        """The first lines. WEBIRC comes before all others."""
        if self._identity.webirc:
            yield Write(compose("WEBIRC", *self._identity.webirc), is_secret=True)
        if self._identity.password is not None:
            yield Write(compose("PASS", self._identity.password), is_secret=True)
        yield Write(compose("CAP", "LS", "302"))
        yield Write(compose("USER", self._identity.username, "0", "*", self._identity.realname))
        yield from self._ask_for_nick("no nick is left for the member")

    def _ask_for_nick(self, why_not: str) -> Iterator[Outcome]:
        nick = next(filter(self._is_free, self._nicks), None)
        if nick is None:
            yield Closed(why_not, nickless=True)
        else:
            self.nick = self.nick if self.online else nick
            self._renames.add(self._fold(nick))
            yield Write(compose("NICK", nick))

    def _fold(self, name: str) -> str:
        return self._casemapping.fold(name)

    # Our own lines

    def join(self, channel: str, key: str) -> Iterator[Outcome]:
        """Join a channel; `Entered` or `Barred` follows."""
        self._joining.add(self._fold(channel))
        yield from written("JOIN", channel, *filter(None, [key]))

    def say(self, post: str, target: str, line: bytes) -> Iterator[Outcome]:
        """Write the line of a post; `NotSaid` or `Taken` follows."""
        self._flying[post] = self._fold(target)
        yield Write(line)
        yield from written("PING", post)

    def whois(self, nick: str) -> Iterator[Outcome]:
        """Ask who has a nick; `Identified` follows."""
        self._asked[self._fold(nick)] = Identified(nick, None, "")
        yield from written("WHOIS", nick)

    def login_overdue(self) -> Iterator[Outcome]:
        """The server, or its services, should have answered the login by now."""
        if self._login is not None:
            yield from self._after_login(self._login.late())

    def part(self, channel: str) -> Iterator[Outcome]:
        self.channels.discard(self._fold(channel))
        yield from written("PART", channel)

    # The server's lines

    def feed(self, data: bytes) -> Iterator[Outcome]:
        """Handle one line from the server."""
        if not _concerns(data, self.nick.encode()):
            return
        line = parse(self._decoder.decode(data).rstrip("\r"))
        if line is not None:
            yield from self._obey(line)

    def _obey(self, line: Line) -> Iterator[Outcome]:
        match line.command:
            case "PING" | "PONG" | "CAP" | "001":
                yield from self._let_in(line)
            case "JOIN" | "PART" | "KICK" | "NICK" | "CHGHOST" | "396":
                yield from self._moved(line)
            case "ERROR" | "KILL" | "465":
                yield from self._closed(line)
            case "PRIVMSG" | "NOTICE":
                yield from self._told(line)
            case command if command in _ANSWERS:
                yield from self._answered(line)
            case command if command in _NO_NICK and not self.online:
                yield from self._ask_for_nick(f"no nick is free for the member: {one_line(line.last, _REASON)}")
            case command if command[:1] in "45" or command in ("FAIL", "716", "926"):
                yield from self._refused(line)

    def _let_in(self, line: Line) -> Iterator[Outcome]:
        match line.command:
            case "PING":
                yield from written("PONG", *(line.params[:2] or ("",)))
            case "PONG" if line.last in self._flying:
                yield from self._dealt_with(line.last)
            case "CAP":
                yield from self._cap(line)
            case "001" if not self.online:
                self.online, self.nick = True, line.param(0) or self.nick
                yield Welcomed(self.nick)
                if self._login is not None:
                    yield from self._after_login(self._login.welcomed(self.nick))

    def _cap(self, line: Line) -> Iterator[Outcome]:
        words = line.last.split()
        match line.param(1).upper():
            case "LS" if not self.online:
                self._offered |= {name: value for name, _, value in (word.partition("=") for word in words)}
                if line.param(2) != "*":
                    wanted = [*self._wanted()]
                    yield from written("CAP", "REQ", " ".join(wanted)) if wanted else written("CAP", "END")
            case "DEL":
                self.tags = self.tags and _TAGS not in words
                self._accounts = self._accounts and self.tags and _ACCOUNTS not in words
            case "ACK" | "NAK" as answer:
                yield from self._switched(words if answer == "ACK" else ())

    def _switched(self, words: Sequence[str]) -> Iterator[Outcome]:
        """The server has switched on what we asked for."""
        self.tags = _TAGS in words
        self._accounts = self.tags and _ACCOUNTS in words
        if self.online:
            return
        if self._login is not None and SASL in words:
            yield from self._login.begin()
        else:
            yield from written("CAP", "END")

    def _wanted(self) -> Iterator[str]:
        """The capabilities to ask for, of those that are offered."""
        if _TAGS in self._offered:
            yield from (each for each in _WANTED if each in self._offered)
        if self._login is not None and SASL in self._offered and self._login.wants(self._offered[SASL]):
            yield SASL

    def _after_login(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        """Go on when the login is over. If it was a success, the services' complaint about a nick that is called as the
        account has come before they knew whose it is."""
        for outcome in outcomes:
            yield outcome
            if isinstance(outcome, LoggedIn | NotLoggedIn):
                ours = self._fold(outcome.account) if isinstance(outcome, LoggedIn) else None
                (services, nick), self._claimed = self._claimed, ("", "")
                if not self.online:
                    yield from written("CAP", "END")
                elif services and nick != ours:
                    yield from self._claims.asked(services)

    def _moved(self, line: Line) -> Iterator[Outcome]:
        who, channel = line.source.nick, line.param(0)
        ours = self._fold(who) == self._fold(self.nick)
        match line.command:
            case "JOIN" if ours:
                self._joining.discard(self._fold(channel))
                self.channels.add(self._fold(channel))
                if line.source.host:
                    yield Hosted(line.source.host, line.source.user.lstrip("~"))
                yield Entered(channel)
            case "PART" if ours and self._fold(channel) in self.channels:
                yield from self._removed(channel, "", one_line(line.param(1), _REASON))
            case "KICK" if self._fold(line.param(1)) == self._fold(self.nick):
                yield from self._removed(channel, one_line(who, 64), one_line(line.param(2), _REASON))
            case "NICK" if ours and line.param(0):
                self.nick = line.param(0)
                yield Renamed(self.nick, asked=self._fold(self.nick) in self._renames)
            case "CHGHOST" if ours and line.param(1):
                yield Hosted(line.param(1), line.param(0).lstrip("~"))
            case "396" if line.param(1):
                yield Hosted(line.param(1).rpartition("@")[2])

    def _removed(self, channel: str, who: str, reason: str) -> Iterator[Outcome]:
        """What was written there before has been dealt with: a server tells in order."""
        self.channels.discard(self._fold(channel))
        yield Removed(channel, who, reason)

    def _closed(self, line: Line) -> Iterator[Outcome]:
        if line.command == "KILL" and self._fold(line.param(0)) != self._fold(self.nick):
            return
        if line.command == "465":
            self._ban = one_line(line.last, _REASON)
            return
        said = one_line(line.last, _REASON)
        reason = f"{self._ban} ({said})" if self._ban else said
        yield Closed(reason or "killed", Farewell.BANNED if self._ban else meaning(reason))

    def _told(self, line: Line) -> Iterator[Outcome]:
        """What is said to the puppet. The server is asked whether services that say whose nick it is are such."""
        if self._fold(line.param(0)) != self._fold(self.nick) or line.is_of_server:
            return
        if sounds_like_services(line.source.nick):
            if line.command == "NOTICE":
                yield from self._services_say(line)
        elif speech(line) is not None:
            yield Whispered(line, line.tags.get("account", "") if self._accounts else None)

    def _services_say(self, line: Line) -> Iterator[Outcome]:
        login = self._login
        if is_claim(line) and login is not None and login.runs:
            self._claimed = (line.source.nick, self._fold(self.nick))
        elif is_claim(line):
            yield from self._claims.asked(line.source.nick)
        elif login is not None:
            yield from self._after_login(login.answered(line.param(1)))

    def _answered(self, line: Line) -> Iterator[Outcome]:
        """An answer to a question of ours, or to the login."""
        yield from self._identified(line)
        if line.command in OF_LOGINS and self._login is not None:
            yield from self._after_login(self._login.told(line, self.nick))
        if line.command in OF_CLAIMS and self._claims.is_proven(line):
            yield from self._ask_for_nick(_REGISTERED_TO)

    def _identified(self, line: Line) -> Iterator[Outcome]:
        """311 (RPL_WHOISUSER), 330 (RPL_WHOISACCOUNT), 318 (RPL_ENDOFWHOIS), 263 (RPL_TRYAGAIN)."""
        if line.command == "263" and line.param(1).upper() == "WHOIS":
            asked, self._asked = self._asked, {}
            yield from (replace(each, unanswered=True) for each in asked.values())
        key = self._fold(line.param(1))
        found = self._asked.get(key)
        if found is None:
            return
        match line.command:
            case "311":
                self._asked[key] = replace(found, source=Source(line.param(1), line.param(2), line.param(3)))
            case "330":
                self._asked[key] = replace(found, account=line.param(2))
            case "318":
                yield self._asked.pop(key)

    def _refused(self, line: Line) -> Iterator[Outcome]:
        """An error about a JOIN, about a nick that we asked for, or about a post."""
        if line.command in _NO_NICK and self._fold(line.param(1)) in self._renames:
            yield from self._ask_for_nick(one_line(line.last, _REASON))
            return
        names = {self._fold(param) for param in line.params[1:]}
        if line.command in _NOT_JOINED and (named := self._joining & names):
            self._joining -= named
            reason = one_line(line.last, _REASON)
            yield Barred(named.pop(), reason, banned=line.command == _BANNED)
        elif line.command == "470" and (named := self._joining & names):
            self._joining -= named
            yield Barred(named.pop(), f"the channel forwards to {one_line(line.param(2), 64)}", banned=False)
        elif line.command in _NOT_SAID:
            post = next((post for post, target in self._flying.items() if target in names), None)
            nameless = next(iter(self._flying), None) if line.command in ("411", "412", "417") else None
            if (found := post or nameless) is not None:
                del self._flying[found]
                yield NotSaid(found, one_line(line.last, _REASON))

    def _dealt_with(self, post: str) -> Iterator[Outcome]:
        for each in [*self._flying]:
            del self._flying[each]
            yield Taken(each)
            if each == post:
                return


def _concerns(data: bytes, nick: bytes) -> bool:
    """Whether a line may be about the puppet itself."""
    if data[:1] == b"@":
        data = data.partition(b" ")[2]
    source = b""
    if data[:1] == b":":
        source, _, data = data[1:].partition(b" ")
    command, _, rest = data.partition(b" ")
    if command in _SAID:
        return rest[:1] not in _CHANNELS
    return command not in _ABOUT_OTHERS or source.partition(b"!")[0].lower() == nick.lower()
