"""The time zones of people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from bots.api import Memory, Question
from bots.audience import person, visitor
from bots.commands import zones
from bots.commands.shelf import Shelf
from bridge.lib.lru import LruDict

_PEOPLE = 1_000  # of users, and of guests
_VISITORS = 200


@dataclass(slots=True)
class Whereabouts:
    """Where people are: the zone that they have said, else that of their link, else `default`."""

    memory: Memory
    default: ZoneInfo
    links: Mapping[str, ZoneInfo] = field(default_factory=dict)
    _users: Shelf = field(init=False)
    _guests: Shelf = field(init=False)
    _visitors: LruDict[str, str] = field(default_factory=lambda: LruDict(_VISITORS))

    def __post_init__(self) -> None:
        self._users = Shelf(self.memory, "commands/zone/user/", _PEOPLE)
        self._guests = Shelf(self.memory, "commands/zone/guest/", _PEOPLE)

    async def zone(self, question: Question) -> ZoneInfo:
        """The zone of who asks."""
        key = visitor(question)
        found = self._visitors.get(key) or (await self._shelf(question).open()).get(key)
        return (zones.find(found) if isinstance(found, str) else None) or self.links.get(question.link, self.default)

    async def move(self, question: Question, zone: ZoneInfo) -> None:
        """Who asks is in `zone`."""
        if person(question) is None:
            self._visitors[visitor(question)] = zone.key
        else:
            await (await self._shelf(question).open()).replace_oldest(visitor(question), zone.key)

    async def forget(self, question: Question) -> None:
        """Forget the zone of who asks."""
        self._visitors.pop(visitor(question))
        await (await self._shelf(question).open()).drop(visitor(question))

    def _shelf(self, question: Question) -> Shelf:
        return self._guests if question.user is None else self._users
