"""Who we are on the network: our nick, the mask that others see, and regaining the configured nick."""

from collections.abc import Iterable, Iterator

from bridge.irc.dialect.place import Limits
from bridge.irc.effects import Effect, Notable, written
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Line, Source
from bridge.lib.backoff import Backoff
from bridge.model.casemap import Casemapping

_REGAIN = Backoff(first_s=60.0, longest_s=3600.0)
"""Between two tries to have our nick: longer each time that the network takes it from us again."""


class Ourselves:
    """Our identity on one connection. Sans I/O; times are seconds of a clock that does not go back."""

    def __init__(self, wanted: str) -> None:
        self.nick = self._wanted = wanted
        self._casemapping = Casemapping.RFC1459
        self._mask = Source("")
        self._regain_at = 0.0
        self._taken = 0

    @property
    def names(self) -> tuple[str, str]:
        """The names that people call us by: our current nick and the configured one."""
        return self.nick, self._wanted

    def is_us(self, nick: str) -> bool:
        return self._same(nick, self.nick)

    def is_surely(self, source: Source) -> bool:
        """Whether a line of any time is surely ours: it has one of our nicks and exactly our current user and host."""
        named = any(self._same(source.nick, name) for name in self.names)
        return named and (source.user, source.host) == (self._mask.user, self._mask.host)

    def limits(self, supports: Isupport) -> Limits:
        """How long our lines may be right now, by our mask as the server shows it, or the longest possible one."""
        user = len(self._mask.user.encode()) or supports.user_length + 1
        host = len(self._mask.host.encode()) or supports.host_length
        return Limits(supports.line_length, len(f":{self.nick}!@ ".encode()) + user + host, supports.topic_length)

    def welcomed(self, nick: str, now: float) -> None:
        """We are let in as `nick`: what the network has cut our own to is ours from now on."""
        self.nick, self._regain_at = nick, now + _REGAIN.plain(0)
        if nick and self._wanted.startswith(nick):
            self._wanted = nick

    def seen(self, source: Source) -> None:
        """Note our mask from a line of ours, as the server shows it to others."""
        if source.user and source.host:
            self._mask = source

    def rehosted(self, user: str, host: str) -> None:
        self._mask = Source(self.nick, user or self._mask.user, host)

    def visible_host(self, line: Line) -> None:
        """396 (RPL_VISIBLEHOST): `host` or `user@host`."""
        user, _, host = line.param(1).rpartition("@")
        self.rehosted(user, host)

    def renamed(self, nick: str, now: float) -> Iterator[Effect]:
        """We are called `nick` now. Services that take our own nick from us are not fought: it is asked for later."""
        had_it = self.is_us(self._wanted)
        self.nick = nick
        if self._same(nick, self._wanted):
            yield Notable("nick_regained", nick)
        elif had_it:
            self._taken += 1
            self._regain_at = now + _REGAIN.plain(self._taken - 1)
            yield Notable("nick_taken", f"the network calls us {nick}; is {self._wanted} registered to somebody else?")

    def freed(self, nick: str, now: float) -> Iterable[Effect]:
        """Somebody else has left, or changed, `nick`."""
        return self._regain(now) if self._same(nick, self._wanted) and not self.is_us(nick) else ()

    def tick(self, now: float) -> Iterable[Effect]:
        """Ask for the configured nick from time to time, while we have another."""
        if self.is_us(self._wanted):
            self._regain_at = now + _REGAIN.plain(0)
        return self._regain(now) if now >= self._regain_at else ()

    def compare_by(self, casemapping: Casemapping) -> None:
        self._casemapping = casemapping

    def _regain(self, now: float) -> Iterable[Effect]:
        self._regain_at = now + _REGAIN.plain(max(self._taken - 1, 0))
        return written("NICK", self._wanted)

    def _same(self, one: str, other: str) -> bool:
        return self._casemapping.fold(one) == self._casemapping.fold(other)
