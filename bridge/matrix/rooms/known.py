"""Which Matrix rooms are which of ours, what is known of each, and the names that people have there. No I/O."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.lib.lru import LruDict
from bridge.model.event import Room

_NAMES = 5000
"""Names that are remembered: those of the people who have spoken lately."""


@dataclass(slots=True, eq=False)
class Place:
    """A room that we hear. `peer` is the one other person of a private conversation. Where it has not been `heard`
    since we came, `past` are the ids of what was said there before. `settled` is set once all this is known. It is
    `sure` while nothing can have happened there of which we have not heard, save what is on its way."""

    id: str
    room: Room
    peer: str | None = None
    joined: bool = False
    absence: str = "it is not joined yet"
    encrypted: bool = False
    sure: bool = False
    heard: bool = False
    past: frozenset[str] = frozenset()
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    warned: set[str] = field(default_factory=set)

    @property
    def private(self) -> bool:
        return self.peer is not None

    def first(self, trouble: str) -> bool:
        """Whether this is the first time that somebody would be warned of `trouble`."""
        if trouble in self.warned:
            return False
        self.warned.add(trouble)
        return True


class Rooms:
    """The rooms that we hear, by their ids on the homeserver."""

    def __init__(self, network: str) -> None:
        self._network = network
        self._places: dict[str, Place] = {}
        self._ids: dict[Room, str] = {}

    def place(self, room_id: str) -> Place | None:
        return self._places.get(room_id)

    def at(self, room: Room) -> Place | None:
        """Where `room` is: a configured one by its configured name, a private one by the homeserver's id."""
        place = self._places.get(self._ids.get(room, room.id))
        return place if place is not None and place.room == room else None  # it may be known by another name now

    def private_with(self, user: str) -> Place | None:
        return next((place for place in self._places.values() if place.peer == user), None)

    def add(self, room_id: str, room: Room) -> Place:
        """The place of the configured `room`. ValueError where another configured room is the same one."""
        place = self._places.get(room_id)
        if place is None or place.private:
            place = self._places[room_id] = Place(room_id, room)
        if place.room != room:
            raise ValueError(f"it is the same room as {place.room.id}")
        self._ids[room] = room_id
        return place

    def add_private(self, room_id: str, peer: str) -> Place:
        """The place of a private conversation that is going on."""
        place = self.expect_private(room_id, peer)
        place.heard = True
        place.settled.set()
        return place

    def expect_private(self, room_id: str, peer: str) -> Place:
        """The place of a private conversation that begins once it is settled."""
        place = Place(room_id, Room(self._network, room_id), peer, joined=True)
        self._places[room_id] = place
        return place

    @property
    def conversations(self) -> int:
        """How many are private."""
        return sum(place.private for place in self._places.values())

    def doubt(self) -> None:
        """We do not hear right now."""
        for place in self:
            place.sure = False

    def remove(self, place: Place) -> None:
        place.closed = True
        if self._places.get(place.id) is place:
            del self._places[place.id]

    def __iter__(self) -> Iterator[Place]:
        return iter([*self._places.values()])


class Names:
    """The display names that people have in rooms."""

    def __init__(self) -> None:
        self._names: LruDict[tuple[str, str], str] = LruDict(_NAMES)

    def learn(self, room_id: str, user: str, name: str) -> None:
        self._names[room_id, user] = name

    def of(self, room_id: str, user: str) -> str | None:
        """None where it has to be asked for."""
        return self._names.get((room_id, user))
