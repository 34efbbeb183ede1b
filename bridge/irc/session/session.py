"""One IRC connection as a pure state machine: lines and the passing of time in, effects out."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from bridge.irc.dialect import convert
from bridge.irc.dialect.operations import Operation, React
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.effects import Effect, written
from bridge.irc.hearing.cursor import Cursor
from bridge.irc.hearing.history import History
from bridge.irc.hearing.steps import AskWho, Fence, Learnt, Now, Old, Settled, Step
from bridge.irc.puppets.faces import Faces
from bridge.irc.sasl.choice import Trust
from bridge.irc.session import actions, bouncer, outgoing, speech, whispers
from bridge.irc.session.channels import Channels
from bridge.irc.session.commands import FENCE, PROBE, greeted, obey
from bridge.irc.session.state import Greets, State, greets_nobody
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.capabilities import REDACTION
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import NOBODY, Line, Source, parse
from bridge.lib.lru import LruDict
from bridge.model.event import Mentioned, Room
from bridge.model.people import Proof, Sender
from bridge.network import TransientError

_SAID = frozenset({"PRIVMSG", "NOTICE", "TAGMSG", "REDACT", "TOPIC", "JOIN"})
"""What would be a person's if the name of our server, which has no dot on some small ones, were taken for a nick."""
_JOIN_ANYWAY_S = 5.0
"""Seconds after the welcome when channels are joined, even if the server did not end its greeting."""


