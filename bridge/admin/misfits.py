"""Finds what does not fit together: networks that the config does not know, users that the database does not know."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bridge.config import Config
from bridge.users import Sanction, User
from bridge.users.identities import same_name
from bridge.users.sanctions import network_of


@dataclass(frozen=True, slots=True)
class Orphan:
    """A network that the config does not know: how many deliveries wait for it, how many identities and sanctions are
    on it, and whether the store knows its position."""

    network: str
    waiting: int
    identities: int
    sanctions: int
    stored: bool

    @property
    def words(self) -> str:
        """Says what is left of it, and what to do."""
        kept = [
            _counted(self.waiting, "waiting message"),
            _counted(self.identities, "identity", "identities"),
            _counted(self.sanctions, "mute or ban", "mutes and bans"),
            "its position" if self.stored else "",
        ]
        return (
            f"there is no network {self.network!r} in the config, but {_joined([*filter(None, kept)])} of it are kept."
            f" If it has another name now: `quackbridge rename-network {self.network} NEW`, with the daemon stopped"
        )


def orphans(
    known: Collection[str], stored: Mapping[str, int], users: Iterable[User], sanctions: Iterable[Sanction]
) -> Sequence[Orphan]:
    """The networks that are not `known`, by name. `stored`: those in the store, each with how many deliveries wait."""
    identities = Counter(one.network for user in users for one in user.identities if one.network)
    banned = Counter(network_of(each.target) for each in sanctions)
    names = {*stored, *identities, *filter(None, banned)} - {*known}
    return [Orphan(name, stored.get(name, 0), identities[name], banned[name], name in stored) for name in sorted(names)]


def unknown_users(config: Config, users: Sequence[User]) -> Iterator[str]:
    """The names in `members` and `moderators` of links that no user has, each with its place in the config."""
    known = {same_name(user.name): user.name for user in users}
    for place, name in _named(config):
        if same_name(name) not in known:
            near = get_close_matches(same_name(name), known, 1)
            hint = f"; did you mean {known[near[0]]!r}?" if near else ""
            yield config.about(place, f"there is no user {name!r}{hint}")


def links_naming(config: Config, name: str) -> Sequence[str]:
    """The keys of links that name the user: `pond.members`."""
    found = [place for place, named in _named(config) if same_name(named) == same_name(name)]
    return [f"{link}.{key}" for _, link, key, _ in found]


def _named(config: Config) -> Iterator[tuple[tuple[str, str, str, int], str]]:
    """The users' names in the config, each with its place."""
    for link, section in config.links.items():
        for key, names in (("members", section.members or ()), ("moderators", section.moderators)):
            yield from ((("links", link, key, number), name) for number, name in enumerate(names))


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}" if number else ""


def _joined(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
