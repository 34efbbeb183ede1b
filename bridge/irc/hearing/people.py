"""The people in our channels, with their ranks there, and the services account of each, as the network proves it."""

import itertools
import math
import sys
from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

from bridge.irc.dialect.stems import stem_of
from bridge.irc.hearing.person import Logins, Person
from bridge.irc.wire.line import Source
from bridge.model.casemap import Casemapping
from bridge.model.glob import matches

_TRUSTED_FOR = 60.0
"""Seconds for which an account is believed if the network does not tell us when somebody logs out."""
_MOST = 100_000
"""Most people that are remembered, some 80 MB: more than any network has in one bot's channels."""
_NOBODY: Mapping[str, str] = MappingProxyType({})
_NO_STEMS: Mapping[str, int] = MappingProxyType({})
_MOST_LOOKED_AT = 5000
"""Most people who are compared with one mask: some milliseconds."""


class People:
    """The people in our channels, and their accounts. A person is known only while they share a channel with us: only
    then do we surely see them leave or change their nick before somebody else can take it. So nobody inherits an
    account with a nick. Sans I/O.

    `origin` differs for each connection of ours; the ids of other people's connections are made from it.
    """

    def __init__(self, origin: str = "") -> None:
        self.casemapping = Casemapping.RFC1459
        self._origin = origin
        self._told_of_logins = False
        self._people: dict[str, Person] = {}  # by folded nicks
        self._ranks: dict[str, dict[str, str]] = {}  # in each channel, by folded nicks: who is there
        self._spelt: dict[str, str] = {}  # the names of these channels as the server writes them
        self._stems: dict[str, Counter[str]] = {}  # of the nicks in these channels, once somebody has asked
        self._logins = Logins()
        self._numbers = itertools.count(1)

    def compare_by(self, casemapping: Casemapping) -> None:
        """Compare names otherwise from now on. People or channels whose names become one are forgotten: which of them
        is meant is unknown."""
        if casemapping is self.casemapping:
            return
        self.casemapping = casemapping
        fold = casemapping.fold
        keys = _told_apart({key: fold(person.nick) for key, person in self._people.items()})
        names = _told_apart({name: fold(spelt) for name, spelt in self._spelt.items()})
        ranks = {
            names[name]: {keys[key]: theirs for key, theirs in here.items() if key in keys}
            for name, here in self._ranks.items()
            if name in names
        }
        self._spelt = {names[name]: spelt for name, spelt in self._spelt.items() if name in names}
        there = {key for here in ranks.values() for key in here}
        self._people = {keys[key]: each for key, each in self._people.items() if keys.get(key) in there}
        self._ranks = ranks
        self._stems.clear()
        self._logins.clear()
        for person in self._people.values():
            self._index(person)

    def watch_logins(self, *, told: bool) -> None:
        """Set whether account-notify is on. Accounts learnt before it was may be out of date, and are forgotten."""
        if told and not self._told_of_logins:
            for person in self._people.values():
                person.account = None
            self._logins.clear()
        self._told_of_logins = told

    def find(self, nick: str) -> Person | None:
        """The person in our channels who has that nick; not to be changed."""
        return self._people.get(self.casemapping.fold(nick))

    def knows(self, nick: str) -> bool:
        """Whether `nick` shares a channel with us."""
        return self.find(nick) is not None

    def recognise(self, source: Source) -> None:
        """The network shows who has a nick now. If user or host differ from before, it is another person."""
        person = self.find(source.nick)
        if person is not None:
            self._recognise(person, source)

    def account(self, source: Source, now: float) -> str | None:
        """The account of a person in our channels: '' for none, None if the server must be asked."""
        person = self.find(source.nick)
        if person is None or not person.may_be(source):
            return None
        fresh = self._told_of_logins or now - person.learnt_at < _TRUSTED_FOR
        return person.account if fresh else None

    def account_then(self, source: Source, time: float, now: float) -> str | None:
        """The account of a person in our channels, if they have been connected since before `time` (seconds since the
        epoch, by the server): else somebody else may have had their nick, user and host. '' for none, None if the
        server must be asked."""
        account, person = self.account(source, now), self.find(source.nick)
        if not account or person is None or person.since is None:
            return account if account == "" else None
        return account if person.since < math.floor(time) else ""

    def connection(self, source: Source) -> str:
        """A unique id of the connection of a person in our channels; '' for anybody else."""
        person = self.find(source.nick)
        return f"{self._origin} {person.number}" if person is not None and person.may_be(source) else ""

    def resembles(self, source: Source, channel: str) -> bool | None:
        """Whether the very same `nick!user@host` is in `channel` now; None if the host of the person there is unknown.
        Nothing is learnt from `source`, which may be from another time."""
        person = self.find(source.nick)
        if person is None or not self.is_in(source.nick, channel) or not (source.user and source.host):
            return False
        if not (person.user and person.host):
            return None
        return (person.user, person.host) == (source.user, source.host)

    def learn(self, source: Source, account: str, now: float, since: float | None = None) -> None:
        """The network says which account `source` is logged in to ('' for none), and `since` when they are connected
        (None: it was not asked)."""
        person = self.find(source.nick)
        if person is not None:
            self._recognise(person, source)
            self._forget_account(person)
            person.account, person.learnt_at = account, now
            self._index(person)
            person.since = person.since if since is None else since

    def described(self, source: Source, *, realname: str | None = None, away: bool | None = None) -> None:
        """The network tells the real name of `source`, or whether they are away; None: it does not."""
        person = self.find(source.nick)
        if person is not None:
            self._recognise(person, source)
            person.realname = person.realname if realname is None else realname
            person.away = person.away if away is None else away

    def joined(self, source: Source, channel: str, ranks: str = "") -> None:
        """A person is in `channel`, with these `ranks` (modes) and no others."""
        key, name = self.casemapping.fold(source.nick), self.casemapping.fold(channel)
        person = self._people.get(key)
        if person is None and len(self._people) >= _MOST:
            return
        if person is None:
            person = self._people[key] = Person(source.nick, next(self._numbers))
        person.nick = key if key == source.nick else source.nick  # one string for both, if it is
        self._recognise(person, source)
        here = self._ranks.setdefault(name, {})
        if key not in here:
            self._count(name, key)
        here[key] = sys.intern(ranks)
        self._spelt.setdefault(name, channel)

    def ranked(self, nick: str, channel: str, rank: str, *, on: bool) -> None:
        """The rank (a mode) is given to a person in `channel`, or taken from them."""
        key, here = self.casemapping.fold(nick), self._here(channel)
        if key in here:
            left = here[key].replace(rank, "")
            self._ranks[self.casemapping.fold(channel)][key] = left + rank if on else left

    def ranks(self, nick: str, channel: str) -> str:
        """The ranks (modes) of a person in `channel`, as far as we know."""
        return self._here(channel).get(self.casemapping.fold(nick), "")

    def source(self, nick: str) -> Source:
        """The person in our channels who has that nick, with user and host if they are known."""
        person = self.find(nick)
        return Source(nick, person.user, person.host) if person is not None else Source(nick)

    def channels(self, nick: str) -> tuple[str, ...]:
        """The channels that a person shares with us, casefolded."""
        key = self.casemapping.fold(nick)
        return tuple(name for name, here in self._ranks.items() if key in here)

    def nicks(self, channel: str) -> Collection[str]:
        """The nicks in `channel`, casefolded. It changes as people come and go."""
        return self._here(channel).keys()

    def stems(self, channel: str) -> Mapping[str, int]:
        """How many of the nicks in `channel` have each stem. It changes as people come and go, so that no message has
        to look at all of thousands."""
        name = self.casemapping.fold(channel)
        if (here := self._ranks.get(name)) is None:
            return _NO_STEMS
        if name not in self._stems:
            self._stems[name] = Counter(map(stem_of, here))
        return self._stems[name]

    def is_in(self, nick: str, channel: str) -> bool:
        """Whether somebody in `channel` has that nick."""
        return self.casemapping.fold(nick) in self._here(channel)

    def with_account(self, account: str, channel: str) -> str | None:
        """The nick of a person in `channel` who is logged in to `account`, as far as we know; None if there is none."""
        here = self._here(channel)
        nicks = sorted(self._logins.of(self.casemapping.fold(account)))
        return next((self._people[nick].nick for nick in nicks if nick in here), None)

    def with_mask(self, glob: str, channel: str) -> str | None:
        """The nick of the first of some thousand people in `channel` whose `nick!user@host` matches; None if there is
        none."""
        fold = self.casemapping.fold
        glob = fold(glob)
        for key in itertools.islice(self._here(channel), _MOST_LOOKED_AT):
            person = self._people[key]
            if person.host and matches(glob, fold(person.source.mask)):
                return person.nick
        return None

    def left(self, nick: str, channel: str) -> None:
        self._leaves(self.casemapping.fold(nick), self.casemapping.fold(channel))

    def quit(self, nick: str) -> None:
        for name in self.channels(nick):
            self._leaves(self.casemapping.fold(nick), name)

    def renamed(self, source: Source, nick: str) -> None:
        """The connection stays; without account-notify the account is forgotten: services may log a nick out."""
        old, new = self.casemapping.fold(source.nick), self.casemapping.fold(nick)
        if old != new:
            self.quit(nick)
        person = self._people.pop(old, None)
        if person is None:
            return
        self._recognise(person, source)
        self._forget_account(person)
        self._people[new] = person
        person.nick = nick
        for name, here in self._ranks.items():
            if old in here:
                here[new] = here.pop(old)
                self._discount(name, old)
                self._count(name, new)
        if self._told_of_logins:
            self._index(person)
        else:
            person.account = None

    def rehosted(self, nick: str, user: str, host: str) -> None:
        person = self.find(nick)
        if person is not None:
            person.user, person.host = sys.intern(user), host

    def we_left(self, channel: str) -> None:
        name = self.casemapping.fold(channel)
        for key in [*self._here(channel)]:
            self._leaves(key, name)

    def _here(self, channel: str) -> Mapping[str, str]:
        return self._ranks.get(self.casemapping.fold(channel), _NOBODY)

    def _recognise(self, person: Person, source: Source) -> None:
        """Note user and host; forget all that was known of another person."""
        if not (source.user and source.host) or (person.user, person.host) == (source.user, source.host):
            return
        if not person.may_be(source):
            self._forget_account(person)
            person.account = person.since = None
            person.realname, person.away = "", False
            person.number = next(self._numbers)
        person.user, person.host = sys.intern(source.user), source.host

    def _leaves(self, key: str, name: str) -> None:
        here = self._ranks.get(name, {})
        if here.pop(key, None) is None:
            return
        self._discount(name, key)
        if not here:
            del self._ranks[name], self._spelt[name]
            self._stems.pop(name, None)
        if not any(key in other for other in self._ranks.values()):
            self._forget_account(self._people.pop(key))

    def _count(self, name: str, key: str) -> None:
        if (stems := self._stems.get(name)) is not None:
            stems[stem_of(key)] += 1

    def _discount(self, name: str, key: str) -> None:
        if (stems := self._stems.get(name)) is not None:
            stem = stem_of(key)
            stems[stem] -= 1
            if not stems[stem]:
                del stems[stem]

    def _index(self, person: Person) -> None:
        if person.account:
            self._logins.add(self.casemapping.fold(person.account), self.casemapping.fold(person.nick))

    def _forget_account(self, person: Person) -> None:
        """They have the account no more, or are called otherwise from now on."""
        if person.account:
            self._logins.remove(self.casemapping.fold(person.account), self.casemapping.fold(person.nick))


def _told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Those of the new `names` (by the old ones) that are different from all others."""
    count = Counter(names.values())
    return {old: new for old, new in names.items() if count[new] == 1}
