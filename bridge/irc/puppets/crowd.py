"""The puppets of one network: who has one, when it connects and where it speaks."""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bridge.irc.backoff import Ending, ReconnectPause
from bridge.irc.dialect.operations import Voice
from bridge.irc.dialing import sources
from bridge.irc.dialing.dial import Dial, Dialed
from bridge.irc.dialing.servers import Address
from bridge.irc.effects import Write
from bridge.irc.puppets import nicks, origins
from bridge.irc.puppets.absence import Absence
from bridge.irc.puppets.book import Book, Changes
from bridge.irc.puppets.connection import Pace, PuppetConnection
from bridge.irc.puppets.faces import Face, Faces
from bridge.irc.puppets.identd import Identd
from bridge.irc.puppets.logins import SERVICE, Account, Accounts, LoggedIn, NoAccounts, NotLoggedIn, WrongLogins
from bridge.irc.puppets.session import (
    Barred,
    Closed,
    Entered,
    Hosted,
    Identity,
    Outcome,
    PuppetSession,
    Removed,
    Renamed,
    Welcomed,
    Whispered,
)
from bridge.irc.session.farewells import Farewell
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Line, Source, Unwritable
from bridge.lib import hosts
from bridge.lib.backoff import Backoff
from bridge.lib.lru import LruDict
from bridge.lib.waiting import is_set_within
from bridge.model.casemap import Casemapping
from bridge.model.people import Sender
from bridge.model.text import folded
from bridge.network import IsAway

log = structlog.get_logger()

_WAITS_S = 3.0
"""Seconds that words wait for a puppet to connect, or to join: then the bridge's own account says them."""
_AWAY_S = 60.0
"""Seconds between looks at who is away."""
_BEAT_S = 2.0
"""Seconds between looks at who may still have a puppet."""
_BARRED_S = 60.0
"""Seconds after which a puppet tries again to join where it may not be, or to speak where it may not speak."""
_BANNED_S = 15.0
"""The same where it is banned."""
_MUTED_S = 2.0
"""The same where it is in the channel and banned: the ban may last for a moment, and asking again costs a line."""
_BAN = Backoff(first_s=3600.0, longest_s=86_400.0)
_TURNED_AWAY = Backoff(first_s=120.0, longest_s=3600.0)
"""Seconds in which no new puppets are made after a network has banned one, or turned one away."""
_FAILED = Backoff(first_s=10.0, longest_s=600.0)
"""Seconds after a connection that did not get in, or that was thrown out, in which its owner gets no other."""
_KILLED = re.compile(r"\bkill", re.IGNORECASE)
_TOLD_NICKS = 1000
"""Most owners of whom it is remembered which nick they were told last."""
_ANSWERED, _ANSWER_EVERY_S = 1000, 60.0
_NOT_NOW = "I cannot pass that on right now. Please say it again in some minutes."
_MAY_COME_BACK = frozenset({Farewell.PASSING, Farewell.OTHER})
_TURNED = frozenset({Farewell.THROTTLED, Farewell.CROWDED, Farewell.UNWANTED, Farewell.NEEDS_LOGIN})


_OF_BAN = re.compile(r"\bban|\bmute|\bquiet|\+[bq]\b", re.IGNORECASE)


def is_of_ban(reason: str) -> bool:
    """Whether a server that does not take a line says that its speaker is banned or muted there."""
    return _OF_BAN.search(reason) is not None


class Eyes(Protocol):
    """What the bridge's own connection knows of the network, while it is online."""

    @property
    def server(self) -> Address: ...

    @property
    def nick_length(self) -> int: ...

    @property
    def casemapping(self) -> Casemapping: ...

    @property
    def isupport(self) -> Isupport: ...

    def is_known(self, nick: str) -> bool:
        """Whether it is the bridge's own nick, or that of somebody in its channels."""
        ...

    def person(self, source: Source, account: str) -> Sender:
        """Somebody of whom the server has just told that they have that nick, and that account ('' for none)."""
        ...


