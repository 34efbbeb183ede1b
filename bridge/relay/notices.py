"""What people are told privately: a welcome, why they are not carried, that they showed everybody a password."""

from collections import OrderedDict, deque
from collections.abc import Callable, Container, Hashable
from datetime import UTC, datetime

from bridge.model.event import BOTS, Event, Kind, Message, Room
from bridge.model.outbox import Delivery
from bridge.model.people import Proof, Sender
from bridge.model.text import words
from bridge.rules.policy import Refusal, Told
from bridge.rules.routing import Link

SPENT = "You have asked a lot; I answer again in a while."
CAUGHT = (
    "What you just said looked like a password, so I carried it nowhere; but everybody in that room saw it. If it was"
    " one, change it: `passwd OLD NEW`, here in private. Log in here, never in a room."
)
_LAST = "If more cannot be delivered, I keep quiet about it for an hour."
_AN_HOUR = 3600.0
_PEOPLE = 30
"""A network tells so many people the same in an hour, so that a crowd of fresh nicks cannot use up its budget; and
nobody's hint is the reason why somebody else is not warned."""
_REMEMBERED = 10_000
"""What was done already, for so many people."""

Owed = tuple[Event, Room]


class Once(Container[Hashable]):
    """Says of each key whether it is new; the oldest of `limit` keys is forgotten, and new again."""

    def __init__(self, limit: int = _REMEMBERED) -> None:
        self._limit = limit
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self._seen

    def first(self, key: Hashable) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return True


class Notices:
    """Makes the words. What is told once a day (UTC) has an id that follows from the day, the person and the words, so
    that the outbox knows it again after a restart; what is kept here only saves it the looking."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._once = Once()
        self._told: dict[str, deque[float]] = {}

    def welcome(self, event: Event, link: Link) -> Owed | None:
        """What is owed to a member who said `event`."""
        return self._daily(event, "welcome", link.welcome_member)

    def refusal(self, event: Event, link: Link | None, refusal: Refusal) -> Owed | None:
        """What is owed to whoever said `event`, which was refused."""
        match refusal.told:
            case Told.NOTHING:
                return None
            case Told.HINT:
                return self._daily(event, "hint", link.welcome_guest if link else None)
            case Told.REASON:
                where = f"In {link.name}: " if link else ""
                return self._daily(event, f"refused {refusal.reason}", f"{where}{refusal.reason}")
            case Told.ADVICE:
                return self._tell(event, f"caught {event.room} {event.id}", CAUGHT)

    def dead(self, event: Event, room: Room, reason: str, kind: Kind) -> tuple[Event, Delivery] | None:
        """What a person on Matrix is owed whose words will never reach `room`: said at these."""
        of_person = any(proof.kind is Proof.MATRIX for proof in event.sender.proofs)
        if not of_person or room.network == BOTS:
            return None
        now, said = self._clock(), f"not delivered to {room}: {reason}"
        left = self._left(f"{event.room.network} dead", now)
        if left == 0:
            return None
        if left == 1:
            kind, said = Kind.NOTICE, f"{said}. {_LAST}"
        us = Sender(event.room.network, "", "quackbridge", bot=True)
        id_ = f"dead {event.id} {room}"
        told = Message(id_, event.room, us, now, words(said), kind, private=True, reply_to=event.key)
        return told, Delivery.of(told.key, event.room)

    def spent(self, event: Event) -> Owed | None:
        """What is owed to a guest who asked for more than their share."""
        return self._tell(event, f"spent {event.room} {event.id}", SPENT)

    def busy(self, event: Event) -> Owed | None:
        return self._tell(event, f"busy {event.room} {event.id}", "Too many log in right now: try again in a minute.")

    def _daily(self, event: Event, what: str, said: str | None) -> Owed | None:
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        address = event.sender.casemapping.fold(event.sender.address)
        key = (what, day, event.room.network, address)
        if not said or key in self._once or (owed := self._tell(event, f"{what} {day} {address}", said)) is None:
            return None
        self._once.first(key)
        return owed

    def _tell(self, event: Event, id_: str, said: str) -> Owed | None:
        now, network = self._clock(), event.room.network
        if self._left(f"{network} {id_.partition(' ')[0]}", now) == 0:
            return None
        there = event.room if event.private else Room(network, event.sender.address)
        us = Sender(network, "", "quackbridge", bot=True)
        return Message(id_, there, us, now, words(said), Kind.NOTICE, private=True), there

    def _left(self, what: str, now: float) -> int:
        """How many may be told of `what`; one of them is taken."""
        told = self._told.setdefault(what, deque())
        while told and told[0] <= now - _AN_HOUR:
            told.popleft()
        left = _PEOPLE - len(told)
        if left > 0:
            told.append(now)
        return left
