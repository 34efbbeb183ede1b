"""The people in our channels, and the services account of each, as the network proves it."""

import itertools
import math
from collections.abc import Collection
from dataclasses import dataclass, field

from bridge.irc.wire.line import Source
from bridge.model.casemap import Casemapping
from bridge.model.glob import matches

_TRUSTED_FOR = 60.0
"""Seconds for which an account is believed if the network does not tell us when somebody logs out."""
_MOST = 100_000
"""Most people that are remembered, some 50 MB: more than any network has in one bot's channels."""
_NOBODY: frozenset[str] = frozenset()
_MOST_LOOKED_AT = 5000
"""Most people who are compared with one mask: some milliseconds."""


@dataclass(slots=True)
class _Person:
    """`channels`: the ranks (modes) that they have in each."""

    nick: str
    connection: str
    user: str = ""
    host: str = ""
    channels: dict[str, str] = field(default_factory=dict)
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
        self._nicks: dict[str, set[str]] = {}  # of each channel, both folded
        self._by_account: dict[str, set[str]] = {}  # folded nicks of those who have it, or had it a moment ago
        self._connections = (f"{origin} {number}" for number in itertools.count(1))

    def compare_by(self, casemapping: Casemapping) -> None:
        self.casemapping = casemapping

    def watch_logins(self, *, told: bool) -> None:
        """Set whether account-notify is on. Accounts learnt before it was may be out of date, and are forgotten."""
        if told and not self._told_of_logins:
            for person in self._people.values():
                person.account = None
            self._by_account.clear()
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
            self._forget_account(person)
            person.account, person.learnt_at = account, now
            self._index(person)
            person.since = person.since if since is None else since

    def joined(self, source: Source, channel: str, ranks: str | None = None) -> None:
        """A person is in `channel`, with `ranks` there (modes; None: as we know them)."""
        key, name = self.casemapping.fold(source.nick), self.casemapping.fold(channel)
        person = self._people.get(key)
        if person is None and len(self._people) >= _MOST:
            return
        if person is None:
            person = self._people[key] = _Person(source.nick, next(self._connections))
        person.nick = source.nick
        self._recognise(person, source)
        self._nicks.setdefault(name, set()).add(key)
        person.channels[name] = person.channels.get(name, "") if ranks is None else ranks

    def ranked(self, nick: str, channel: str, rank: str, *, on: bool) -> None:
        """The rank (a mode) is given to a person in `channel`, or taken from them."""
        person, name = self._people.get(self.casemapping.fold(nick)), self.casemapping.fold(channel)
        if person is not None and name in person.channels:
            left = person.channels[name].replace(rank, "")
            person.channels[name] = left + rank if on else left

    def ranks(self, nick: str, channel: str) -> str:
        """The ranks (modes) of a person in `channel`, as far as we know."""
        person = self._people.get(self.casemapping.fold(nick))
        return person.channels.get(self.casemapping.fold(channel), "") if person is not None else ""

    def source(self, nick: str) -> Source:
        """The person in our channels who has that nick, with user and host if they are known."""
        person = self._people.get(self.casemapping.fold(nick))
        return Source(nick, person.user, person.host) if person is not None else Source(nick)

    def channels(self, nick: str) -> tuple[str, ...]:
        """The channels that a person shares with us, casefolded."""
        person = self._people.get(self.casemapping.fold(nick))
        return tuple(person.channels) if person is not None else ()

    def nicks(self, channel: str) -> Collection[str]:
        """The nicks in `channel`, casefolded. It changes as people come and go."""
        return self._nicks.get(self.casemapping.fold(channel), _NOBODY)

    def is_in(self, nick: str, channel: str) -> bool:
        """Whether somebody in `channel` has that nick."""
        person = self._people.get(self.casemapping.fold(nick))
        return person is not None and self.casemapping.fold(channel) in person.channels

    def with_account(self, account: str, channel: str) -> str | None:
        """The nick of a person in `channel` who is logged in to `account`, as far as we know; None if there is none."""
        name = self.casemapping.fold(channel)
        nicks = self._by_account.get(self.casemapping.fold(account), ())
        people = (self._people.get(nick) for nick in sorted(nicks))
        return next((each.nick for each in people if each is not None and name in each.channels), None)

    def with_mask(self, glob: str, channel: str) -> str | None:
        """The nick of the first of some thousand people in `channel` whose `nick!user@host` matches; None if there is
        none."""
        name, glob = self.casemapping.fold(channel), self.casemapping.fold(glob)
        for person in itertools.islice(self._people.values(), _MOST_LOOKED_AT):
            mask = Source(person.nick, person.user, person.host).mask
            if name in person.channels and person.host and matches(glob, self.casemapping.fold(mask)):
                return person.nick
        return None

    def left(self, nick: str, channel: str) -> None:
        key = self.casemapping.fold(nick)
        person = self._people.get(key)
        if person is None:
            return
        name = self.casemapping.fold(channel)
        if person.channels.pop(name, None) is not None:
            self._leaves(key, name)
        if not person.channels:
            self.quit(nick)

    def quit(self, nick: str) -> None:
        key = self.casemapping.fold(nick)
        person = self._people.pop(key, None)
        if person is not None:
            self._forget_account(person)
            for name in person.channels:
                self._leaves(key, name)

    def renamed(self, source: Source, nick: str) -> None:
        """The connection stays; without account-notify the account is forgotten: services may log a nick out."""
        person = self._people.pop(self.casemapping.fold(source.nick), None)
        self.quit(nick)
        if person is None:
            return
        self._forget_account(person)
        person.nick = nick
        key = self.casemapping.fold(nick)
        self._people[key] = person
        for name in person.channels:
            self._leaves(self.casemapping.fold(source.nick), name)
            self._nicks.setdefault(name, set()).add(key)
        if self._told_of_logins:
            self._index(person)
        else:
            person.account = None

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
            self._forget_account(person)
            person.account = person.since = None
            person.connection = next(self._connections)
        person.user, person.host = source.user, source.host

    def _leaves(self, nick: str, channel: str) -> None:
        nicks = self._nicks.get(channel, set())
        nicks.discard(nick)
        if not nicks:
            self._nicks.pop(channel, None)

    def _index(self, person: _Person) -> None:
        if person.account:
            nicks = self._by_account.setdefault(self.casemapping.fold(person.account), set())
            nicks.add(self.casemapping.fold(person.nick))

    def _forget_account(self, person: _Person) -> None:
        """They have the account no more, or are called otherwise from now on."""
        account = self.casemapping.fold(person.account or "")
        nicks = self._by_account.get(account)
        if nicks is not None:
            nicks.discard(self.casemapping.fold(person.nick))
            if not nicks:
                del self._by_account[account]
