"""What people have told about themselves: variables of a person in the bot's memory, and the topic they talk about.

Each audience has variables of its own: what somebody said in private is not shown in a room.
"""

from dataclasses import dataclass, field

import structlog

from bots.api import Memory, Question
from bots.audience import audience, person, visitor
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict

log = structlog.get_logger()

_PREFIX = "rules/"
_GUESTS = 1_000  # each a record below 16 KB, mostly 100 bytes
_USERS = 2_000
_VARIABLES = 20
_VISITORS = 500
_TOPIC_S = 600.0  # a topic ends when nothing was said for so long


@dataclass(slots=True)
class Record:
    """One person before one audience. `who` is the person's key."""

    who: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class People:
    """The records, kept in `memory` for people whom the network proves; for others until they are forgotten or the
    bot ends."""

    memory: Memory
    _users: LruDict[str, Record] = field(default_factory=lambda: LruDict(_USERS))
    _guests: LruDict[str, Record] = field(default_factory=lambda: LruDict(_GUESTS))
    _visitors: LruDict[str, Record] = field(default_factory=lambda: LruDict(_VISITORS))
    _topics: LruDict[str, tuple[str, float]] = field(default_factory=lambda: LruDict(_VISITORS))
    _is_read: bool = False

    async def variables(self, question: Question) -> dict[str, str]:
        """The variables of who asks, as they may be shown to who hears the answer."""
        await self._read()
        found = self._shelf(question).get(_key(question))
        return dict(found.variables) if found else {}

    async def keep(self, question: Question, variables: dict[str, str]) -> None:
        """Replace the variables of who asks; the first ones stay if there are too many."""
        key, shelf = _key(question), self._shelf(question)
        kept = {name: value for name, value in [*variables.items()][:_VARIABLES] if value}
        known = shelf.get(key)
        if kept == (known.variables if known else {}):
            return
        if known is None and shelf is not self._visitors and len(shelf) >= (_LIMITS[shelf is self._users]):
            await self._drop(next(iter(shelf)))
        shelf[key] = Record(visitor(question), kept)
        await self._store(key, shelf)

    async def forget(self, question: Question) -> None:
        """Forget all variables of who asks, before every audience, and their topics."""
        await self._read()
        who = visitor(question)
        for shelf in (self._users, self._guests, self._visitors):
            for key in shelf:
                if (found := shelf.peek(key)) is not None and found.who == who:
                    await self._drop(key)
        self._topics.pop(_key(question))

    def topic(self, question: Question) -> str:
        """What who asks talks about, '' if nothing."""
        name, until = self._topics.get(_key(question)) or ("", 0.0)
        return name if question.time < until else ""

    def turn(self, question: Question, topic: str) -> None:
        """Who asks talks about `topic` now."""
        if topic:
            self._topics[_key(question)] = (topic, question.time + _TOPIC_S)
        else:
            self._topics.pop(_key(question))

    def _shelf(self, question: Question) -> LruDict[str, Record]:
        if question.user is not None:
            return self._users
        return self._visitors if person(question) is None else self._guests

    async def _read(self) -> None:
        if self._is_read:
            return
        for key, value in (await self.memory.items(_PREFIX)).items():
            match value:
                case {"who": str(who), "user": bool(is_user), "variables": dict(found)}:
                    shelf = self._users if is_user else self._guests
                    if key not in shelf:  # another question may have been faster
                        shelf[key] = Record(who, {str(name): str(each) for name, each in found.items()})
        self._is_read = True

    async def _store(self, key: str, shelf: LruDict[str, Record]) -> None:
        if shelf is self._visitors or (record := shelf.peek(key)) is None:
            return
        try:
            await self.memory.put(
                key, {"who": record.who, "user": shelf is self._users, "variables": {**record.variables}}
            )
        except ValueError as error:  # the memory is full: known until the bot ends
            log.warning("rules_not_kept", reason=str(error), hint="the memory of this bot is full")

    async def _drop(self, key: str) -> None:
        for shelf in (self._users, self._guests, self._visitors):
            shelf.pop(key)
        await self.memory.put(key, None)


_LIMITS = {True: _USERS, False: _GUESTS}


def _key(question: Question) -> str:
    return _PREFIX + digest(visitor(question), audience(question))
