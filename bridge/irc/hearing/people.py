"""The people in our channels, and the services account of each, as the network proves it."""

import itertools
import math
from dataclasses import dataclass, field

from bridge.irc.wire.line import Source
from bridge.model.casemap import Casemapping

_TRUSTED_FOR = 60.0
"""Seconds for which an account is believed if the network does not tell us when somebody logs out."""
_MOST = 100_000
"""Most people that are remembered, some 50 MB: more than any network has in one bot's channels."""


@dataclass(slots=True)
class _Person:
    connection: str
    user: str = ""
    host: str = ""
    channels: set[str] = field(default_factory=set)
    account: str | None = None  # None: not known; '': not logged in
    learnt_at: float = 0.0
    since: float | None = None  # connected since then, by the server; infinity: it does not say


class People:
    """The people in our channels, and their accounts. A person is known only while they share a channel with us: only
    then do we surely see them leave or change their nick before somebody else can take it. So nobody inherits an
    account with a nick. Sans I/O.

    `origin` differs for each connection of ours; the ids of other people's connections are made from it.
    """

    def __init__(self, origin: str = "") -> None:
        self.casemapping = Casemapping.RFC1459
        self._told_of_logins = False
        self._people: dict[str, _Person] = {}
        self._connections = (f"{origin} {number}" for number in itertools.count(1))

    def compare_by(self, casemapping: Casemapping) -> None:
        self.casemapping = casemapping

    def watch_logins(self, *, told: bool) -> None:
        """Set whether account-notify is on. Accounts learnt before it was may be out of date, and are forgotten."""
        if told and not self._told_of_logins:
            for person in self._people.values():
                person.account = None
        self._told_of_logins = told

    def knows(self, nick: str) -> bool:
        """Whether `nick` shares a channel with us."""
        return self.casemapping.fold(nick) in self._people

    def account(self, source: Source, now: float) -> str | None:
        """The account of a person in our channels: '' for none, None if the server must be asked."""
        person = self._people.get(self.casemapping.fold(source.nick))
        if person is None:
            return None
        self._recognise(person, source)
        fresh = self._told_of_logins or now - person.learnt_at < _TRUSTED_FOR
        return person.account if fresh else None

    def account_then(self, source: Source, time: float, now: float) -> str | None:
        """The account of a person in our channels, if they have been connected since before `time` (seconds since the
        epoch, by the server): else somebody else may have had their nick, user and host. '' for none, None if the
        server must be asked."""
        account = self.account(source, now)
        person = self._people.get(self.casemapping.fold(source.nick))
        if not account or person is None or person.since is None:
            return account if account == "" else None
        return account if person.since < math.floor(time) else ""

    def connection(self, source: Source) -> str:
        """A unique id of the connection of a person in our channels; '' for anybody else."""
        person = self._people.get(self.casemapping.fold(source.nick))
        if person is None:
            return ""
        self._recognise(person, source)
        return person.connection

    def resembles(self, source: Source, channel: str) -> bool | None:
        """Whether the very same `nick!user@host` is in `channel` now; None if the host of the person there is unknown.
        Nothing is learnt from `source`, which may be from another time."""
        fold = self.casemapping.fold
        person = self._people.get(fold(source.nick))
        if person is None or fold(channel) not in person.channels or not (source.user and source.host):
            return False
        if not (person.user and person.host):
            return None
        return (person.user, person.host) == (source.user, source.host)

    def learn(self, source: Source, account: str, now: float, since: float | None = None) -> None:
        """The network says which account `source` is logged in to ('' for none), and `since` when they are connected
        (None: it was not asked)."""
        person = self._people.get(self.casemapping.fold(source.nick))
        if person is not None:
            self._recognise(person, source)
            person.account, person.learnt_at = account, now
            person.since = person.since if since is None else since

    def joined(self, source: Source, channel: str) -> None:
        key = self.casemapping.fold(source.nick)
        if key not in self._people and len(self._people) >= _MOST:
            return
        person = self._people.get(key)
        if person is None:
            person = self._people[key] = _Person(next(self._connections))
        self._recognise(person, source)
        person.channels.add(self.casemapping.fold(channel))

    def left(self, nick: str, channel: str) -> None:
        key = self.casemapping.fold(nick)
        person = self._people.get(key)
        if person is None:
            return
        person.channels.discard(self.casemapping.fold(channel))
        if not person.channels:
            del self._people[key]

    def quit(self, nick: str) -> None:
        self._people.pop(self.casemapping.fold(nick), None)

    def renamed(self, source: Source, nick: str) -> None:
        """The connection stays; without account-notify the account is forgotten: services may log a nick out."""
        person = self._people.pop(self.casemapping.fold(source.nick), None)
        if person is None:
            self.quit(nick)
            return
        if not self._told_of_logins:
            person.account = None
        self._people[self.casemapping.fold(nick)] = person

    def rehosted(self, nick: str, user: str, host: str) -> None:
        person = self._people.get(self.casemapping.fold(nick))
        if person is not None:
            person.user, person.host = user, host

    def we_left(self, channel: str) -> None:
        for nick in [*self._people]:
            self.left(nick, channel)

    def _recognise(self, person: _Person, source: Source) -> None:
        """If user or host differ from before, it is another person: forget the account."""
        if not (source.user and source.host):
            return
        if (person.user, person.host) not in (("", ""), (source.user, source.host)):
            person.account = person.since = None
            person.connection = next(self._connections)
        person.user, person.host = source.user, source.host
