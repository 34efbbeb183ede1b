"""What one connection knows: the parts that its lines change, and what they have to say."""

import random
from collections.abc import Callable, Sequence

from bridge.irc.dialect.convert import Spoken
from bridge.irc.session.channels import Channels
from bridge.irc.session.cursor import Cursor
from bridge.irc.session.effects import Effect, Write
from bridge.irc.session.hearing import Hearing
from bridge.irc.session.history import History
from bridge.irc.session.liveness import Liveness
from bridge.irc.session.login import Login
from bridge.irc.session.ourselves import Ourselves
from bridge.irc.session.people import People
from bridge.irc.session.presence import Presence
from bridge.irc.session.proof import Proofs
from bridge.irc.session.speakers import Speakers
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Unwritable, compose
from bridge.model.event import Room
from bridge.network import TransientError

FENCE = "history"
"""What the PING behind a JOIN carries."""
_RETRY_AFTER = 60.0


class State:
    """Sans I/O. `now` is seconds of a clock that does not go back, `wall` seconds since the epoch: those of the line
    that is dealt with."""

    def __init__(
        self,
        settings: IrcSettings,
        rooms: Sequence[Room],
        *,
        origin: str,
        now: float,
        rng: random.Random,
        cursor: Callable[[], Cursor],
    ) -> None:
        self.now, self.wall = now, 0.0
        self._effects: list[Effect] = []
        emit, write = self.emit, self.write
        self.isupport = Isupport()
        self.channels = Channels(rooms, emit)
        self.login = Login(settings, emit, rng)
        self.enabled = self.login.capabilities.enabled
        self.us = Ourselves(settings.nick, emit, write)
        self.people = People(origin)
        self.proofs = Proofs(emit)
        self.liveness = Liveness(emit, write, now)
        self.hearing = Hearing(
            settings,
            self.us,
            self.channels,
            self.people,
            self.proofs,
            self.isupport,
            self.enabled,
            emit,
            write,
            origin=origin,
            now=now,
        )
        self.speakers = self.hearing.speakers = Speakers(
            self.people, lambda nick: write("WHOIS", nick), self.hearing.tell
        )
        self.history = self.hearing.history = History(
            cursor,
            self.isupport,
            self.enabled,
            emit,
            write,
            fence=lambda: self.liveness.ping(FENCE),
            ask_who=lambda channel: self.presence.ask_who(channel),
            old=self.hearing.tell_old,
            now=self.hearing.tell_now,
        )
        self.presence: Presence[Spoken] = Presence(
            self.us,
            self.channels,
            self.people,
            self.speakers,
            self.history,
            self.isupport,
            self.enabled,
            write,
        )
        self.welcomed_at: float | None = None
        self.joining = False

    @property
    def online(self) -> bool:
        return self.welcomed_at is not None

    def absence(self, target: str) -> TransientError | None:
        """Why we are not in a configured channel, where that is known, and when to try again."""
        reason, due = self.channels.trouble(target, self.now)
        if not reason or self.channels.joined(target):
            return None
        return TransientError(f"not in {target}: {reason}", min(max(due, 1.0), _RETRY_AFTER))

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def take(self) -> list[Effect]:
        """What is to be done since it was asked last."""
        effects, self._effects = self._effects, []
        return effects

    def write(self, command: str, *params: str) -> None:
        """A line with words of the server in it: one that cannot be written is not worth an answer."""
        try:
            self.emit(Write(compose(command, *params)))
        except Unwritable:
            return