class Members(Protocol):
    """What the allowlist says of who may have a puppet."""

    def may_have_puppet(self, user: str) -> bool:
        """Whether a user is there, not banned, and wants a puppet."""
        ...

    def is_other_user(self, nick: str, user: str) -> bool:
        """Whether `nick` is the name of another user than `user`."""
        ...

    def user_of(self, sender: Sender) -> str | None:
        """The user whom the network proves `sender` to be, unless they are banned; None for a guest."""
        ...


class Everybody:
    """An allowlist that is not asked."""

    def may_have_puppet(self, user: str) -> bool:
        return True

    def is_other_user(self, nick: str, user: str) -> bool:
        return False

    def user_of(self, sender: Sender) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Bar:
    """Why a puppet cannot speak in a channel, at this time of the loop's clock; `banned`: it is not let in or muted by
    those who run the channel, and no one else may say its words."""

    reason: str
    banned: bool
    at: float


@dataclass(slots=True)
class Puppet:
    """One member on the network. `asked_at`: since when words wait for it to connect, or to join each channel. `seen`:
    the channels in which the bridge's own connection sees it."""

    voice: Voice
    face: Face
    pace: Pace
    spoke_at: float
    asked_at: float
    connection: PuppetConnection | None = None
    host: str = ""
    login: str = ""
    """The version of the login that its connection has used (see `Accounts.version`)."""
    noted: bool = False
    anew: bool = False
    is_over: bool = False
    joining: dict[str, float] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    bars: dict[str, Bar] = field(default_factory=dict)
    absence: Absence = field(default_factory=Absence)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    remembering: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def online(self) -> bool:
        return self.connection is not None and self.connection.open

    @property
    def is_speaking(self) -> bool:
        """Whether a line of it is on its way."""
        return self.connection is not None and self.connection.is_speaking

    def prefix(self, supports: Isupport) -> int:
        """Bytes that the server puts before what the puppet says, when it shows it to others."""
        host = len(self.host.encode()) or supports.host_length
        return len(f":{self.face.nick}!~{self.face.username}@ ".encode()) + host

    def ring(self) -> None:
        """Wake everybody who waits for a change, once."""
        self.changed.set()
        self.changed = asyncio.Event()


Tell = Callable[[str, str, str], None]
"""Tells a user, or the admins ('' for the name), some news: its id, and the words."""
Hear = Callable[[Puppet, Whispered], bool]
"""Takes what somebody says to a puppet in private. False if it cannot be taken now."""


def _hears_nothing(_puppet: Puppet, _said: Whispered) -> bool:
    return False


