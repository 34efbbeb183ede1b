"""An IRC server in memory: as much of one as the bridge and its puppets use, and who has said what in its channels."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from bridge.irc.wire.line import Line, parse
from tests.simulation.faces.pipes import Piece, Pipe
from tests.simulation.weather import EPOCH, Weather

_BASIC = ("multi-prefix", "userhost-in-names")
_TAGS = ("message-tags", "server-time", "account-tag", "batch", "account-notify")
_ID = "+quackbridge.example/id"
_HOST = "bridge.example"
_KEPT = "2000:1d"
_MOST_PAGE = 50


class Features(NamedTuple):
    """What the server can do. `history`: `''`, `pages` (CHATHISTORY) or `replay` (InspIRCd's at each JOIN)."""

    tags: bool
    echo: bool
    labels: bool
    history: str
    whox: bool

    @property
    def capabilities(self) -> tuple[str, ...]:
        more = (*(("echo-message",) if self.echo else ()), *(("labeled-response",) if self.labels else ()))
        pages = ("draft/chathistory",) if self.history == "pages" else ()
        return (*_BASIC, *(_TAGS if self.tags else ()), *more, *pages)


@dataclass(slots=True, eq=False)
class Client:
    """Somebody on the server; `pipe` is None for people, who are simply there."""

    nick: str = ""
    user: str = ""
    account: str = ""
    pipe: Pipe | None = None
    host: str = _HOST
    caps: set[str] = field(default_factory=set)
    is_in: bool = False
    waits: bool = False
    """Whether it has not ended the negotiation of capabilities."""
    channels: set[str] = field(default_factory=set)
    since: float = 0.0

    @property
    def mask(self) -> str:
        return f"{self.nick}!~{self.user}@{self.host}"


@dataclass(frozen=True, slots=True)
class Spoken:
    """What all in a channel have seen. `who` said it, with that nick then; `tags` are those for clients."""

    channel: str
    who: Client
    mask: str
    command: str
    text: str
    tags: Mapping[str, str]
    msgid: str
    time: float

    @property
    def nick(self) -> str:
        return self.mask.partition("!")[0]


class Ircd:
    """`refuses`: an error numeric for what a client does to a channel (`JOIN`, `PRIVMSG`), with its words, or None;
    `greets`: an ERROR, or the numeric for a nick, for somebody who comes."""

    def __init__(self, weather: Weather, features: Features) -> None:
        self.weather = weather
        self.features = features
        self.spoken: list[Spoken] = []
        self.clients: list[Client] = []
        self.pipes: list[Pipe] = []
        self.usernames: dict[int, str] = {}
        """Of each connection that got as far, by its number."""
        self.away = False
        self.banned: set[tuple[str, str]] = set()
        """Channels, and the user names that are banned there."""
        self.ever_banned: set[tuple[str, str]] = set()
        self.moderated: set[str] = set()
        self._told_of_bans: dict[tuple[str, Client], Piece] = {}
        self.against_bans: list[Spoken] = []
        """What the bridge said for those whose puppets knew that they are banned there."""
        self.greets: Callable[[Client, str], str] = lambda _client, _nick: ""
        self.doubtful: Callable[[bytes], None] = lambda _on_its_way: None
        """Called whenever a connection is over, with what will arrive of it yet."""
        self.run = 0
        self.owners: Mapping[str, str] = {}
        """The names of members, by the user names of their puppets."""
        self._numbers = 0

    # Coming

    async def connect(self, *_where: object, **_options: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        began, run = asyncio.get_running_loop().time(), self.run
        await asyncio.sleep(self.weather.rng.uniform(0.01, 0.3))
        if self.away:
            raise ConnectionRefusedError("refused")
        pipe = Pipe(len(self.pipes), run, self, self.weather)
        pipe.began = began
        self.pipes.append(pipe)
        self.clients.append(Client(pipe=pipe))
        return pipe.reader, pipe.writer

    def person(self, nick: str, channels: Iterator[str] | list[str], account: str = "", host: str = "home") -> Client:
        """Somebody who is there from now on."""
        client = Client(nick, nick, account, host=host, is_in=True, since=self.now())
        self.clients.append(client)
        for channel in channels:
            self._join(client, channel)
        return client

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def with_nick(self, nick: str) -> Client | None:
        return next((each for each in self.clients if each.nick and each.nick.lower() == nick.lower()), None)

    def of(self, pipe: Pipe) -> Client | None:
        return next((each for each in self.clients if each.pipe is pipe), None)

    def puppets(self) -> list[Client]:
        """Those who are let in, but for the bridge itself."""
        return [each for each in self.clients if each.pipe is not None and each.is_in and each.user != "duck"]

    def here(self, channel: str) -> list[Client]:
        return [each for each in self.clients if channel in each.channels]

    # What comes of a connection

    def heard(self, pipe: Pipe, line: str) -> None:
        client, parsed = self.of(pipe), parse(line)
        if client is None or parsed is None:
            return
        handle = getattr(self, f"_on_{parsed.command.lower()}", None)
        if handle is not None:
            handle(client, parsed)
        elif client.is_in:
            self._tell(client, "421", parsed.command, "Unknown command")

    def lost(self, pipe: Pipe) -> None:
        if (client := self.of(pipe)) is not None:
            self.quit(client, "Connection closed")

    def doubted(self, pipe: Pipe) -> None:
        self.doubtful(b"".join(each.on_its_way for each in self.pipes))

    def quit(self, client: Client, why: str) -> None:
        """Somebody is gone, and all who share a channel see it."""
        self.clients.remove(client)
        if client.is_in:
            self._show(self._company(client), f":{client.mask} QUIT :{why}")
        client.channels.clear()

    def throw_out(self, client: Client, why: str, *, killed: bool = False) -> None:
        """The server ends a connection."""
        assert client.pipe is not None
        kill = (f":oper!o@net KILL {client.nick} :{why}",) if killed else ()
        self.weather.note(f"{client.nick} thrown out: {why}")
        client.pipe.end(*kill, f"ERROR :Closing link: ({why})")
        self.quit(client, why)

    def _on_cap(self, client: Client, line: Line) -> None:
        what, name = line.param(0).upper(), client.nick or "*"
        if what == "LS":
            client.waits = True
            self._raw(client, f":irc CAP {name} LS :{' '.join(self.features.capabilities)}")
        elif what == "REQ":
            asked = {word for word in line.last.split() if not word.startswith("-")}
            known = asked <= {*self.features.capabilities}
            client.caps |= asked if known else set()
            self._raw(client, f":irc CAP {name} {'ACK' if known else 'NAK'} :{line.last}")
        elif what == "END":
            client.waits = False
            self._welcome(client)

    def _on_user(self, client: Client, line: Line) -> None:
        client.user = line.param(0)
        assert client.pipe is not None
        self.usernames[client.pipe.number] = client.user
        self._welcome(client)

    def _on_nick(self, client: Client, line: Line) -> None:
        nick = line.param(0)
        answer = self.greets(client, nick)
        if answer.startswith("ERROR"):
            assert client.pipe is not None
            ban = (f":irc 465 {nick} :You are banned (K-lined)",) if "K-line" in answer else ()
            client.pipe.end(*ban, answer)
            self.clients.remove(client)
        elif answer or self.with_nick(nick) not in (None, client):
            self._raw(client, f":irc {answer or '433'} {client.nick or '*'} {nick} :Not this nick")
        elif client.is_in:
            self.rename(client, nick)
        else:
            client.nick = nick
            self._welcome(client)

    def rename(self, client: Client, nick: str) -> None:
        self.weather.note(f"{client.nick} is {nick} now")
        self._show([client, *self._company(client)], f":{client.mask} NICK {nick}")
        client.nick = nick

    def _welcome(self, client: Client) -> None:
        if client.is_in or client.waits or not (client.nick and client.user):
            return
        client.is_in, client.since = True, self.now()
        more = "CHATHISTORY=50 MSGREFTYPES=timestamp,msgid " if self.features.history == "pages" else ""
        more += "WHOX " if self.features.whox else ""
        modes = "IXbegw,k,Hfl,imnpst" if self.features.history == "replay" else "b,k,l,imnpst"
        self._tell(client, "001", "Welcome")
        self._tell(client, "003", "This server was created on a day")
        self._tell(client, "005", *f"{more}NICKLEN=30 CHANTYPES=# PREFIX=(ov)@+ CHANMODES={modes}".split(), "are known")
        self._tell(client, "376", "End of the message of the day")

    def _on_quit(self, client: Client, line: Line) -> None:
        assert client.pipe is not None
        client.pipe.end("ERROR :Closing link: (Quit)")
        self.quit(client, "Quit")

    def _on_pass(self, client: Client, line: Line) -> None:
        """Each is right."""

    def _on_pong(self, client: Client, line: Line) -> None:
        """It is there."""

    def _on_ping(self, client: Client, line: Line) -> None:
        self._raw(client, f":irc PONG irc :{line.param(0)}", line)

    def _on_ison(self, client: Client, line: Line) -> None:
        self._tell(client, "303", line.param(0) if self.with_nick(line.param(0)) else "")

    # Channels

    def _on_join(self, client: Client, line: Line) -> None:
        for channel in line.param(0).split(","):
            if (channel, client.user) in self.banned:
                self._told_of_bans[channel, client] = self._tell(client, "474", channel, "Cannot join (you're banned)")
            elif channel not in client.channels:
                self._join(client, channel)

    def _join(self, client: Client, channel: str) -> None:
        client.channels.add(channel)
        self._show(self.here(channel), f":{client.mask} JOIN {channel}")
        names = " ".join(each.nick for each in self.here(channel))
        self._tell(client, "353", "=", channel, names)
        self._tell(client, "366", channel, "End of names")
        if self.features.history == "replay" and "batch" in client.caps:
            self._batch(client, channel, [each for each in self.spoken if each.channel == channel], whole_seconds=True)

    def _on_part(self, client: Client, line: Line) -> None:
        for channel in line.param(0).split(","):
            self._show(self.here(channel), f":{client.mask} PART {channel}")
            client.channels.discard(channel)

    def kick(self, client: Client, channel: str, why: str) -> None:
        if channel in client.channels:
            self.weather.note(f"{client.nick} kicked from {channel}")
            self._show(self.here(channel), f":op!op@home KICK {channel} {client.nick} :{why}")
            client.channels.discard(channel)

    def ban(self, channel: str, user: str, *, on: bool) -> None:
        if ((channel, user) in self.banned) == on:
            return
        self.weather.note(f"{user} {'banned' if on else 'not banned'} in {channel}")
        (self.banned.add if on else self.banned.discard)((channel, user))
        self.ever_banned.add((channel, user))
        self._told_of_bans = {key: piece for key, piece in self._told_of_bans.items() if key[1].user != user}
        self._show(self.here(channel), f":op!op@home MODE {channel} {'+' if on else '-'}b *!*{user}@*")

    def _on_mode(self, client: Client, line: Line) -> None:
        channel = line.param(0)
        kept = ("H", _KEPT) if self.features.history == "replay" else ("",)
        self._tell(client, "324", channel, f"+nt{kept[0]}", *kept[1:])
        self._tell(client, "329", channel, str(int(EPOCH - 1000)))

    def _on_who(self, client: Client, line: Line) -> None:
        channel = line.param(0)
        for each in self.here(channel) if self.features.whox else ():
            about = (channel, "~" + each.user, each.host, each.nick, "H", each.account or "0", "real")
            self._tell(client, "354", "271", *about)
        self._tell(client, "315", channel, "End of WHO")

    def _on_whois(self, client: Client, line: Line) -> None:
        nick = line.param(0)
        if (found := self.with_nick(nick)) is not None:
            self._tell(client, "311", found.nick, "~" + found.user, found.host, "*", "real")
            self._tell(client, "317", found.nick, "1", str(int(found.since)), "seconds idle, signon time")
            if found.account:
                self._tell(client, "330", found.nick, found.account, "is logged in as")
        self._tell(client, "318", nick, "End of WHOIS")

    # What is said

    def _on_privmsg(self, client: Client, line: Line) -> None:
        channel = line.param(0)
        if not channel.startswith("#"):
            return
        if channel not in client.channels:
            self._tell(client, "404", channel, "Cannot send to channel", line=line)
        elif (channel, client.user) in self.banned:
            answer = self._tell(client, "404", channel, "Cannot send to channel (you're banned)", line=line)
            self._told_of_bans[channel, client] = answer
        elif channel in self.moderated and client.user != "duck":
            self._tell(client, "404", channel, "Cannot send to channel (+m)", line=line)
        else:
            self.say(client, channel, line.param(1), line.command, line)

    _on_notice = _on_privmsg

    def say(
        self, client: Client, channel: str, text: str, command: str = "PRIVMSG", line: Line | None = None
    ) -> Spoken:
        """Show a line to all in the channel, and to who says it if they want that."""
        self._numbers += 1
        own = {key: value for key, value in line.tags.items() if key.startswith("+")} if line is not None else {}
        tags = own if "message-tags" in client.caps else {}
        said = Spoken(channel, client, client.mask, command, text, tags, f"i{self._numbers}", self.now())
        self.spoken.append(said)
        self.weather.note(f"{channel} <{client.nick}> {text}")
        if client.user == "duck" and any(self._knows_it_is_banned(each, said) for each in self.clients):
            self.against_bans.append(said)
        for each in self.here(channel):
            if each is not client:
                self._raw(each, self._line(said, each))
            elif "echo-message" in client.caps:
                self._raw(each, self._line(said, each), line)
        return said

    def _knows_it_is_banned(self, puppet: Client, said: Spoken) -> bool:
        """Whether `said` has the words of a puppet's owner, and it had heard of its ban when the bridge wrote them."""
        told = self._told_of_bans.get((said.channel, puppet))
        if told is None or told.came_at is None or said.who.pipe is None or puppet.pipe is None:
            return False
        is_theirs = f"<{self.owners.get(puppet.user)}>" in said.text
        return is_theirs and puppet.pipe.is_held and told.came_at < said.who.pipe.written_at

    def _line(self, said: Spoken, to: Client, batch: str = "", *, whole_seconds: bool = False) -> str:
        tags: dict[str, str] = dict(said.tags) if "message-tags" in to.caps else {}
        if "message-tags" in to.caps:
            tags["msgid"] = said.msgid
        if "server-time" in to.caps:
            tags["time"] = _stamp(int(said.time) if whole_seconds else said.time)
        if "account-tag" in to.caps and said.who.account and not whole_seconds:
            tags["account"] = said.who.account
        if batch:
            tags["batch"] = batch
        return f"{_tagged(tags)}:{said.mask} {said.command} {said.channel} :{said.text}"

    # History

    def _on_chathistory(self, client: Client, line: Line) -> None:
        channel, reference, limit = line.param(1), line.param(2), min(int(line.param(3)), _MOST_PAGE)
        kept = [each for each in self.spoken if each.channel == channel]
        by, _, value = reference.partition("=")
        match line.param(0), by:
            case "AFTER", "timestamp":
                page = [each for each in kept if _stamp(each.time) > value][:limit]
            case "AFTER", "msgid":
                place = next((at for at, each in enumerate(kept) if each.msgid == value), None)
                page = kept[place + 1 :][:limit] if place is not None else []
            case "BEFORE", "timestamp":
                page = [each for each in kept if _stamp(each.time) < value][-limit:]
            case "BEFORE", "msgid":
                place = next((at for at, each in enumerate(kept) if each.msgid == value), 0)
                page = kept[:place][-limit:]
            case _:
                page = kept[-limit:]
        self._batch(client, channel, page)

    def _batch(self, client: Client, channel: str, lines: list[Spoken], *, whole_seconds: bool = False) -> None:
        self._numbers += 1
        name = f"b{self._numbers}"
        told = [self._line(each, client, name, whole_seconds=whole_seconds) for each in lines]
        self._raw(client, f":irc BATCH +{name} chathistory {channel}")
        for each in told:
            self._raw(client, each)
        self._raw(client, f":irc BATCH -{name}")

    # Lines

    def _company(self, client: Client) -> list[Client]:
        return [each for each in self.clients if each is not client and each.channels & client.channels]

    def _show(self, people: list[Client], line: str) -> None:
        for each in people:
            self._raw(each, line)

    def _tell(self, client: Client, numeric: str, *params: str, line: Line | None = None) -> Piece:
        *middle, last = params
        return self._raw(client, f":irc {' '.join([numeric, client.nick or '*', *middle])} :{last}", line)

    def _raw(self, client: Client, text: str, asked: Line | None = None) -> Piece:
        """Write a line, with the label of what it answers."""
        if client.pipe is None:
            return Piece(b"", 0.0)
        label = asked.tags.get("label", "") if asked is not None and "labeled-response" in client.caps else ""
        if label:
            tags, rest = text[1:].split(" ", 1) if text.startswith("@") else ("", text)
            text = f"@{tags}{';' if tags else ''}label={label} {rest}"
        return client.pipe.send(text)


def _stamp(time: float) -> str:
    there = datetime.fromtimestamp(time, UTC)
    return there.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tagged(tags: Mapping[str, str]) -> str:
    return f"@{';'.join(f'{key}={value}' for key, value in tags.items())} " if tags else ""
