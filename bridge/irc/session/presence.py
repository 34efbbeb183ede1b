"""Who is where, line by line: what joins, parts, renames and logins mean for our channels and for who is believed."""

from collections import deque
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from bridge.irc.session.channels import Channels
from bridge.irc.session.history import History
from bridge.irc.session.ourselves import Ourselves, Write
from bridge.irc.session.people import People
from bridge.irc.session.speakers import Speakers
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Line, Source
from bridge.model.text import one_line, printable

_WHOX_MARK = "271"
_WHOX_FIELDS = 8

_Item = TypeVar("_Item")


class Presence(Generic[_Item]):
    """Sans I/O. `enabled` are the capabilities that are on. Each verb takes one line, and the time."""

    def __init__(
        self,
        us: Ourselves,
        channels: Channels,
        people: People,
        speakers: Speakers[_Item],
        history: History,
        supports: Isupport,
        enabled: AbstractSet[str],
        write: Write,
    ) -> None:
        self._us = us
        self._channels = channels
        self._people = people
        self._speakers = speakers
        self._history = history
        self._supports = supports
        self._enabled = enabled
        self._write = write
        self._to_ask: deque[str] = deque()  # as many as we have channels
        self._asking = ""

    def join(self, line: Line, now: float, time: float) -> None:
        """`time` is the server's, in seconds since the epoch."""
        for channel in line.param(0).split(","):
            if self._us.is_us(line.source.nick):
                self._us.seen(line.source)
                room = self._channels.we_joined(channel, now)
                self._ask_accounts(channel)
                if room is not None:
                    self._history.joined(room, now, time)
            if self._channels.room(channel):
                self._people.joined(line.source, channel)
        if "extended-join" in self._enabled and len(line.params) > 1:
            self._people.learn(line.source, _account(line.param(1), "*"), now)

    def names(self, line: Line, _: float) -> None:
        """353."""
        if not self._channels.room(line.param(2)):
            return
        for name in line.last.split(" "):
            nick, _sep, mask = name.lstrip(self._supports.prefixes).partition("!")
            user, _sep, host = mask.partition("@")
            if nick:
                self._people.joined(Source(nick, user, host), line.param(2))

    def part(self, line: Line, now: float) -> None:
        for channel in line.param(0).split(","):
            self._gone(line.source.nick, channel, "we were made to leave", now)

    def kick(self, line: Line, now: float) -> None:
        why = f": {one_line(line.param(2))}" if line.param(2) else ""
        self._gone(line.param(1), line.param(0), f"we were kicked by {printable(line.source.nick)}{why}", now)

    def quit(self, line: Line, now: float) -> None:
        self._people.quit(line.source.nick)
        self._speakers.changed(line.source.nick, now)
        self._us.freed(line.source.nick, now)

    def nick(self, line: Line, now: float) -> None:
        old, new = line.source.nick, line.param(0)
        if not new:
            return
        if self._us.is_us(old):
            self._us.renamed(new)
        self._people.renamed(line.source, new)
        for nick in (old, new):
            self._speakers.changed(nick, now)
        self._us.freed(old, now)

    def account(self, line: Line, now: float) -> None:
        """Account-notify."""
        self._people.learn(line.source, _account(line.param(0), "*"), now)

    def chghost(self, line: Line, _: float) -> None:
        if self._us.is_us(line.source.nick):
            self._us.rehosted(line.param(0), line.param(1))
        self._people.rehosted(line.source.nick, line.param(0), line.param(1))

    def whox(self, line: Line, now: float) -> None:
        """354, in the order of the fields that we asked for."""
        if len(line.params) == _WHOX_FIELDS and line.param(1) == _WHOX_MARK:
            _, _, _, user, host, nick, _, account = line.params
            self._people.learn(Source(nick, user, host), _account(account, "0"), now)

    def who_end(self, line: Line, _: float) -> None:
        """315: one channel is asked for at a time, so that many do not look like a flood."""
        self._ask_next()
        if (room := self._channels.room(line.param(1))) is not None:
            self._history.who_ended(room)

    def whois_user(self, line: Line, _: float) -> None:
        """311."""
        self._speakers.user(line.param(1), line.param(2), line.param(3))

    def whois_account(self, line: Line, _: float) -> None:
        """330."""
        self._speakers.logged_in(line.param(1), line.param(2))

    def whois_end(self, line: Line, now: float) -> None:
        """318."""
        self._speakers.answered(line.param(1), now)

    def unknown_command(self, line: Line, now: float) -> None:
        """421."""
        if "WHOIS" in line.params:
            self._speakers.cannot_ask(now)

    def _ask_accounts(self, channel: str) -> None:
        """Who is logged in already; not asked where each line says it (account-tag)."""
        if self._supports.whox and "account-tag" not in self._enabled and self._channels.room(channel):
            self.ask_who(channel)

    def ask_who(self, channel: str) -> None:
        """Ask which accounts the people in `channel` are logged in to."""
        if channel not in self._to_ask:
            self._to_ask.append(channel)
        if not self._asking:
            self._ask_next()

    def _ask_next(self) -> None:
        self._asking = self._to_ask.popleft() if self._to_ask else ""
        if self._asking:
            self._write("WHO", self._asking, f"%tcuhnfa,{_WHOX_MARK}")

    def _gone(self, nick: str, channel: str, reason: str, now: float) -> None:
        if self._us.is_us(nick):
            room = self._channels.heard(channel)
            self._channels.we_left(channel, reason, now)
            if room is not None:
                self._history.left(room)
            self._people.we_left(channel)
        self._people.left(nick, channel)
        if not self._people.knows(nick):
            self._speakers.changed(nick, now)


def _account(name: str, none: str) -> str:
    return "" if name == none else name
