"""Who spoke when, for each audience of its own. Not what they said."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from bots.api import Memory, Question
from bots.commands.shelf import Full, Shelf
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.model.text import NAME_LIMIT, folded, one_line

_NAMES = 120  # of one audience: 16 KB with the longest names in ASCII
_AUDIENCES = 200


@dataclass(frozen=True, slots=True)
class Sighting:
    """`user`: the user that it was, '' for a guest."""

    name: str
    user: str
    time: float


def key_of(name: str) -> str:
    """`name` as names are compared here: however it is written, with @ before or a colon behind it."""
    return " ".join(folded(name[: NAME_LIMIT * 2]).split()).lstrip("@").rstrip(":,;?!. ")


def names_of(question: Question) -> set[str]:
    """What who asks is called here."""
    return {key_of(each) for each in (question.asker.name, question.user or "") if key_of(each)}


def hearers(question: Question) -> str:
    """The key of those who hear `question`, '' in private: of those alone may be told who was seen here."""
    if question.private:
        return ""
    return digest("link", question.link) if question.link and question.carried else digest("room", str(question.room))


def places(question: Question) -> tuple[str, ...]:
    """The keys of all that who hears `question` has heard too: one room has heard its link."""
    if question.private:
        return ()
    return tuple(dict.fromkeys([hearers(question), *([digest("link", question.link)] if question.link else [])]))


def _claim(name: str, sighting: Sighting) -> int:
    """How good a right somebody has to `name`: its user; a user who shows it; a guest, whose name anybody may take."""
    return 0 if not sighting.user else 2 if key_of(sighting.user) == name else 1


def _by_claim(there: LruDict[str, Sighting]) -> Sequence[str]:
    """The names, in the order in which they are forgotten: whoever changes theirs pushes out no users."""
    known = {name: seen for name in there if (seen := there.peek(name)) is not None}
    return sorted(known, key=lambda name: _claim(name, known[name]))


@dataclass(slots=True)
class Sightings:
    """The people of each audience, kept in memory by `flush`."""

    memory: Memory
    _seen: LruDict[str, LruDict[str, Sighting]] = field(default_factory=lambda: LruDict(_AUDIENCES))
    _changed: set[str] = field(default_factory=set)
    _shelf: Shelf = field(init=False)
    _is_read: bool = False

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.memory, "commands/seen/", _AUDIENCES)

    async def note(self, question: Question) -> None:
        """Who asks was seen."""
        await self._read()
        if not (where := hearers(question)):
            return
        there = self._there(where)
        sighting = Sighting(one_line(question.asker.name, NAME_LIMIT), question.user or "", question.time)
        for name in names_of(question):
            known = there.peek(name)
            if known is None and len(there) >= _NAMES:
                there.pop(_by_claim(there)[0])
            if known is None or _claim(name, sighting) >= _claim(name, known):
                there[name] = sighting
        self._changed.add(where)

    async def find(self, question: Question, name: str) -> Sighting | None:
        """When who is called `name` was seen by those who hear `question`: a user of that name rather than others."""
        await self._read()
        key = key_of(name)
        found = [there.peek(key) for where in places(question) if (there := self._seen.get(where)) is not None]
        known = (each for each in found if each is not None)
        return max(known, key=lambda each: (_claim(key, each), each.time), default=None)

    async def forget(self, question: Question) -> None:
        """Forget who asks, everywhere that they were seen under their name here."""
        await self._read()
        for where in self._seen:
            there = self._seen.peek(where)
            for name in names_of(question):
                seen = there.peek(name) if there is not None else None
                if there is not None and seen is not None and seen.user == (question.user or ""):
                    there.pop(name)
                    self._changed.add(where)
        await self.flush()

    async def flush(self) -> None:
        """Store what has changed."""
        for where in [*self._changed]:
            self._changed.discard(where)
            there = self._seen.peek(where)
            if there is not None:
                value: list[JsonValue] = [
                    [name, seen.name, seen.user, int(seen.time)]
                    for name in _by_claim(there)
                    if (seen := there.peek(name)) is not None
                ]
                await self._store(where, value)

    async def _store(self, where: str, value: Sequence[JsonValue]) -> None:
        """As many of the last ones as there is place for: names may be long."""
        while value:
            try:
                await self._shelf.replace_oldest(where, [*value])
            except Full:
                value = value[(len(value) + 1) // 2 :]
            else:
                return

    def _there(self, where: str) -> LruDict[str, Sighting]:
        if (there := self._seen.get(where)) is None:
            there = self._seen[where] = LruDict[str, Sighting](_NAMES)
        return there

    async def _read(self) -> None:
        if self._is_read:
            return
        await self._shelf.open()
        self._is_read = True
        for where, value in self._shelf.items():
            for each in value if isinstance(value, list) else ():
                match each:
                    case [str(name), str(shown), str(user), int(time)]:
                        self._there(where)[name] = Sighting(shown, user, float(time))
