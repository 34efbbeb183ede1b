"""One IRC connection as a pure state machine: lines and the passing of time in, effects out."""

import random
import re
from collections.abc import Callable, Sequence

from bridge.irc.dialect import formatting
from bridge.irc.dialect.render import Limits
from bridge.irc.session.channels import Channels
from bridge.irc.session.commands import obey
from bridge.irc.session.cursor import Cursor
from bridge.irc.session.effects import Effect, Write
from bridge.irc.session.history import History
from bridge.irc.session.proof import ID_TAG, Flight
from bridge.irc.session.state import State
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Unwritable, compose, parse
from bridge.model.event import Room
from bridge.network import PermanentError, TransientError

_JOIN_ANYWAY = 5.0
"""Seconds after the welcome at which channels are joined though the server did not end its greeting."""
_LABELS = frozenset({"labeled-response", "batch", "echo-message"})
_NICK = re.compile(r"[^\s,!@*?$#&:+%~][^\s,!@*?$]*")
"""Whom we may write to in private: one person, never a list, a mask, or the ranks of a channel."""


class Session:
    """Sans I/O. `origin` tells this connection from all others; `now` is seconds of a clock that does not go back, and
    `wall` seconds since the epoch. Nothing that a server sends makes it raise."""

    def __init__(
        self,
        settings: IrcSettings,
        rooms: Sequence[Room],
        *,
        origin: str,
        now: float,
        rng: random.Random,
        cursor: Callable[[], Cursor] = lambda: Cursor({}),
    ) -> None:
        self._state = State(settings, rooms, origin=origin, now=now, rng=rng, cursor=cursor)

    @property
    def isupport(self) -> Isupport:
        return self._state.isupport

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
        """The first lines of a new connection. Raises `Unwritable` where the settings are no words of IRC."""
        self._state.login.start()
        return self._state.take()

    def feed(self, text: str, now: float, wall: float) -> list[Effect]:
        """One line that came."""
        self._state.now, self._state.wall = now, wall
        self._state.liveness.heard(now)
        line = parse(text)
        if line is not None and self._state.hearing.is_replayed(line, wall):
            self._state.hearing.replayed(line, now, wall)
        elif line is not None:
            obey(self._state, line)
        return self._state.take()

    def tick(self, now: float) -> list[Effect]:
        """Time passed; to be called about once a second."""
        self._state.now = now
        self._state.liveness.tick(now, online=self.online)
        self._state.speakers.tick(now)
        if self._state.welcomed_at is not None:
            if self._state.joining or now - self._state.welcomed_at > _JOIN_ANYWAY:
                self.channels.tick(now)
            self._state.us.tick(now)
            self.history.tick(now)
        return self._state.take()

    def lost(self) -> list[Effect]:
        """The connection is over."""
        self._state.hearing.lost()
        return self._state.take()

    def may_speak(self, target: str) -> bool:
        """Whether a post may go to a channel: we are in it, and know which posts are there already."""
        room = self.channels.heard(target)
        return room is not None and self.history.settled(room)

    def absence(self, target: str) -> TransientError | None:
        """Why we are not in a configured channel, where that is known, and when to try again."""
        return self._state.absence(target)

    def paused(self, now: float) -> None:
        """The shell does not read at the moment: that nothing comes proves nothing."""
        self._state.liveness.heard(now)

    def say(self, post: str, command: str, target: str, text: str) -> list[Effect]:
        """Write one line of the post; `Proved` or `Failed` follows. Raises `PermanentError` where it is no line."""
        channel = self.isupport.is_channel(target)
        if not channel and not _NICK.fullmatch(target):
            raise PermanentError(f"{target!r} is neither a channel nor a nick")
        stripped = formatting.stripped(text)
        if channel and self.channels.plainly(target):
            command, text = "PRIVMSG", stripped
        labelled = self._state.enabled >= _LABELS
        tags = {"label": post} if labelled else {}
        if "message-tags" in self._state.enabled and self.isupport.tag_allowed(ID_TAG[1:]):
            tags[ID_TAG] = post
        limits = self.limits
        try:
            data = compose(command, target, text, tags=tags, limit=limits.line - limits.prefix)
        except Unwritable as error:
            raise PermanentError(str(error)) from error
        self._state.emit(Write(data))
        fancy = command == "NOTICE" or text != stripped
        self._state.proofs.launched(Flight(post, target, private=not channel, fancy=fancy), labelled=labelled)
        if not labelled:
            self._state.liveness.ping(post)
        return self._state.take()

    def use(self, rooms: Sequence[Room]) -> list[Effect]:
        """From now on these are the configured rooms."""
        self.channels.use(rooms)
        if self._state.joining:
            self.channels.tick(self._state.now)
        return self._state.take()

    def closed(self) -> list[Effect]:
        """The server has closed the connection, and said no word of it."""
        self._state.login.closed("")
        return self._state.take()

    def quit(self) -> list[Effect]:
        self._state.write("QUIT", "quackbridge")
        return self._state.take()
