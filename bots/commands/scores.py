"""Karma: how often people said name++ and name--, for each link or room of its own."""

import re
from dataclasses import dataclass, field

from bots.api import Memory, Question
from bots.audience import visitor
from bots.commands.shelf import Full, Shelf
from bots.commands.sightings import key_of
from bots.commands.slips import place_of
from bridge.lib.lru import LruDict

_PLACES = 100
_NAMES = 100  # of one place
_PAUSE_S = 60.0  # between two marks of one person for one name
_MARK = re.compile(r"@?([^\s+]{1,40}?):? ?(\+\+|--|—)")


def mark_of(text: str) -> tuple[str, int] | None:
    """The name and the change, if `text` is `name++` or `name--` and nothing else."""
    match = _MARK.fullmatch(text.strip())
    return None if match is None else (key_of(match[1]), 1 if match[2] == "++" else -1)


@dataclass(slots=True)
class Scores:
    """The karma of all places of one bot."""

    memory: Memory
    is_on: bool = False
    _shelf: Shelf = field(init=False)
    _marked: LruDict[tuple[str, str], float] = field(default_factory=lambda: LruDict(500))

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.memory, "commands/karma/", _PLACES)

    async def change(self, question: Question, name: str, by: int) -> None:
        """Count a mark for `name` of who asks, at most one a minute; too many names are forgotten, the lowest first."""
        last = self._marked.get((visitor(question), name))
        if last is not None and question.time < last + _PAUSE_S:
            return
        self._marked[visitor(question), name] = question.time
        known = await self._of(question)
        known[name] = known.get(name, 0) + by
        while len(known) > _NAMES:
            del known[min((each for each in known if each != name), key=lambda each: abs(known[each]))]
        try:
            await self._shelf.replace_oldest(place_of(question), {**known})
        except Full:
            return

    async def score(self, question: Question, name: str) -> int:
        """The karma of `name` where this was asked."""
        return (await self._of(question)).get(key_of(name), 0)

    async def best(self, question: Question, most: int) -> list[tuple[str, int]]:
        """Names with the most karma where this was asked."""
        return sorted((await self._of(question)).items(), key=lambda each: -each[1])[:most]

    async def _of(self, question: Question) -> dict[str, int]:
        value = (await self._shelf.open()).get(place_of(question))
        pairs = value.items() if isinstance(value, dict) else ()
        return {name: score for name, score in pairs if isinstance(score, int)}
