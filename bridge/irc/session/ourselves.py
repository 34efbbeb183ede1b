"""Who we are on the network: our nick, the mask that others see, and regaining the configured nick."""

from collections.abc import Iterable, Iterator

from bridge.irc.dialect.place import Limits
from bridge.irc.effects import Effect, Notable
from bridge.irc.session.regain import Regain
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Line, Source
from bridge.model.casemap import Casemapping


class Ourselves:
    """Our identity on one connection. Sans I/O; times are seconds of a clock that does not go back."""

    def __init__(self, wanted: str) -> None:
        self.nick = self._wanted = wanted
        self._casemapping = Casemapping.RFC1459
        self._mask = Source("")
        self._monitor = False
        self._regain = Regain()

    @property
    def names(self) -> tuple[str, str]:
        """The names that people call us by: our current nick and the configured one."""
        return self.nick, self._wanted

    @property
    def source(self) -> Source:
        """Our mask as others see it, as far as we know."""
        return Source(self.nick, self._mask.user, self._mask.host)

    def is_us(self, nick: str) -> bool:
        return self._same(nick, self.nick)

    def is_surely(self, source: Source, *, is_tagged: bool = False) -> bool:
        """Whether a line of any time is surely ours: it has exactly our current user and host, and one of our nicks, or
        the tag of our posts (`is_tagged`): an earlier connection may have had another nick."""
        named = is_tagged or any(self._same(source.nick, name) for name in self.names)
        return named and (source.user, source.host) == (self._mask.user, self._mask.host)

    def limits(self, supports: Isupport) -> Limits:
        """How long our lines may be right now, by our mask as the server shows it, or the longest possible one."""
        user = len(self._mask.user.encode()) or supports.user_length + 1
        host = len(self._mask.host.encode()) or supports.host_length
        return Limits(supports.line_length, len(f":{self.nick}!@ ".encode()) + user + host, supports.topic_length)

    def welcomed(self, nick: str) -> None:
        """We are let in as `nick`: what the network has cut our own to is ours from now on."""
        self.nick = nick
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

    def greeted(self, supports: Isupport, now: float) -> Iterator[Effect]:
        """The server has said all about itself. A nick that is longer than it takes is ours as it cuts it."""
        self._monitor = supports.monitor
        if supports.nick_length and len(self._wanted) > supports.nick_length:
            self._wanted = self._wanted[: supports.nick_length]
        if not self.is_us(self._wanted):
            yield from self._regain.seek(self._wanted, now, monitor=self._monitor)

    def renamed(self, nick: str, now: float) -> Iterator[Effect]:
        """We are called `nick` now. Services that take our own nick from us are not fought: it is asked for later."""
        had_it = self.is_us(self._wanted)
        self.nick = nick
        if self._same(nick, self._wanted):
            yield Notable("nick_regained", nick)
            yield from self._regain.found(self._wanted, now)
        elif had_it:
            pause = self._regain.taken(now)
            yield from self._regain.seek(self._wanted, now, monitor=self._monitor)
            yield Notable(
                "nick_taken",
                f"the network calls us {nick}; is {self._wanted} registered to somebody else? The bridge asks for it "
                f"again in {pause:.0f} s",
            )

    def freed(self, nick: str, now: float) -> Iterable[Effect]:
        """Somebody else has left, or changed, `nick`."""
        free = self._same(nick, self._wanted) and not self.is_us(nick)
        return self._regain.free(self._wanted, now) if free else ()

    def gone(self, line: Line, now: float) -> Iterator[Effect]:
        """731 (RPL_MONOFFLINE): these nicks are free."""
        for target in line.last.split(","):
            yield from self.freed(target.partition("!")[0], now)

    def online(self, line: Line, now: float) -> Iterable[Effect]:
        """303 (RPL_ISON): who of those that we asked about is there."""
        if any(self._same(nick, self._wanted) for nick in line.last.split()):
            self._regain.in_use()
            return ()
        return self.freed(self._wanted, now)

    def unwatched(self) -> None:
        """734 (ERR_MONLISTFULL)."""
        self._regain.unwatched()

    def tick(self, now: float) -> Iterable[Effect]:
        """Look after the configured nick, while we have another."""
        return () if self.is_us(self._wanted) else self._regain.tick(self._wanted, now)

    def compare_by(self, casemapping: Casemapping) -> None:
        self._casemapping = casemapping

    def _same(self, one: str, other: str) -> bool:
        return self._casemapping.fold(one) == self._casemapping.fold(other)
