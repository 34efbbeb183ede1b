"""One IRC connection as a pure state machine: lines and the passing of time in, effects out."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bridge.irc import convert, formatting
from bridge.irc.channels import Channels
from bridge.irc.convert import Spoken
from bridge.irc.cursor import Cursor
from bridge.irc.effects import Effect, Online, Write
from bridge.irc.hearing import Hearing
from bridge.irc.history import History
from bridge.irc.isupport import Isupport
from bridge.irc.liveness import Liveness
from bridge.irc.login import Login
from bridge.irc.ourselves import Ourselves
from bridge.irc.people import People
from bridge.irc.presence import Presence
from bridge.irc.proof import ID_TAG, Flight, Proofs
from bridge.irc.render import Limits
from bridge.irc.settings import IrcSettings
from bridge.irc.speakers import Speakers
from bridge.irc.wire import Line, Unwritable, compose, parse
from bridge.model import Room
from bridge.network import PermanentError, TransientError
from bridge.text import printable

_JOIN_ANYWAY = 5.0
"""Seconds after the welcome at which channels are joined though the server did not end its greeting."""
_RETRY_AFTER = 60.0
_LABELS = frozenset({"labeled-response", "batch", "echo-message"})
_NICK = re.compile(r"[^\s,!@*?$#&:+%~][^\s,!@*?$]*")
"""Whom we may write to in private: one person, never a list, a mask, or the ranks of a channel."""
_FENCE = "history"
_MOST_DIGITS = 16
_OTHER_ERRORS = frozenset({"263", "716", "926", "FAIL"})

Handler = Callable[["Session", Line], None]


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
        self._settings = settings
        self._now, self._wall = now, 0.0
        self._effects: list[Effect] = []
        emit = self._emit
        self.isupport = Isupport()
        self.channels = Channels(rooms, emit)
        self._login = Login(settings, emit, rng)
        self._enabled = self._login.capabilities.enabled
        self._us = Ourselves(settings.nick, emit, self._write)
        self._people = People(origin)
        self._proofs = Proofs(emit)
        self._liveness = Liveness(emit, self._write, now)
        self._hearing = Hearing(
            settings,
            self._us,
            self.channels,
            self._people,
            self._proofs,
            self.isupport,
            self._enabled,
            emit,
            self._write,
            origin=origin,
            now=now,
        )
        self._speakers = self._hearing.speakers = Speakers(self._people, self._whois, self._hearing.tell)
        self.history = self._hearing.history = History(
            cursor,
            self.isupport,
            self._enabled,
            emit,
            self._write,
            fence=lambda: self._liveness.ping(_FENCE),
            ask_who=lambda channel: self.presence.ask_who(channel),
            old=self._hearing.tell_old,
            now=self._hearing.tell_now,
        )
        self.presence: Presence[Spoken] = Presence(
            self._us,
            self.channels,
            self._people,
            self._speakers,
            self.history,
            self.isupport,
            self._enabled,
            self._write,
        )
        self._welcomed_at: float | None = None
        self._joining = False

    # What the shell asks

    @property
    def online(self) -> bool:
        return self._welcomed_at is not None

    @property
    def limits(self) -> Limits:
        """How long our lines may be right now."""
        return self._us.limits(self.isupport)

    def start(self) -> list[Effect]:
        """The first lines of a new connection. Raises `Unwritable` where the settings are no words of IRC."""
        self._login.start()
        return self._take()

    def feed(self, text: str, now: float, wall: float) -> list[Effect]:
        """One line that came."""
        self._now, self._wall = now, wall
        self._liveness.heard(now)
        line = parse(text)
        if line is not None and self._hearing.is_replayed(line, wall):
            self._hearing.replayed(line, now, wall)
        elif line is not None:
            handle = _HANDLERS.get(line.command)
            if handle is not None:
                handle(self, line)
            elif line.command[:1] in "45" or line.command in _OTHER_ERRORS:
                self._on_error(line)
        return self._take()

    def tick(self, now: float) -> list[Effect]:
        """Time passed; to be called about once a second."""
        self._now = now
        self._liveness.tick(now, online=self.online)
        self._speakers.tick(now)
        if self._welcomed_at is not None:
            if self._joining or now - self._welcomed_at > _JOIN_ANYWAY:
                self.channels.tick(now)
            self._us.tick(now)
            self.history.tick(now)
        return self._take()

    def lost(self) -> list[Effect]:
        """The connection is over."""
        self._hearing.lost()
        return self._take()

    def may_speak(self, target: str) -> bool:
        """Whether a post may go to a channel: we are in it, and know which posts are there already."""
        room = self.channels.heard(target)
        return room is not None and self.history.settled(room)

    def absence(self, target: str) -> TransientError | None:
        """Why we are not in a configured channel, where that is known, and when to try again."""
        reason, due = self.channels.trouble(target, self._now)
        if not reason or self.channels.joined(target):
            return None
        return TransientError(f"not in {target}: {reason}", min(max(due, 1.0), _RETRY_AFTER))

    def paused(self, now: float) -> None:
        """The shell does not read at the moment: that nothing comes proves nothing."""
        self._liveness.heard(now)

    def say(self, post: str, command: str, target: str, text: str) -> list[Effect]:
        """Write one line of the post; `Proved` or `Failed` follows. Raises `PermanentError` where it is no line."""
        channel = self.isupport.is_channel(target)
        if not channel and not _NICK.fullmatch(target):
            raise PermanentError(f"{target!r} is neither a channel nor a nick")
        stripped = formatting.stripped(text)
        if channel and self.channels.plainly(target):
            command, text = "PRIVMSG", stripped
        labelled = self._enabled >= _LABELS
        tags = {"label": post} if labelled else {}
        if "message-tags" in self._enabled and self.isupport.tag_allowed(ID_TAG[1:]):
            tags[ID_TAG] = post
        limits = self.limits
        try:
            data = compose(command, target, text, tags=tags, limit=limits.line - limits.prefix)
        except Unwritable as error:
            raise PermanentError(str(error)) from error
        self._emit(Write(data))
        fancy = command == "NOTICE" or text != stripped
        self._proofs.launched(Flight(post, target, private=not channel, fancy=fancy), labelled=labelled)
        if not labelled:
            self._liveness.ping(post)
        return self._take()

    def use(self, rooms: Sequence[Room]) -> list[Effect]:
        """From now on these are the configured rooms."""
        self.channels.use(rooms)
        if self._joining:
            self.channels.tick(self._now)
        return self._take()

    def closed(self) -> list[Effect]:
        """The server has closed the connection, and said no word of it."""
        self._login.closed("")
        return self._take()

    def quit(self) -> list[Effect]:
        self._write("QUIT", "quackbridge")
        return self._take()

    # The server itself

    def _on_ping(self, line: Line) -> None:
        self._write("PONG", *(line.params[:2] or ("",)))

    def _on_pong(self, line: Line) -> None:
        for done in self._liveness.pong(line):
            if done == _FENCE:
                self.history.fenced(self._now)
            else:
                self._proofs.pong(done)

    def _on_error_line(self, line: Line) -> None:
        self._login.closed(printable(line.last)[:300])

    # Registration, and who we are

    def _on_cap(self, line: Line) -> None:
        self._login.cap(line)
        self._people.watch_logins(told="account-notify" in self._enabled)
        self.channels.shared = self._login.capabilities.of_bouncer
        self._proofs.echoes = "echo-message" in self._enabled

    def _on_welcome(self, line: Line) -> None:
        if self._welcomed_at is None and self._login.welcome(line):
            self._welcomed_at = self._now
            self._hearing.welcomed(line, self._wall)
            self._us.welcomed(self._login.nick, self._now)
            self._emit(Online(self._us.nick))

    def _on_server_created(self, line: Line) -> None:
        self.history.told_by(line.source.nick, line.last)

    def _on_isupport(self, line: Line) -> None:
        self.isupport.load(line.params)
        casemapping = self.isupport.casemapping
        if casemapping is not self._people.casemapping:
            self._people.casemapping = self._proofs.casemapping = self._us.casemapping = casemapping
            self.channels.compare_by(casemapping)

    def _on_greeted(self, _: Line) -> None:
        """376, 422: the end of the message of the day, behind all that the server says of itself."""
        if self._welcomed_at is not None and not self._joining:
            self._joining = True
            self.channels.tick(self._now)

    def _on_nick_refused(self, line: Line) -> None:
        """Before the welcome, the next name is tried. Afterwards it is about our regaining the nick, save that 437 may
        name a channel."""
        if self._welcomed_at is None:
            self._login.nick_refused(line)
        else:
            self.channels.refused(line, self._now)

    def _on_visible_host(self, line: Line) -> None:
        self._us.visible_host(line)
        self.channels.we_changed()

    def _on_join(self, line: Line) -> None:
        self.presence.join(line, self._now, convert.spoken_at(line, self._wall))

    def _on_invite(self, line: Line) -> None:
        if self._us.is_us(line.param(0)):
            self.channels.invited(line.param(1), self._now)

    # Speech

    def _on_speech(self, line: Line) -> None:
        self._hearing.speech(line, self._now, self._wall)

    def _on_batch(self, line: Line) -> None:
        self._hearing.batch(line, self._now)

    def _whois(self, nick: str) -> None:
        self._write("WHOIS", nick)

    # Answers to what we wrote

    def _on_acknowledged(self, line: Line) -> None:
        self._proofs.acknowledged(line.tags.get("label", ""))

    def _on_error(self, line: Line) -> None:
        if not self.channels.refused(line, self._now):
            flight = self._proofs.refused(line, self._hearing.label(line), self.absence)
            if flight is not None:
                reason = printable(line.last)[:200]
                self.channels.mute(flight.target, reason, self._now, fancy=flight.fancy)

    def _on_mode(self, line: Line) -> None:
        """324: the channel's modes, of which one may say how much of it is kept."""
        room = self.channels.heard(line.param(1))
        parameters = line.params[3:]
        kept = [word for word in parameters if ":" in word]
        if room is not None and "H" in line.param(2) and kept:
            self.history.keeps(room, kept[0])

    def _on_mode_change(self, line: Line) -> None:
        """MODE: of a channel, or of us (services tell us so that we are logged in)."""
        if self._us.is_us(line.param(0)):
            self.channels.we_changed()
        else:
            self.channels.changed(line.param(0))

    def _on_logged_in(self, _: Line) -> None:
        """900."""
        self.channels.we_changed()

    def _on_channel_created(self, line: Line) -> None:
        """329."""
        room = self.channels.heard(line.param(1))
        if room is not None and line.param(2).isdecimal() and len(line.param(2)) < _MOST_DIGITS:
            self.history.created(room, float(line.param(2)))

    def _on_fail(self, line: Line) -> None:
        """FAIL (https://ircv3.net/specs/extensions/standard-replies)."""
        if line.param(0) == "CHATHISTORY":
            for room in filter(None, map(self.channels.heard, line.params[2:-1])):
                self.history.failed(room, self._now)
        else:
            self._on_error(line)

    # Small things

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def _take(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def _write(self, command: str, *params: str) -> None:
        """A line with words of the server in it: one that cannot be written is not worth an answer."""
        try:
            self._emit(Write(compose(command, *params)))
        except Unwritable:
            return


def _of_presence(verb: Callable[[Presence[Spoken], Line, float], None]) -> Handler:
    def handle(session: Session, line: Line) -> None:
        verb(session.presence, line, session._now)

    return handle


def _of_login(method: Callable[[Login, Line], object]) -> Handler:
    def handle(session: Session, line: Line) -> None:
        method(session._login, line)

    return handle


_HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "CAP": Session._on_cap,
        "AUTHENTICATE": _of_login(Login.authenticate),
        "001": Session._on_welcome,
        "003": Session._on_server_created,
        "005": Session._on_isupport,
        "311": _of_presence(Presence.whois_user),
        "315": _of_presence(Presence.who_end),
        "318": _of_presence(Presence.whois_end),
        "324": Session._on_mode,
        "329": Session._on_channel_created,
        "330": _of_presence(Presence.whois_account),
        "353": _of_presence(Presence.names),
        "354": _of_presence(Presence.whox),
        "376": Session._on_greeted,
        "396": Session._on_visible_host,
        "421": _of_presence(Presence.unknown_command),
        "422": Session._on_greeted,
        "431": Session._on_nick_refused,
        "432": Session._on_nick_refused,
        "433": Session._on_nick_refused,
        "436": Session._on_nick_refused,
        "437": Session._on_nick_refused,
        "464": _of_login(Login.wrong_password),
        "465": _of_login(Login.banned),
        "900": Session._on_logged_in,
        "902": _of_login(Login.not_logged_in),
        "903": _of_login(Login.logged_in),
        "904": _of_login(Login.not_logged_in),
        "905": _of_login(Login.not_logged_in),
        "906": _of_login(Login.aborted),
        "907": _of_login(Login.logged_in),
        "908": _of_login(Login.mechanisms),
        "ACCOUNT": _of_presence(Presence.account),
        "ACK": Session._on_acknowledged,
        "BATCH": Session._on_batch,
        "CHGHOST": _of_presence(Presence.chghost),
        "ERROR": Session._on_error_line,
        "INVITE": Session._on_invite,
        "FAIL": Session._on_fail,
        "JOIN": Session._on_join,
        "KICK": _of_presence(Presence.kick),
        "MODE": Session._on_mode_change,
        "NICK": _of_presence(Presence.nick),
        "NOTICE": Session._on_speech,
        "PART": _of_presence(Presence.part),
        "PING": Session._on_ping,
        "PONG": Session._on_pong,
        "PRIVMSG": Session._on_speech,
        "QUIT": _of_presence(Presence.quit),
    }
)
