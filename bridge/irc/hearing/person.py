"""One person in our channels, and who is logged in to which account."""

from dataclasses import dataclass

from bridge.irc.wire.line import Source

_MOST_NICKS = 100
"""Most nicks that are remembered of one account: each costs time when another comes."""


@dataclass(slots=True)
class Person:
    """A connection that shares a channel with us. `number` is never used again. `account`: '' for none, None if it is
    not known. `since`: when they connected (seconds since the epoch, by the server), infinity if it does not say, None
    if it was not asked."""

    nick: str
    number: int
    user: str = ""
    host: str = ""
    realname: str = ""
    away: bool = False
    account: str | None = None
    learnt_at: float = 0.0
    since: float | None = None

    @property
    def source(self) -> Source:
        return Source(self.nick, self.user, self.host)

    def may_be(self, source: Source) -> bool:
        """Whether `source` has the same user and host, as far as both are known."""
        known = self.user and self.host and source.user and source.host
        return not known or (self.user, self.host) == (source.user, source.host)


class Logins:
    """The nicks of those who are logged in to an account, or were a moment ago. All names are folded."""

    def __init__(self) -> None:
        self._nicks: dict[str, tuple[str, ...]] = {}

    def of(self, account: str) -> tuple[str, ...]:
        return self._nicks.get(account, ())

    def add(self, account: str, nick: str) -> None:
        known = self._nicks.get(account, ())
        if nick not in known and len(known) < _MOST_NICKS:
            self._nicks[account] = (*known, nick)

    def remove(self, account: str, nick: str) -> None:
        known = self._nicks.get(account, ())
        if nick in known:
            self._nicks[account] = tuple(each for each in known if each != nick)
            if len(known) == 1:
                del self._nicks[account]

    def clear(self) -> None:
        self._nicks.clear()
