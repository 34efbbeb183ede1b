"""Messages that wait for people until they speak again, where they were left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import JsonValue

from bots.api import Memory, Question
from bots.audience import visitor
from bots.commands.shelf import Full, Shelf
from bots.commands.sightings import key_of, names_of
from bridge.lib.ids import digest
from bridge.model.text import one_line

_ALL = 500
_FROM_GUESTS = 100  # of all: a guest may be anybody, and come again as somebody else
_GUEST = "guest "
_FROM_ONE = 10
_TO_ONE = 10
_KEPT_S = 30 * 86_400.0
LONGEST = 300
"""Characters of a message at most."""


class Slip(NamedTuple):
    """`text` for who is called `to`, and is the user `user` unless that is ''; left in `place` by `sender`."""

    place: str
    to: str
    user: str
    who: str
    sender: str
    text: str
    time: float


class TooManySlips(Exception):
    """So many messages of one person, to one, or in all wait already."""


def place_of(question: Question) -> str:
    """Where a message may be left and delivered: a link, or a room that is in none."""
    return digest("link", question.link) if question.link else digest("room", str(question.room))


@dataclass(slots=True)
class Slips:
    """All messages that wait, of one bot."""

    memory: Memory
    _shelf: Shelf = field(init=False)
    _held: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.memory, "commands/tell/", _ALL)

    async def leave(self, question: Question, to: str, user: str, text: str) -> None:
        """Leave a message of who asks. Raises TooManySlips."""
        await self._expire(question.time)
        who, place, name = visitor(question), place_of(question), key_of(to)
        self._check(who, place, name, is_guest=question.user is None)
        sender = one_line(question.asker.name, 64) + (" (guest)" if question.user is None else "")
        slip = Slip(place, name, user, who, sender, one_line(text, LONGEST), question.time)
        try:
            await self._shelf.put((_GUEST if question.user is None else "") + digest("tell", question.id), [*slip])
        except Full:
            raise TooManySlips from None

    def _check(self, who: str, place: str, name: str, *, is_guest: bool) -> None:
        """Raises TooManySlips."""
        slips = [slip for _, slip in self._all()]
        from_one = sum(slip.who == who for slip in slips)
        to_one = sum((slip.place, slip.to) == (place, name) for slip in slips)
        from_guests = sum(key.startswith(_GUEST) for key, _ in self._all())
        if from_one >= _FROM_ONE or to_one >= _TO_ONE or (is_guest and from_guests >= _FROM_GUESTS):
            raise TooManySlips

    async def waiting(self, question: Question) -> list[tuple[str, Slip]]:
        """What waits for who speaks, with the key of each; nothing in private."""
        await self._shelf.open()
        if question.private or not len(self._shelf):
            return []
        names, place = names_of(question), place_of(question)
        return [
            (key, slip)
            for key, slip in self._all()
            if slip.place == place and slip.to in names and slip.user in ("", question.user)
        ]

    @contextmanager
    def held(self, key: str) -> Iterator[bool]:
        """Whether the message waits still, and nobody else says it just now; who asks does meanwhile."""
        is_free = key not in self._held and self._shelf.get(key) is not None
        self._held |= {key} if is_free else set()
        try:
            yield is_free
        finally:
            self._held -= {key} if is_free else set()

    async def done(self, key: str) -> None:
        """The message was delivered."""
        await self._shelf.drop(key)

    async def forget(self, question: Question) -> None:
        """Take back what who asks has left."""
        await self._shelf.open()
        for key, slip in self._all():
            if slip.who == visitor(question):
                await self._shelf.drop(key)

    async def _expire(self, now: float) -> None:
        await self._shelf.open()
        for key, slip in self._all():
            if slip.time < now - _KEPT_S:
                await self._shelf.drop(key)

    def _all(self) -> Iterator[tuple[str, Slip]]:
        for key, value in self._shelf.items():
            if (slip := _read(value)) is not None:
                yield key, slip


def _read(value: JsonValue) -> Slip | None:
    match value:
        case [str(place), str(to), str(user), str(who), str(sender), str(text), int() | float() as time]:
            return Slip(place, to, user, who, sender, text, float(time))
    return None
