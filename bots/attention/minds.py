"""What a bot keeps in mind about all its places and people, bounded, and what of it has to be saved. Pure."""

from collections.abc import Mapping

from pydantic import JsonValue, TypeAdapter, ValidationError

from bots.attention.manners import HOUR_S
from bots.attention.place import Left, Place, restored, saved_bucket
from bridge.lib.bucket import TokenBucket
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict

_ROOMS = 500
_PRIVATE = 1_000
"""Private conversations: strangers can begin any number of them."""
_PEOPLE = 300
"""People whose answers are counted, so that they fit into one value. Who is forgotten has all their answers again."""
_ROOM_NAME = "attention room "
_PRIVATE_NAME = "attention private "
_PEOPLE_NAME = "attention people"
_LEFT = TypeAdapter(dict[str, Left])


class Minds:
    """The bot's mind of each place, and the answers that are left to each person: `per_person` and `per_room` at once,
    and as many more each hour. None: any number."""

    def __init__(self, per_person: int | None, per_room: int | None) -> None:
        self._per_person = per_person
        self._per_room = per_room
        self._rooms: LruDict[str, Place] = LruDict(_ROOMS)
        self._private: LruDict[str, Place] = LruDict(_PRIVATE)
        self._people: LruDict[str, TokenBucket] = LruDict(_PEOPLE)
        self._people_changed = False
        self._saved: set[str] = set()

    def exchange(self, per_person: int | None, per_room: int | None) -> None:
        """Replace the limits. Where one is another than before, nothing is counted yet."""
        if per_person != self._per_person:
            self._per_person, self._people = per_person, LruDict(_PEOPLE)
        if per_room != self._per_room:
            self._per_room = per_room
            for place in (*self._rooms.values(), *self._private.values()):
                place.bucket = _bucket(per_room)

    def place(self, room: str, link: str, *, private: bool) -> Place:
        """The bot's mind of a private conversation, or of a link, if `room` is in one."""
        places, name = (self._private, _private(room)) if private else (self._rooms, _shared(room, link))
        found = places.get(name)
        if found is None:
            found = places[name] = Place(_bucket(self._per_room), changed=name in self._saved)
        return found

    def known(self, room: str, link: str) -> Place | None:
        """The same of a room, if there is one yet."""
        return self._rooms.peek(_shared(room, link))

    def person_has(self, who: str, now: float) -> bool:
        """Whether a person has an answer left."""
        bucket = self._people.peek(who)
        return bucket.has_token(now) if bucket is not None else self._per_person != 0

    def spend(self, who: str, place: Place, now: float) -> None:
        """Count an answer to a person in a place."""
        if (bucket := self._person(who)) is not None:
            bucket.spend(now)
            self._people_changed = True
        if place.bucket is not None:
            place.bucket.spend(now)
        place.changed = True

    def unsaved(self) -> Mapping[str, JsonValue]:
        """What has changed since this was asked last, by name; None: it is forgotten."""
        changes: dict[str, JsonValue] = {}
        for places in (self._rooms, self._private):
            for name in places:
                place = places.peek(name)
                if place is not None and place.changed:
                    changes[name], place.changed = place.saved(), False
        for name in self._saved:
            if name not in self._rooms and name not in self._private:
                changes[name] = None
        self._saved = {name for name in {*self._saved, *changes} if changes.get(name, True) is not None}
        if self._people_changed:
            changes[_PEOPLE_NAME], self._people_changed = self._people_saved(), False
        return changes

    def restore(self, saved: Mapping[str, JsonValue]) -> None:
        """Keep in mind what `unsaved` gave before. What makes no sense is left out, and forgotten with the next."""
        for places, kind in ((self._rooms, _ROOM_NAME), (self._private, _PRIVATE_NAME)):
            for name in filter(lambda name: name.startswith(kind), saved):
                self._saved.add(name)
                if (place := restored(saved[name], _bucket(self._per_room))) is not None:
                    places[name] = place
        self._restore_people(saved.get(_PEOPLE_NAME))

    def _restore_people(self, value: JsonValue) -> None:
        try:
            people = _LEFT.validate_python(value or {})
        except ValidationError:
            return
        for who, left in people.items():
            if (bucket := self._person(who)) is not None:
                bucket.refill(*left)

    def _people_saved(self) -> JsonValue:
        return {who: left for who in self._people if (left := saved_bucket(self._people.peek(who))) is not None}

    def _person(self, who: str) -> TokenBucket | None:
        found, fresh = self._people.get(who), _bucket(self._per_person)
        if found is None and fresh is not None:
            found = self._people[who] = fresh
        return found


def _private(room: str) -> str:
    return f"{_PRIVATE_NAME}{digest(room)}"


def _shared(room: str, link: str) -> str:
    return f"{_ROOM_NAME}{digest('link', link) if link else digest('room', room)}"


def _bucket(an_hour: int | None) -> TokenBucket | None:
    return None if an_hour is None else TokenBucket(an_hour, an_hour / HOUR_S)