class Session:
    """One connection: lines and time in, effects out. Sans I/O. `origin` differs for each connection; `now` is seconds
    of a clock that does not go back, `wall` seconds since the epoch. Nothing that a server sends makes it raise.
    `netid`: the number of the bouncer's network, if an earlier connection has found it (`NetworkFound`)."""

    def __init__(
        self,
        settings: IrcSettings,
        rooms: Sequence[Room],
        *,
        origin: str,
        now: float,
        rng: random.Random,
        cursor: Callable[[], Cursor] = lambda: Cursor({}),
        trust: Trust | None = None,
        netid: str = "",
        knocked: LruDict[str, float] | None = None,
        faces: Faces | None = None,
        greets: Greets = greets_nobody,
    ) -> None:
        self._state = State(
            settings,
            rooms,
            origin=origin,
            now=now,
            rng=rng,
            cursor=cursor,
            trust=trust or Trust(),
            netid=netid,
            knocked=knocked,
            faces=faces,
            greets=greets,
        )

    @property
    def isupport(self) -> Isupport:
        return self._state.isupport

    @property
    def nick(self) -> str:
        """The nick that we have now."""
        return self._state.us.nick

    @property
    def channels(self) -> Channels:
        return self._state.channels

    @property
    def history(self) -> History:
        return self._state.history

    @property
    def online(self) -> bool:
        return self._state.online

    @property
    def limits(self) -> Limits:
        """How long our lines may be right now."""
        return self._state.us.limits(self.isupport)

    def start(self) -> list[Effect]:
        """The first lines of a new connection. Raises `Unwritable` if the settings do not make valid lines."""
        return [*self._state.login.start()]

    def feed(self, text: str, now: float, wall: float) -> list[Effect]:
        """Handle one line from the server; return the effects."""
        state, line = self._state, parse(text)
        state.now, state.wall = now, wall
        state.liveness.heard(now)
        if line is None:
            return []
        return [effect for each in state.assembly.heard(line, now) for effect in self._heard(each)]

    def whispered(
        self, line: Line, owner: str, identity: str, account: str | None, now: float, wall: float
    ) -> list[Effect]:
        """Somebody has said a line to a puppet in private; see `whispers.whispered`."""
        self._state.now, self._state.wall = now, wall
        return [*self._effects(whispers.whispered(self._state, line, owner, identity, account))]

    def person(self, source: Source, account: str) -> Sender:
        """Somebody whom the server has just told to have that nick, and that account ('' for none)."""
        state = self._state
        return convert.sender(
            state.settings.name,
            source,
            account,
            state.people.connection(source),
            state.people.casemapping,
            masks=state.settings.trust_hostmasks,
        )

    def _heard(self, line: Line) -> Iterator[Effect]:
        state = self._state
        if line.command in _SAID and line.source == Source(state.server):
            line = replace(line, source=NOBODY)
        line = bouncer.played(state, line)
        is_old = speech.is_replayed(state, line)
        if not is_old:
            state.people.recognise(line.source)
        handle = speech.replayed if is_old else obey
        yield from self._effects(handle(state, line))
        label = line.tags.get("label", "")
        if label and line.command != "BATCH":
            yield from state.proofs.answered(label)

    def _effects(self, steps: Iterable[Step]) -> Iterator[Effect]:
        """Carry out steps until only effects for the shell are left. A line of speech goes through its channel's
        history, then waits for its speaker's account, and becomes `Heard`."""
        state = self._state
        for step in steps:
            match step:
                case Now(spoken):
                    yield from self._effects(speech.said_now(state, spoken))
                case Old(spoken):
                    yield from self._effects(speech.said_before(state, spoken))
                case Settled(spoken, account):
                    yield from speech.settled(state, spoken, account)
                case Learnt(source, account, since):
                    state.people.learn(source, account, state.now, since)
                case AskWho(channel):
                    yield from state.who_queue.ask(channel)
                case Fence():
                    yield from state.liveness.ping(FENCE)
                case _:
                    yield step

    def tick(self, now: float) -> list[Effect]:
        """Time passed; call about once a second."""
        self._state.now = now
        late = (effect for line in self._state.assembly.overdue(now) for effect in self._heard(line))
        return [*late, *self._effects(self._ticked(now))]

    def _ticked(self, now: float) -> Iterator[Step]:
        state = self._state
        yield from state.liveness.tick(now, online=self.online)
        yield from state.login.tick(now)
        yield from state.speakers.tick(now)
        yield from state.proofs.tick(now)
        yield from actions.tick(state)
        if state.welcomed_at is not None:
            if not state.joining and now - state.welcomed_at > _JOIN_ANYWAY_S:
                yield from greeted(state)
            elif state.may_join:
                yield from state.channels.tick(now)
            yield from state.us.tick(now)
            yield from state.nickserv.tick(now)
            yield from state.history.tick(now)

    def lost(self) -> list[Effect]:
        """The connection is over."""
        return [*self._effects(speech.lost(self._state))]

    def may_speak(self, target: str) -> bool:
        """Whether a post may go to a channel: we are in it, and know which posts it has already."""
        room = self.channels.heard(target)
        return room is not None and self.history.settled(room)

    def is_silent(self, now: float) -> bool:
        """Whether the server counts as dead at `now`, though it may wake up."""
        return self._state.liveness.is_silent(now)

    def hushed(self, target: str) -> str:
        """Why a channel does not let us speak, by its modes and bans; '' if it does, as far as we know."""
        state = self._state
        if state.hush.is_open(target):
            return ""
        return state.hush.reason(target, state.us.source, state.people.ranks(state.us.nick, target))

    def spoke(self, target: str) -> list[Effect]:
        """A channel has taken a line of ours."""
        self._state.hush.spoke(target)
        return [*self.channels.spoke(target)]

    def absence(self, target: str) -> TransientError | None:
        """Why we are not in a configured channel, and when to try again; None if unknown, or if we are in it."""
        return self._state.absence(target)

    def paused(self, now: float) -> None:
        """The shell is not reading at the moment: silence proves nothing."""
        self._state.liveness.heard(now)

    def perform(self, post: str, operation: Operation) -> list[Effect]:
        """Write one line of the post; `Proved` or `Failed` follows. See `outgoing.perform`."""
        return outgoing.perform(self._state, post, operation)

    def typing(self, target: str, what: str) -> list[Effect]:
        """Show in a channel that somebody types: `active`, or `done`. Empty if the server would not pass it on."""
        return outgoing.typing(self._state, target, what)

    def place(self, target: str) -> Place:
        """What rendering for `target` needs to know of it and of the server."""
        state = self._state
        return Place(
            self.limits,
            tags=outgoing.takes_replies(state),
            redaction=REDACTION in state.enabled,
            colours=not (state.channels.without_colours(target) or state.channels.plainly(target)),
            nicks=state.people.nicks(target),
            stems=state.people.stems(target),
            nick_of=partial(self._nick_of, target),
            casemapping=state.people.casemapping,
            us=state.people.casemapping.fold(state.us.nick),
            multiline=outgoing.capacity(state),
            relays=bool(state.channels.heard(target) and state.relaying.suffix(target, state.now)),
        )

    def _nick_of(self, target: str, mentioned: Mentioned) -> str | None:
        """The nick in a channel of a user, by what proves them on this network; None if they are not there."""
        state, here = self._state, [each for each in mentioned.identities if each.network == self._state.settings.name]
        accounts = [each.value for each in here if each.kind is Proof.IRC]
        masks = [each.value for each in here if each.kind is Proof.IRC_MASK and state.settings.trust_hostmasks]
        found = (state.people.with_account(account, target) for account in accounts)
        alike = (state.people.with_mask(mask, target) for mask in masks)
        return next(filter(None, chain(found, alike)), None)

    def is_known(self, nick: str) -> bool:
        """Whether it is our own nick, now or when we get it back, or that of somebody in our channels. A puppet is
        nobody: we may not have seen yet that its old connection is gone."""
        state, fold = self._state, self._state.people.casemapping.fold
        if fold(nick) in map(fold, (*state.us.names, state.settings.nick)):
            return True
        person = state.people.find(nick)
        return person is not None and not state.faces.was_ours(Line("", source=person.source))

    def is_banned(self, target: str, nick: str) -> bool:
        """Whether somebody is banned or muted in a channel, as far as we have heard."""
        return self._state.hush.bans(target, self._state.people.source(nick))

    def tags(self, post: str, reply: str) -> dict[str, str]:
        """The tags of a post that a puppet says."""
        return outgoing.tags(self._state, post, reply)

    def reaction_tags(self, post: str, react: React) -> dict[str, str]:
        """The tags of a reaction that a puppet shows; empty if the server passes no such on."""
        return outgoing.reaction_tags(self._state, post, react)

    def probe(self) -> list[Effect]:
        """Ask the server whether it is there; `Proved(PROBE)` follows."""
        return [*self._state.liveness.ping(PROBE)]

    def set_rooms(self, rooms: Sequence[Room]) -> list[Effect]:
        """Replace the configured rooms."""
        effects = [*self.channels.set_rooms(rooms)]
        return [*effects, *(self.channels.tick(self._state.now) if self._state.may_join else ())]

    def closed(self) -> list[Effect]:
        """The server closed the connection without giving a reason."""
        return [*self._state.login.closed("")]

    def quit(self) -> list[Effect]:
        return [*written("QUIT", "quackbridge")]
