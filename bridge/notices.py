"""What people are told privately, once a day: members are welcomed, guests learn why they are not carried."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from datetime import UTC, datetime

from bridge.links import Link
from bridge.model import Event, Kind, Message, Room, Sender
from bridge.text import words

_AN_HOUR = 3600.0
_PEOPLE = (
    30  # a network tells so many people something in an hour, so that a crowd of fresh nicks cannot use up its budget
)
_REMEMBERED = 10_000  # what was done already, for so many people


class Once:
    """Says of each key whether it is new; the oldest of `limit` keys is forgotten, and new again."""

    def __init__(self, limit: int = _REMEMBERED) -> None:
        self._limit = limit
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def first(self, key: Hashable) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return True


class Welcomes:
    """Makes the words for whoever speaks for the first time on a day (UTC). Their id follows from the day and the
    person, so that the outbox knows them again after a restart; what is kept here only saves it the looking."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._once = Once()
        self._told: dict[str, deque[float]] = {}

    def member(self, event: Event, link: Link) -> tuple[Event, Room] | None:
        """What is owed to a member who said `event`."""
        return self._tell(event, link.welcome_member)

    def guest(self, event: Event, link: Link) -> tuple[Event, Room] | None:
        """What is owed to a guest whose `event` was refused."""
        return self._tell(event, link.welcome_guest)

    def _tell(self, event: Event, said: str | None) -> tuple[Event, Room] | None:
        now = self._clock()
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        address = event.sender.casemapping.fold(event.sender.address)
        network = event.room.network
        if not said or not self._once.first((day, network, address)) or not self._within_budget(network, now):
            return None
        there = Room(network, event.sender.address)
        us = Sender(network, "", "quackbridge", bot=True)
        message = Message(f"welcome {day} {address}", there, us, now, words(said), Kind.NOTICE, private=True)
        return message, there

    def _within_budget(self, network: str, now: float) -> bool:
        told = self._told.setdefault(network, deque())
        while told and told[0] <= now - _AN_HOUR:
            told.popleft()
        if len(told) >= _PEOPLE:
            return False
        told.append(now)
        return True
