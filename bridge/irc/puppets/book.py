"""What is remembered of puppets over restarts: the nick of each, and the `nick!user@host` by which a history shows what
they said. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bridge.irc.puppets import nicks
from bridge.irc.wire.line import Source
from bridge.model.casemap import Casemapping
from bridge.model.glob import matches

KEY = "puppet "
_MOST_MASKS = 4
"""Most nicks and hosts of one puppet that are remembered."""

Changes = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """The puppet of one user: its nick, its user name (see `nicks.username`), and the last nicks and hosts that it had,
    the newest last."""

    nick: str
    username: str
    masks: tuple[tuple[str, str], ...] = ()

    @property
    def last(self) -> str:
        """The nick that it had last."""
        return self.masks[-1][0] if self.masks else self.nick


class Book:
    """The puppets of a network by the names of their users. `kept` is what the network remembers, other things too."""

    def __init__(self, kept: Mapping[str, str]) -> None:
        self.casemapping = Casemapping.RFC1459
        self._entries: dict[str, Entry] = {}
        self._usernames: set[str] = set()
        for key, text in kept.items():
            if key.startswith(KEY) and (entry := _read(text)) is not None:
                self._keep(key.removeprefix(KEY), entry)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def of(self, user: str) -> Entry | None:
        return self._entries.get(user.casefold())

    def owner(self, nick: str) -> str | None:
        """The user (casefolded) whose puppet has that nick, connected or not."""
        fold = self.casemapping.fold
        return next((user for user, entry in self._entries.items() if fold(entry.nick) == fold(nick)), None)

    def names(self, template: str, user: str, identity: str, length: int) -> Iterator[str]:
        """Nicks to ask for, the best first: the one that the puppet had, then the others of its name. None of them is
        another puppet's, or seems to be of services."""
        known, tried = self.of(user), set[str]()
        kept = [known.nick] if known is not None and len(known.nick) <= length else []
        for nick in (*kept, *nicks.candidates(template, user, identity, length)):
            folded = self.casemapping.fold(nick)
            is_free = self.owner(nick) in (None, user.casefold())
            if folded not in tried and is_free and not nicks.is_reserved(nick, self.casemapping):
                tried.add(folded)
                yield nick

    def note(self, user: str, identity: str, nick: str, host: str, *, anew: bool = False) -> Changes:
        """The puppet of `user` has that nick and host now ('': unknown yet). What has changed, to be remembered before
        it says anything. It keeps its first nick, which it is asked for again, unless it is to be called so `anew`."""
        known = self.of(user)
        entry = known or Entry(nick, nicks.username(identity))
        masks = [mask for mask in entry.masks if mask != (nick, host)]
        if host:
            masks.append((nick, host))
        entry = replace(entry, nick=nick if anew else entry.nick, masks=tuple(masks[-_MOST_MASKS:]))
        if entry == known:
            return {}
        self._keep(user.casefold(), entry)
        return {KEY + user.casefold(): _written(entry)}

    def meant_by(self, mask: str) -> str | None:
        """The user (casefolded) whose puppet, and nobody else's, a ban is of: its mask names the user name, by which
        operators tell our puppets apart. Any other mask means nobody, or may mean several."""
        nick, _, rest = mask.partition("!")
        user = rest.partition("@")[0]
        name = user[1:] if user[:1] in ("~", "*") else user
        if name not in self._usernames:
            return None
        fold = self.casemapping.fold
        for owner, entry in self._entries.items():
            if entry.username == name and any(matches(fold(nick), fold(each)) for each in self._nicks(entry)):
                return owner
        return None

    def user_of(self, username: str) -> str | None:
        """The user (casefolded) whose puppet has that user name."""
        return next((user for user, entry in self._entries.items() if entry.username == username), None)

    def is_of_puppet(self, source: Source, *, is_tagged: bool) -> bool:
        """Whether one of our puppets, now or in an earlier run, is the source of a line: by its nick, its user name and
        its host. `is_tagged`: the line has the tag of our posts, which only we and liars send; then the host may be
        another one."""
        fold, user = self.casemapping.fold, source.user.lstrip("~")
        if user not in self._usernames:
            return False
        return any(
            fold(nick) == fold(source.nick) and (host == source.host or is_tagged)
            for entry in self._entries.values()
            if entry.username == user
            for nick, host in entry.masks
        )

    @staticmethod
    def _nicks(entry: Entry) -> tuple[str, ...]:
        return (entry.nick, *(nick for nick, _ in entry.masks))

    def _keep(self, key: str, entry: Entry) -> None:
        self._entries[key] = entry
        self._usernames.add(entry.username)


def _read(text: str) -> Entry | None:
    try:
        match json.loads(text):
            case {"nick": str(nick), "user": str(username), "masks": list(masks)} if nick and username:
                pairs = tuple((str(nick), str(host)) for nick, host in masks)
                return Entry(nick, username, pairs[-_MOST_MASKS:])
    except (ValueError, TypeError):
        pass
    return None


def _written(entry: Entry) -> str:
    return json.dumps({"nick": entry.nick, "user": entry.username, "masks": entry.masks}, separators=(",", ":"))
