"""An IRC network as the bridge sees it: stays connected, yields what is said, and sends with proof."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from bridge.irc.backoff import Ending, ReconnectPause
from bridge.irc.connection import Connection, Flight, Lost
from bridge.irc.dialect.operations import Operation, React, Say, Voice, decode, is_speech
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.render import render
from bridge.irc.dialect.written import lines_of
from bridge.irc.dialing.dial import Connect, Dial
from bridge.irc.dialing.policies import Policies
from bridge.irc.dialing.servers import Address, Servers
from bridge.irc.doubts import Doubts
from bridge.irc.effects import CaughtUp, Effect, Joined, Left, NetworkFound, Online, Pledged
from bridge.irc.flood import Flood, Pace
from bridge.irc.hearing.cursor import Cursor
from bridge.irc.inbox import Inbox
from bridge.irc.lanes import Lanes, Turn
from bridge.irc.puppets.book import Changes
from bridge.irc.puppets.connection import Refused as NotTaken
from bridge.irc.puppets.connection import Unseen, Verdict, line_of
from bridge.irc.puppets.crowd import Bar, Members, Puppet, Puppets, is_of_ban
from bridge.irc.puppets.faces import NotShown
from bridge.irc.puppets.identd import Identd
from bridge.irc.puppets.logins import Accounts
from bridge.irc.puppets.session import Whispered
from bridge.irc.puppets.whispering import Whispering
from bridge.irc.readiness import Readiness
from bridge.irc.sasl.choice import Trust
from bridge.irc.session.session import Session
from bridge.irc.session.state import Greets, greets_nobody
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Source, Unwritable
from bridge.lib.lru import LruDict
from bridge.lib.waiting import is_set_within
from bridge.model.casemap import Casemapping
from bridge.model.event import Edit, Event, Membership, Reaction, Room
from bridge.model.outbox import Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import DEFAULT, Presentation
from bridge.network import (
    Batch,
    InDoubt,
    IsAway,
    Memory,
    News,
    PermanentError,
    Refused,
    SendError,
    Silenced,
    TransientError,
    Vitals,
)

log = structlog.get_logger()

_UNANSWERED = "the server does not answer"
_NOT_OURS_S = 0.5
"""Seconds between looks whether the network is ours."""
_OFFLINE = "messages wait; the bridge reconnects by itself"
_PLACE_WITHIN = 30.0
"""Seconds that a post waits for us to be online and in its channel."""
_RETRY_AFTER = 60.0
_LOOK_AGAIN = 0.1
"""Seconds until a post is tried again: so short that it waits here, not in the outbox, and goes when we are back."""

_CONTEXT_S = 3600.0
"""Seconds for which the connections of puppets share what TLS needs, which is large."""
_TRIES = 2
"""How often a puppet tries to say a post, if it was kicked meanwhile, or the like, before the bridge says it."""
_OPEN = 1000
"""More posts than puppets can have written at once."""
_KNOCKS = 1000
"""Most channels of which it is remembered when we asked to be let in."""

_GATHERED = ((Reaction, 9.0), (Edit, 3.0), (Membership, 4.0))
"""Seconds that these wait for more of them: a channel is told of several in one line."""


class IrcNetwork:
    """One account on one IRC network; `rooms` are the configured channels. `memory` keeps the STS policies of its
    servers. `clock` gives seconds since the epoch."""

    window = 4  # after a crash this many may come twice, if the server remembers nothing

    def __init__(
        self,
        settings: IrcSettings,
        rooms: Sequence[Room],
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random,
        memory: Memory | None = None,
        connect: Connect = asyncio.open_connection,
        is_ours: Callable[[], bool] = lambda: True,
        members: Members | None = None,
        accounts: Accounts | None = None,
        greets: Greets = greets_nobody,
        identd: Identd | None = None,
        is_away: IsAway | None = None,
    ) -> None:
        """`is_ours`: whether this process is certainly the one that runs the network. While it is not, it does not
        connect: it would take the nick from the one that does. `members`: who may have a puppet; None: each member.
        `accounts`: with which services accounts puppets log in; None: with none. `greets`: of whom it is told that they
        were in a channel before we came. `identd`: that of the process, if other networks have it, too. `is_away`:
        whether a member is away."""
        self._is_ours = is_ours
        self._greets = greets
        self.name = settings.name
        self._settings = settings
        self._rooms = tuple(rooms)
        self._clock = clock
        self._rng = rng
        self._dial = Dial(settings, connect)
        self._memory = memory
        self._connection: Connection | None = None
        self._life: asyncio.Task[None] | None = None
        self._leaving = False
        self._limits = Limits()
        self._lanes = Lanes()
        self._pace = Pace(settings.flood.burst, settings.flood.per_second)
        self._doubts = Doubts()
        self._trust = Trust()
        self._open: LruDict[str, Verdict] = LruDict(_OPEN)
        self._knocked: LruDict[str, float] = LruDict(_KNOCKS)
        self._connections = 0
        self._netid = ""
        self._was_online = False
        self._trouble = "not connected yet"
        self._heard: float | None = None
        self._readiness = Readiness(rooms)
        self._changed = asyncio.Event()
        self._server: Address | None = None
        self._inbox_now: Inbox | None = None
        self._puppets = Puppets(
            settings,
            Dial(settings.model_copy(update={"sasl": None}), connect, reuse_context_s=_CONTEXT_S),
            rng,
            eyes=self._eyes,
            keep=self._keep,
            tell=self._tell,
            members=members,
            hear=self._hear_whisper,
            identd=identd,
            is_away=is_away,
            accounts=accounts,
        )
        resends = settings.on_doubt == "resend"
        self._whispering = Whispering(self.name, self._puppets, self._eyes, resends=resends)

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """See `bridge.network.Network`. Yields what was said while we were away if the server remembers it; else
        there is a gap."""
        inbox = self._inbox_now = await self._inbox(cursor)
        self._readiness.begin(self._rooms, inbox.cursor)
        # Not a TaskGroup: its scope may not hold a yield, since it would cancel the consumer in the middle of its work.
        life = self._life = asyncio.create_task(self._live(inbox), name=f"irc {self.name}")
        life.add_done_callback(lambda _: inbox.wake())
        try:
            while True:
                batch = await inbox.take()
                if batch is not None:
                    yield batch
                    self._readiness.kept(inbox.cursor)
                    self._note()
                elif life.done():
                    if (last := inbox.last()) is not None:
                        yield last
                    if not life.cancelled():
                        life.result()
                    return
        finally:
            life.cancel()
            await asyncio.wait([life])
            if not life.cancelled():
                life.exception()  # marked as retrieved: it was raised above, or our closer does not want it

    async def _inbox(self, cursor: str | None) -> Inbox:
        """An inbox that begins at `cursor`, as far as it is about our rooms."""
        kept = await self._memory.recall() if self._memory is not None else {}
        self._puppets.load(kept)
        begin = Cursor.parse(cursor, kept)
        gone = begin.only(room.id for room in self._rooms)
        inbox = Inbox(begin, remembers=self._memory is not None)
        inbox.remember({key: None for key in gone if key in kept})
        return inbox

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        """See `bridge.network.Network`. Without a connection, uses the limits that the server told us last."""
        return render(owed, self._place_of(owed[0].room), how)

    def gather(self, event: Event) -> float:
        """See `bridge.network.Gathering`. Each line costs some of the flood budget."""
        return next((seconds for kind, seconds in _GATHERED if isinstance(event.body, kind)), 0.0)

    async def typing(self, room: Room, active: bool) -> None:  # noqa: FBT001
        """See `bridge.network.Signals`."""
        if self._connection is not None and self._connection.open:
            self._connection.typing(room, active=active)

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """See `bridge.network.Network`. A line that no longer fits (our host changed since it was rendered) goes out as
        several; the id of the last is returned."""
        said = decode(post.payload)
        async with self._lanes.turn(post.room) as lane:
            connection = await self._place(post.room, said.target, trial=trial)
            await self._dealt_with(connection, post)
            known = self._settled(connection, post, again=again, repeatable=not is_speech(said))
            if known is not None:
                return known
            if isinstance(said, Say) and said.to is not None:
                if connection.session.channels.shared:
                    raise PermanentError(f"{self.name} is reached through a bouncer: no member has a nick there")
                return await self._whispering.say(post, said)
            if isinstance(said, Say | React) and said.voice is not None and not connection.session.channels.shared:
                known = await self._by_puppet(lane, connection, post, said, said.voice)
                if known is not None:
                    return known
            async with self._doubts.turn() as alone:
                *first, last = lines_of(said, self._place_of(post.room))
                for part in first:
                    connection = await self._written(connection, post, said, alone=alone, trial=trial)
                    await self._landed(connection, post, connection.launch(post, part))
                connection = await self._written(connection, post, said, alone=alone, trial=trial)
                if self._doubts.is_suspect(post.id):
                    await connection.answers()
                flight = connection.launch(post, last)
                if not alone and not connection.session.channels.is_unsure(said.target):
                    lane.go_on()
                return await self._landed(connection, post, flight, speech=is_speech(said))

    async def _by_puppet(
        self, lane: Turn, connection: Connection, post: Post, said: Say | React, voice: Voice
    ) -> str | None:
        """Have its speaker's puppet say a post, once the fate of all before it is known: two connections keep no order.
        None if it surely has not said it: then the bridge does. Raises PermanentError if the puppet is banned."""
        await lane.alone()
        key = connection.session.channels.key(said.target)
        for _ in range(_TRIES):
            launched = None
            async with self._puppets.speaker(voice, said.target, key, waits=is_speech(said)) as found:
                if isinstance(found, Puppet):
                    await self._see(connection, found, said.target)
                    if self._placed(said.target, trial=True) is connection and self._puppets.is_in(found, said.target):
                        launched = self._launched(connection, post, said, found)
            if isinstance(found, Bar):
                self._respect(found, voice, said.target)
            if launched is None or not isinstance(found, Puppet):
                return None
            outcome = await self._fate(connection, post, *launched)
            if isinstance(outcome, str) or (isinstance(outcome, Unseen) and not is_speech(said)):
                self._doubts.settled(post.id)
                return outcome if isinstance(outcome, str) else post.id
            self._judge(outcome, connection, post, said.target, found)
        return None

    async def _see(self, connection: Connection, puppet: Puppet, target: str) -> None:
        """Before the first words of a puppet that has joined a channel: see that it has. Else we might take for its
        leaving now that it was kicked, or killed, before that. Raises TransientError if our connection ends."""
        if not self._puppets.is_seen(puppet, target):
            await connection.answers()
            self._puppets.note_seen(puppet, target)

    async def _fate(self, connection: Connection, post: Post, flight: Flight, verdict: Verdict) -> str | SendError:
        """What becomes of a puppet's line: the bridge's own connection tells, unless the puppet's server has refused
        it. That may be slower than the puppet's: whatever its server has shown before it answers is here then."""
        self._open[post.id] = verdict
        try:
            both: set[asyncio.Future[Any]] = {flight, verdict}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not flight.done() and isinstance(unseen := verdict.result(), Unseen):
                with suppress(TransientError):  # the connection is lost, and with it the flight
                    await connection.answers()
                await asyncio.wait({flight}, timeout=unseen.within_s)
            outcome = flight.result() if flight.done() else verdict.result()
        finally:
            connection.unwatch(post.id)
        if verdict.done() or not isinstance(outcome, Lost):
            self._forget(post.id)
        return outcome

    async def _dealt_with(self, connection: Connection, post: Post) -> None:
        """If a puppet has written a post, and the bridge has lost its own connection before it saw that, wait until the
        puppet's server has dealt with it. Raises TransientError if this connection is lost, too."""
        verdict = self._open.peek(post.id)
        if verdict is None:
            return
        await asyncio.wait({verdict})
        await connection.answers()
        self._forget(post.id)
        if isinstance(verdict.result(), NotTaken):
            self._doubts.settled(post.id)

    def _forget(self, post: str) -> None:
        self._open.pop(post)
        self._puppets.faces.forget(post)

    def _judge(self, outcome: SendError, connection: Connection, post: Post, target: str, puppet: Puppet) -> None:
        """A puppet did not get a post through. Raises an error, unless it was surely not shown, and may be said by
        somebody else."""
        match outcome:
            case NotTaken() if not self._puppets.is_in(puppet, target):
                return  # it was kicked just before
            case NotTaken():
                banned = is_of_ban(str(outcome)) or connection.session.is_banned(target, puppet.face.nick)
                bar = self._puppets.refused(puppet, target, str(outcome), banned=banned)
                self._respect(bar, puppet.voice, target)
            case NotShown():
                return
            case Unseen():
                self._puppets.refused(puppet, target, str(outcome), banned=False)
                self._doubts.settled(post.id)
                raise InDoubt(str(outcome), resend=self._settings.on_doubt == "resend")
            case Lost():
                self._doubts.lost(post.id, outcome.why, cut_off=False, expelled=False)
                raise outcome
            case _:
                raise outcome

    def _launched(
        self, connection: Connection, post: Post, said: Say | React, puppet: Puppet
    ) -> tuple[Flight, Verdict] | None:
        """Let a puppet write a post; None if the post does not fit a line of the puppet's."""
        session, theirs = connection.session, puppet.connection
        if theirs is None:
            return None
        tags: Mapping[str, str] = {}
        if theirs.session.tags and isinstance(said, React):
            tags = session.reaction_tags(post.id, said)
        elif theirs.session.tags and isinstance(said, Say):
            tags = session.tags(post.id, said.reply)
        plain = session.channels.plainly(said.target)
        found = line_of(said, tags, plain=plain, limit=session.isupport.line_length - puppet.prefix(session.isupport))
        if found is None:
            return None
        command, text, line = found
        flight = connection.watch(post.id)
        puppet.face.name = puppet.voice.name
        self._puppets.faces.written(post.id, puppet.face, said.target, text)
        log.debug("puppet_says", network=self.name, user=puppet.voice.user, command=command, post=post.id)
        return flight, theirs.say(post.id, said.target, line)

    def _respect(self, bar: Bar, voice: Voice, target: str) -> None:
        """Raises PermanentError if those who run a channel do not want to hear the speaker there."""
        if bar.banned and not voice.marked:
            raise PermanentError(f"the nick of {voice.user} is banned or muted in {target}: {bar.reason}")

    def _eyes(self) -> "_Eyes | None":
        connection = self._connection
        if connection is None or not connection.open or self._server is None:
            return None
        return _Eyes(self._server, connection.session)

    async def _keep(self, changes: Changes) -> None:
        if self._memory is not None:
            await self._memory.remember(changes)

    def _tell(self, user: str, id_: str, text: str) -> None:
        """Tell a member, or the admins (''), what has become of a puppet."""
        if self._inbox_now is not None:
            self._inbox_now.tell(News(f"{id_} {self._clock():.3f}", text, user or None))

    def _hear_whisper(self, puppet: Puppet, said: Whispered) -> bool:
        """Somebody has said something to a puppet in private. False while it cannot be known who it is, as we are
        offline, or while too much waits to be stored."""
        connection, inbox = self._connection, self._inbox_now
        if connection is None or not connection.open or inbox is None or inbox.full:
            return False
        connection.whispered(said.line, puppet.voice.user, puppet.voice.identity, said.account)
        return True

    def recognises(self, room: Room) -> bool:
        """See `bridge.network.Recognises`. Where the server shows what was said there while we were away."""
        connection = self._connection
        return connection is not None and connection.open and connection.session.history.shows(room)

    def leave(self) -> bool:
        """See `bridge.network.Network`. Always True: most servers do not replay what we miss."""
        self._leaving = True
        self._puppets.leave()
        if self._connection is not None:
            self._connection.leave()
        elif self._life is not None:
            self._life.cancel()
        return True

    def absence(self, room: Room) -> str | None:
        """See `bridge.network.Network`."""
        connection = self._connection
        if connection is None or not connection.open:
            return "no connection to the server"
        session = connection.session
        if session.channels.room(room.id) is None:
            return None
        if connection.silent:
            return _UNANSWERED
        if session.may_speak(room.id):
            return session.hushed(room.id) or None
        absent = session.absence(room.id)
        return str(absent) if absent is not None else f"not in {room.id} yet"

    def vitals(self) -> Vitals:
        """See `bridge.network.Reports`."""
        connection = self._connection
        if connection is None or not connection.open:
            return Vitals(self._trouble, self._heard, self._puppets.online)
        return Vitals(_UNANSWERED if connection.silent else "", connection.heard, self._puppets.online)

    def joined(self, room: Room) -> bool:
        """See `bridge.network.Reports`."""
        connection = self._connection
        return connection is not None and connection.open and connection.session.channels.joined(room.id)

    def _settled(self, connection: Connection, post: Post, *, again: bool, repeatable: bool) -> str | None:
        """The id of a post that the server has; None if it is to be written. Raises InDoubt if that is unknown, unless
        it is `repeatable`: doing it twice changes nothing."""
        history = connection.session.history
        known = history.ours(post.id) or self._puppets.faces.shown(post.id)
        if known is not None:
            self._doubts.settled(post.id)
            return known
        if guilt := self._doubts.guilt(post.id):
            self._doubts.settled(post.id)
            raise PermanentError(guilt)
        doubtful = (again or self._doubts.is_unknown(post.id)) and not repeatable
        if doubtful and not history.remembers(post.room):
            resend = self._settings.on_doubt == "resend"
            if resend:
                self._doubts.told(post.id)
            else:
                self._doubts.settled(post.id)
            raise InDoubt("the connection broke before the server confirmed the message", resend=resend)
        return None

    async def _written(
        self, connection: Connection, post: Post, said: Operation, *, alone: bool, trial: bool
    ) -> Connection:
        """Wait for the turn of a line of `post`; return the connection to write it on."""
        while not await connection.turn(post.room) or self._placed(said.target, trial=trial) is not connection:
            connection = await self._place(post.room, said.target, trial=trial)
            if not alone and self._doubts.any:
                raise TransientError("the connection was lost before its turn", _LOOK_AGAIN)
        return connection

    async def _landed(self, connection: Connection, post: Post, flight: Flight, *, speech: bool = True) -> str:
        try:
            known = await connection.landed(post, flight, speech=speech)
        except Lost as error:
            self._doubts.lost(post.id, error.why, cut_off=error.cut_off, expelled=error.expelled)
            raise
        except SendError:
            self._doubts.settled(post.id)
            raise
        self._doubts.settled(post.id)
        return known

    def use(self, rooms: Sequence[Room]) -> None:
        """See `bridge.network.Network`."""
        fresh = {*rooms} - {*self._rooms}
        self._rooms = tuple(rooms)
        self._puppets.keep_to(room.id for room in rooms)
        if self._connection is not None:
            self._connection.set_rooms(rooms)
            fresh = {room for room in fresh if not self._connection.session.channels.joined(room.id)}
        self._readiness.use(rooms, fresh)
        self._note()
        self._ring()

    async def ready(self) -> None:
        """See `bridge.network.Network`. After a restart of `events`, waits until the rooms are joined again."""
        await self._readiness.wait()

    def _current_limits(self) -> Limits:
        if self._connection is not None and self._connection.session.online:
            self._limits = self._connection.session.limits
        return self._limits

    def _place_of(self, room: Room) -> Place:
        limits = self._current_limits()
        if self._connection is not None and self._connection.session.online:
            return self._connection.session.place(room.id)
        return Place(limits)

    async def _place(self, room: Room, target: str, *, trial: bool) -> Connection:
        """Wait until we are online and may speak to `target`; return the connection."""
        now = asyncio.get_running_loop().time
        deadline = now() + _PLACE_WITHIN
        connection = self._placed(target, trial=trial)
        while connection is None and not trial and await is_set_within(self._changed, deadline - now()):
            connection = self._placed(target, trial=trial)
        if connection is not None:
            return connection
        if self._connection is not None and self._connection.open:
            if muted := self._connection.session.channels.muted(target):
                raise Silenced(muted, _LOOK_AGAIN)
            raise TransientError(f"not in {room.id} yet", _RETRY_AFTER)
        raise TransientError("offline: no connection to the server", _LOOK_AGAIN)

    def _placed(self, target: str, *, trial: bool) -> Connection | None:
        connection = self._connection
        if connection is None or not connection.open:
            return None
        session = connection.session
        if not session.isupport.is_channel(target) and session.channels.room(target) is None:
            return connection
        if session.may_speak(target):
            return None if session.channels.muted(target) and not trial else connection
        if session.channels.room(target) is None:
            raise PermanentError(f"{target} is no longer in the configuration")
        if (absent := session.absence(target)) is not None:
            raise absent
        return None

    def _on_change(self, effect: Effect, inbox: Inbox, policies: Policies, to: Address) -> None:
        match effect:
            case Pledged(duration):
                inbox.remember(policies.pledged(to, duration, self._clock()))
            case Online():
                self._was_online, self._trouble = True, "the connection has just ended"
            case Joined(room):
                self._readiness.joined(room)
            case CaughtUp(room):
                inbox.present.add(room)
            case Left(room):
                inbox.leave(room)
            case NetworkFound(netid):
                self._netid = netid
        self._note()
        self._ring()

    def _note(self) -> None:
        if self._was_online:
            self._readiness.note()

    def _ring(self) -> None:
        """Wake everybody who waits for a change, once."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _live(self, inbox: Inbox) -> None:
        """Stay connected, and keep the puppets."""
        tasks = (
            asyncio.create_task(self._stay_connected(inbox), name=f"irc {self.name} connections"),
            asyncio.create_task(self._puppets.run(), name=f"irc {self.name} puppets"),
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _stay_connected(self, inbox: Inbox) -> None:
        """Connect, and reconnect whenever the connection ends."""
        addresses = [Address(host, port, self._settings.tls) for host, port in self._settings.servers]
        servers = Servers(addresses, ReconnectPause(self._rng))
        policies = Policies(await self._memory.recall() if self._memory is not None else {})
        while True:
            while not self._is_ours():  # noqa: ASYNC110  (the end of a lease is no event)
                await asyncio.sleep(_NOT_OURS_S)
            ending = await self._once(servers.current, inbox, policies)
            self._trouble = ending.reason
            self._ring()
            if self._leaving:
                return
            if ending.upgrade is not None:
                servers.after(ending)
                log.info("upgraded", network=self.name, reason=ending.reason, hint=f"{servers.current} is tried now")
                continue
            if ending.rejected and not self._was_online:
                raise Refused(f"{self.name}: {ending.reason}", ending.key)
            if ending.flooded:
                self._slow_down(ending)
            pause = servers.after(ending)
            say = log.error if pause and (ending.rejected or ending.pause) else log.warning
            hint = f"{_OFFLINE}, to {servers.current}" if servers.several else _OFFLINE
            say("offline", network=self.name, reason=ending.reason, retry_in_s=round(pause, 1), hint=hint)
            await asyncio.sleep(pause)

    def _slow_down(self, ending: Ending) -> None:
        now = asyncio.get_running_loop().time()
        self._pace.slow_down(ending.flooded, now)
        burst, per_second = self._pace.budget(now)
        hint = (
            f"cut off for sending too fast; the bridge is slower now. If it happens again, lower `flood` of {self.name}"
        )
        log.warning("flooded", network=self.name, burst=burst, per_second=round(per_second, 2), hint=hint)

    async def _once(self, server: Address, inbox: Inbox, policies: Policies) -> Ending:
        """Run one connection, from the attempt to its end. It uses TLS, whatever is configured, if the server's STS
        policy says so."""
        dialed = await self._dial.open(policies.secured(server, self._clock()))
        if isinstance(dialed, Ending):
            return dialed
        self._connections += 1
        now = asyncio.get_running_loop().time()
        settings = self._settings.model_copy(update={"tls": dialed.to.tls})
        session = Session(
            settings,
            self._rooms,
            origin=f"{self._clock()} {self._connections}",
            now=now,
            rng=self._rng,
            cursor=lambda: inbox.heard,
            trust=self._trust,
            netid=self._netid,
            knocked=self._knocked,
            faces=self._puppets.faces,
            greets=self._greets,
        )
        self._server = dialed.to
        self._connection = Connection(
            settings,
            session,
            (dialed.reader, dialed.writer),
            inbox,
            clock=self._clock,
            changed=partial(self._on_change, inbox=inbox, policies=policies, to=dialed.to),
            flood=Flood(*self._pace.budget(now)),
        )
        try:
            return await self._connection.run()
        except Unwritable as error:
            return Ending(f"nick, username, realname or a password cannot be sent on IRC: {error}", rejected=True)
        finally:
            self._heard = self._connection.heard or self._heard
            self._connection = None
            inbox.remember(policies.closed(dialed.to, self._clock()))
            inbox.leave(*inbox.present)


@dataclass(frozen=True, slots=True)
class _Eyes:
    """What our own connection knows, for our puppets (see `bridge.irc.puppets.crowd.Eyes`)."""

    server: Address
    session: Session

    @property
    def nick_length(self) -> int:
        return self.session.isupport.nick_length

    @property
    def casemapping(self) -> Casemapping:
        return self.session.isupport.casemapping

    @property
    def isupport(self) -> Isupport:
        return self.session.isupport

    def is_known(self, nick: str) -> bool:
        return self.session.is_known(nick)

    def person(self, source: Source, account: str) -> Sender:
        return self.session.person(source, account)