class Puppets:
    """Makes puppets, lazily, and keeps them. `eyes` gives the bridge's own connection, None while it is offline; `keep`
    stores what is to be remembered over restarts; `hear` takes what is said to one in private; `is_away` tells whether
    a member is away. Times are those of the loop's clock."""

    def __init__(
        self,
        settings: IrcSettings,
        dial: Dial,
        rng: random.Random,
        *,
        eyes: Callable[[], Eyes | None],
        keep: Callable[[Changes], Awaitable[None]],
        tell: Tell,
        members: Members | None = None,
        hear: Hear = _hears_nothing,
        identd: Identd | None = None,
        accounts: Accounts | None = None,
        is_away: IsAway | None = None,
    ) -> None:
        self._is_away = is_away
        self._accounts = accounts or NoAccounts()
        self._wrong = WrongLogins({})
        self._settings = settings
        self._dial = dial
        self._rng = rng
        self._eyes = eyes
        self._keep = keep
        self._tell = tell
        self.members = members or Everybody()
        self._hear = hear
        self._identd = identd or Identd()
        self.book = Book({})
        self.faces = Faces(self.book)
        self._puppets: dict[str, Puppet] = {}
        self._begun: asyncio.Queue[Puppet] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._next_at = 0.0
        self._paused_until = 0.0
        self._pauses = 0
        self._not_before: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._leaving = False
        self._answered: LruDict[tuple[str, str], float] = LruDict(_ANSWERED)
        self._told_nicks: LruDict[str, str] = LruDict(_TOLD_NICKS)

    def load(self, kept: Mapping[str, str]) -> None:
        """Take what the network remembers."""
        casemapping = self.book.casemapping
        self.book = Book(kept)
        self.book.casemapping = casemapping
        self.faces = Faces(self.book)
        self._wrong = WrongLogins(kept)

    async def run(self) -> None:
        """Keep the puppets until it is cancelled: then they say goodbye."""
        place = self._settings.puppets.identd
        async with self._identd.listening(place) if place else nullcontext():
            await self._run()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            beating: asyncio.Task[None] | None = None
            while True:
                puppet = await self._begun.get()
                if beating is None:
                    beating = group.create_task(self._beat(), name=f"puppets {self._settings.name}")
                    group.create_task(self._look_for_absence(), name=f"away {self._settings.name}")
                group.create_task(self._live(puppet), name=f"puppet {puppet.voice.user}")

    def leave(self) -> None:
        """Let all say goodbye; none is made any more."""
        self._leaving = True
        for puppet in self._puppets.values():
            self._retire(puppet, "quackbridge")

    def keep_to(self, channels: Iterable[str]) -> None:
        """Let all leave the channels that are not among these."""
        wanted = set(map(self._fold, channels))
        for puppet in self._puppets.values():
            if (connection := puppet.connection) is not None and connection.open:
                for channel in connection.session.channels - wanted:
                    connection.part(channel)

    @property
    def online(self) -> int:
        """How many are connected."""
        return sum(puppet.online for puppet in self._puppets.values())

    # Where words come in

    @asynccontextmanager
    async def speaker(
        self, voice: Voice, channel: str, key: str, *, waits: bool = True
    ) -> AsyncGenerator[Puppet | Bar | None, None]:
        """The puppet of who speaks, in the channel, with leave to write one line; why it may not speak there; or None
        if it is not there in time. Unless it `waits`, only a puppet that is there already is one."""
        puppet = self.wanted(voice) if waits else self.of(voice.user)
        if puppet is None or not (waits or self.is_in(puppet, channel)):
            yield None
            return
        bar = await self._in_channel(puppet, channel, key)
        if bar is not None or not puppet.online:
            yield bar
            return
        await puppet.pace.turn()
        await self.remember(puppet)
        yield puppet if puppet.online and self.is_in(puppet, channel) else None

    def of(self, user: str) -> Puppet | None:
        """The puppet that a user has now."""
        return self._puppets.get(user.casefold())

    def of_folded(self, name: str) -> Puppet | None:
        """The puppet of the user whose name is that, once it is `folded`."""
        return next((each for each in self._puppets.values() if folded(each.voice.user) == name), None)

    def pause_s(self, user: str) -> float:
        """Seconds until a user may have a puppet again, after one that did not get in, or was thrown out."""
        until = max(self._paused_until, self._not_before.get(user.casefold(), 0.0))
        return max(0.0, until - self._now())

    async def remember(self, puppet: Puppet) -> None:
        """Call it before the puppet says anything."""
        async with puppet.remembering:
            await self._note(puppet)

    def refused(self, puppet: Puppet, channel: str, reason: str, *, banned: bool) -> Bar:
        """A channel did not take a line of the puppet."""
        bar = Bar(reason, banned, self._now())
        puppet.bars[self._fold(channel)] = bar
        return bar

    def wanted(self, voice: Voice) -> Puppet | None:
        """The puppet of who wants to speak, which may have to connect first; None if they can have none now."""
        key, now = voice.user.casefold(), self._now()
        if not self.members.may_have_puppet(voice.user) or self._leaving:
            return None
        puppet = self._puppets.get(key)
        if puppet is not None:
            puppet.spoke_at, puppet.voice = now, voice
            self._show(puppet, puppet.absence.spoke())
            return puppet
        is_paused = now < max(self._paused_until, self._not_before.get(key, 0.0))
        if is_paused or len(self._puppets) >= self._settings.puppets.limit:
            return None
        flood = self._settings.flood
        face = Face("", nicks.username(voice.identity))
        puppet = Puppet(voice, face, Pace(flood.burst, flood.per_second), spoke_at=now, asked_at=now)
        self._puppets[key] = puppet
        self._begun.put_nowait(puppet)
        return puppet

    async def _in_channel(self, puppet: Puppet, channel: str, key: str) -> Bar | None:
        """Wait until the puppet is in the channel, or the time is up; why it may not speak there, if that is known."""
        name = self._fold(channel)
        while not puppet.is_over:
            bar = self._bar(puppet, name)
            if bar is not None or self.is_in(puppet, channel):
                return bar
            if puppet.online and puppet.connection is not None and name not in puppet.joining:
                puppet.joining[name] = self._now()
                puppet.connection.join(channel, key)
            since = puppet.joining.get(name, puppet.asked_at)
            if not await is_set_within(puppet.changed, since + _WAITS_S - self._now()):
                return None
        return None

    def _bar(self, puppet: Puppet, name: str) -> Bar | None:
        bar = puppet.bars.get(name)
        lasts = _BARRED_S
        if bar is not None and bar.banned:
            lasts = _MUTED_S if self.is_in(puppet, name) else _BANNED_S
        if bar is not None and self._now() - bar.at > lasts:
            del puppet.bars[name]
            return None
        return bar

    def is_in(self, puppet: Puppet, channel: str) -> bool:
        """Whether the puppet is in the channel, as far as its connection knows."""
        return (
            puppet.online
            and puppet.connection is not None
            and self._fold(channel) in puppet.connection.session.channels
        )

    def is_seen(self, puppet: Puppet, channel: str) -> bool:
        """Whether the bridge's own connection has heard all that was before the puppet joined the channel."""
        return self._fold(channel) in puppet.seen

    def note_seen(self, puppet: Puppet, channel: str) -> None:
        if self.is_in(puppet, channel):
            puppet.seen.add(self._fold(channel))

    # Its connections

    async def _live(self, puppet: Puppet) -> None:
        """Connect, and reconnect whenever the connection ends, until the puppet retires, or cannot get in."""
        pause = ReconnectPause(self._rng)
        key = puppet.voice.user.casefold()
        try:
            while not self._is_retired(puppet):
                eyes = await self._turn_to_connect()
                if eyes is None or self._is_retired(puppet):
                    continue
                began, ending = self._now(), await self._once(puppet, eyes)
                if self._is_retired(puppet):
                    return
                was_online = bool(puppet.face.nick)
                self._ended(puppet, ending, was_online=was_online)
                is_killed = _KILLED.search(ending.reason) or ending.farewell not in _MAY_COME_BACK
                if is_killed or not was_online:
                    self._failures[key] = failures = self._failures.get(key, -1) + 1
                    self._not_before[key] = self._now() + _FAILED.after(failures, self._rng)
                    return
                await asyncio.sleep(pause.after(Ending(ending.reason, online_for=self._now() - began)))
        finally:
            puppet.is_over = True
            if self._puppets.get(key) is puppet:
                del self._puppets[key]
            puppet.ring()

    def _is_retired(self, puppet: Puppet) -> bool:
        return puppet.is_over

    async def _turn_to_connect(self) -> Eyes | None:
        """Wait for the turn of a connection; the bridge's own, None if it is offline."""
        async with self._turn:
            await asyncio.sleep(max(0.0, self._next_at - self._now()))
            eyes = self._eyes()
            if eyes is None or self._now() < self._paused_until:
                await asyncio.sleep(1.0)
                return None
            self._next_at = self._now() + self._settings.puppets.connect_every
            return eyes

    async def _once(self, puppet: Puppet, eyes: Eyes) -> Closed:
        with self._identd.pairs.owner(nicks.username(puppet.voice.identity)) as announce:
            dialed = await self._dial.open(eyes.server, self._source(puppet, announce))
            if isinstance(dialed, Ending):
                return Closed(dialed.reason)
            account = await self._account(puppet, dialed.to)
            if self._is_retired(puppet):
                dialed.writer.close()
                return Closed("the puppet is not wanted any more")
            return await self._speak(puppet, eyes, dialed, account)

    async def _speak(self, puppet: Puppet, eyes: Eyes, dialed: Dialed, account: Account | None) -> Closed:
        identity = self._identity(puppet, eyes, account)
        session = PuppetSession(identity, eyes.casemapping, self._is_free(puppet))
        connection = PuppetConnection(
            session, (dialed.reader, dialed.writer), lambda outcome: self._told(puppet, connection, outcome)
        )
        puppet.connection, puppet.face = connection, Face("", nicks.username(puppet.voice.identity))
        try:
            return await connection.run()
        except Unwritable as error:
            return Closed(f"the password of the server or of WEBIRC cannot be sent: {error}")
        finally:
            self.faces.gone(puppet.face)
            puppet.connection = None
            puppet.joining.clear()
            puppet.seen.clear()
            puppet.ring()

    def _source(
        self, puppet: Puppet, announce: Callable[[sources.Place, sources.Place], None]
    ) -> sources.Source | None:
        """From where the puppet connects, if that has to be known."""
        settings = self._settings.puppets
        if settings.source is not None:
            return sources.Source(origins.address(settings.source, puppet.voice.identity), announce)
        return sources.Source(self._settings.bind, announce) if settings.identd is not None else None

    async def _account(self, puppet: Puppet, server: Address) -> Account | None:
        """The services account with which a puppet is to log in. Its password goes over TLS or loopback alone."""
        user = puppet.voice.user
        puppet.login = version = self._accounts.version(user)
        is_safe = server.tls or hosts.is_loopback(server.host)
        if not version or not is_safe or self._wrong.has(user, version):
            return None
        try:
            opened = await asyncio.to_thread(self._accounts.opened, user)
        except ValueError as error:
            log.error("puppet_login_unreadable", network=self._settings.name, user=user, reason=str(error))
            return None
        told = self._settings.nickserv
        service = told.service if told is not None else SERVICE
        return Account(*opened, service, trusted=told is not None) if opened is not None else None

    def _identity(self, puppet: Puppet, eyes: Eyes, account: Account | None) -> Identity:
        settings, voice = self._settings.puppets, puppet.voice
        length = eyes.nick_length or nicks.UNSAID
        name = account.name if account is not None else ""
        names = self.book.names(settings.nick, voice.user, voice.identity, length, name)
        told = nicks.realname(settings.realname, voice.user, voice.identity)
        webirc = origins.webirc(settings.webirc, voice.identity)
        return Identity(names, nicks.username(voice.identity), told, self._settings.password, webirc, account)

    def _is_free(self, puppet: Puppet) -> Callable[[str], bool]:
        def is_free(nick: str) -> bool:
            eyes = self._eyes()
            is_known = eyes is None or eyes.is_known(nick)
            return not is_known and not self.members.is_other_user(nick, puppet.voice.user)

        return is_free

    def _told(self, puppet: Puppet, connection: PuppetConnection, outcome: Outcome) -> None:
        """What happens to a puppet."""
        user, network = puppet.voice.user, self._settings.name
        match outcome:
            case Welcomed(nick):
                puppet.face.nick, puppet.noted = nick, False
                self.faces.connected(puppet.face)
                puppet.absence.connected()
                self._pauses = 0
                self._failures.pop(user.casefold(), None)
                self._tell_nick(puppet)
                log.info("puppet_online", network=network, user=user, nick=nick)
            case Hosted(host, username):
                shown = username or puppet.face.username
                puppet.noted = puppet.noted and (host, shown) == (puppet.host, puppet.face.username)
                puppet.host, puppet.face.username = host, shown
            case Renamed(nick, asked):
                puppet.face.nick, puppet.noted = nick, False
                puppet.anew = puppet.anew or asked
                self._tell_nick(puppet)
                log.info("puppet_renamed", network=network, user=user, nick=nick)
            case Entered(channel):
                name = self._fold(channel)
                puppet.joining.pop(name, None)
                puppet.bars.pop(name, None)
                puppet.seen.discard(name)
            case Barred(name, reason, banned):
                puppet.joining.pop(name, None)
                puppet.bars[name] = Bar(reason, banned, self._now())
                log.info("puppet_barred", network=network, user=user, room=f"{network}/{name}", reason=reason)
            case Removed(channel, who, reason):
                log.info("puppet_removed", network=network, user=user, room=f"{network}/{channel}", reason=reason)
                self._tell_removed(puppet, channel, who, reason)
            case Whispered():
                if not self._hear(puppet, outcome):
                    self._put_off(connection, user, outcome.line)
            case LoggedIn() | NotLoggedIn():
                self._told_login(puppet, outcome)
        puppet.ring()

    def _put_off(self, connection: PuppetConnection, user: str, line: Line) -> None:
        """Say to somebody, once a minute, that the puppet passes nothing on now."""
        key, now = (user, self._fold(line.source.nick)), self._now()
        last = self._answered.get(key)
        if line.command == "PRIVMSG" and (last is None or now - last > _ANSWER_EVERY_S):
            self._answered[key] = now
            connection.notice(line.source.nick, _NOT_NOW)

    def _tell_nick(self, puppet: Puppet) -> None:
        """Tell the owner, once for each change, that their nick is not what the template says, or what it was."""
        user, network, nick = puppet.voice.user, self._settings.name, puppet.face.nick
        eyes, known, key = self._eyes(), self.book.of(user), user.casefold()
        length = (eyes.nick_length if eyes is not None else 0) or nicks.UNSAID
        wanted = next(nicks.candidates(self._settings.puppets.nick, user, puppet.voice.identity, length), nick)
        before = self._told_nicks.get(key) or (known.last if known is not None else wanted)
        self._told_nicks[key] = nick
        if self._fold(before) != self._fold(nick):
            why = "" if self._fold(wanted) == self._fold(nick) else f": {wanted} was not free"
            self._tell(user, f"nick {nick}", f"Your nick on {network} is {nick} now{why}.")

    def _told_login(self, puppet: Puppet, outcome: LoggedIn | NotLoggedIn) -> None:
        """A puppet is logged in to its owner's account, or goes on without. A wrong password is told to them, once."""
        user, network = puppet.voice.user, self._settings.name
        if isinstance(outcome, LoggedIn):
            self._wrong.forget(user)
            log.info("puppet_logged_in", network=network, user=user, account=outcome.account)
            return
        account, reason = outcome.account, outcome.reason
        log.warning("puppet_not_logged_in", network=network, user=user, account=account, reason=reason)
        if outcome.wrong:
            self._wrong.add(user, puppet.login)
            said = f"The network {network} does not accept the password of your account {account}: {reason}. "
            rest = "Your nick there goes on without the account. To give it again, say: irc-login ACCOUNT PASSWORD"
            self._tell(user, "login", said + rest)

    def _tell_removed(self, puppet: Puppet, channel: str, who: str, reason: str) -> None:
        by = f"{who} has kicked" if who else "the server has removed"
        why = f" ({reason})" if reason else ""
        said = f"On {self._settings.name}, {by} your nick {puppet.face.nick} from {channel}{why}."
        self._tell(puppet.voice.user, f"removed {channel}", f"{said} It comes back when you say something there.")

    def _ended(self, puppet: Puppet, ending: Closed, *, was_online: bool) -> None:
        """A connection has ended that was to stay."""
        user, network = puppet.voice.user, self._settings.name
        log.warning("puppet_offline", network=network, user=user, reason=ending.reason)
        if ending.farewell is Farewell.BANNED:
            wait = self._pause(_BAN)
            said = f"The network {network} has banned the nick of {user}: {ending.reason}. "
            rest = f"For {wait / 3600:.0f} h no new member gets a nick of their own there; words go with the mark."
            self._tell("", "banned", said + rest)
        elif ending.farewell in _TURNED and not was_online:
            self._pause(_TURNED_AWAY)
        if was_online and ending.farewell is not Farewell.PASSING:
            said = f"Your nick was thrown off {network}: {ending.reason}. Until it is back, the bridge says your words."
            self._tell(user, "thrown off", said)

    def _pause(self, backoff: Backoff) -> float:
        """Make no new puppets for a while."""
        wait = backoff.plain(self._pauses)
        self._pauses += 1
        self._paused_until = max(self._paused_until, self._now() + wait)
        log.warning(
            "puppets_paused",
            network=self._settings.name,
            retry_in_s=round(wait),
            hint="the network lets no more of them in; members without one speak by the bridge, with the mark",
        )
        return wait

    async def _note(self, puppet: Puppet) -> None:
        """Remember how others see the puppet, before it says anything: else what it said would be somebody else's words
        after a restart."""
        if not puppet.noted:
            puppet.noted, anew, puppet.anew = True, puppet.anew, False
            voice = puppet.voice
            changes = self.book.note(
                voice.user,
                voice.identity,
                puppet.face.nick,
                puppet.host,
                anew=anew,
                username=puppet.face.username,
            )
            if changes:
                self.faces.any = True
                await self._keep(changes)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            now = self._now()
            if changes := self._wrong.unsaved():
                await self._keep(changes)
            for puppet in [*self._puppets.values()]:
                if not self.members.may_have_puppet(puppet.voice.user):
                    self._retire(puppet, "no member any more, or without a nick of their own")
                elif now - puppet.spoke_at > self._settings.puppets.idle and not puppet.is_speaking:
                    self._retire(puppet, "idle")
                elif self._has_new_login(puppet):
                    self._retire(puppet, "logging in")
                elif puppet.connection is not None:
                    puppet.connection.tick(now)

    def _has_new_login(self, puppet: Puppet) -> bool:
        """Whether a puppet is to come back with another account, or with none; not while lines are on their way."""
        connection = puppet.connection
        is_idle = connection is not None and connection.open and not connection.is_speaking
        return is_idle and puppet.login != self._accounts.version(puppet.voice.user)

    async def _look_for_absence(self) -> None:
        """Show who is away, for ever. One is asked about at a time."""
        while self._is_away is not None and self._settings.puppets.away:
            await asyncio.sleep(_AWAY_S)
            for puppet in [*self._puppets.values()]:
                if puppet.online:
                    away = await self._is_away(puppet.voice.identity)
                    silent_s = self._now() - puppet.spoke_at
                    self._show(puppet, puppet.absence.looked(away=away, silent_s=silent_s))

    def _show(self, puppet: Puppet, lines: Sequence[Write]) -> None:
        if lines and puppet.online and puppet.connection is not None:
            puppet.connection.show(lines)

    def _retire(self, puppet: Puppet, reason: str) -> None:
        puppet.is_over = True
        self._puppets.pop(puppet.voice.user.casefold(), None)
        if puppet.connection is not None:
            puppet.connection.quit(reason)
        puppet.ring()

    def _fold(self, name: str) -> str:
        return self.book.casemapping.fold(name)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
