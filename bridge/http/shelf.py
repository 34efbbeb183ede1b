"""Which files a cache holds, within a bound in bytes: the least recently used go first. Pure: only books, no files."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

_BLOCK = 4096
"""Bytes: what a file takes on disk is a multiple of it, so that many small files are counted as what they cost."""
_SHARE = 4
"""A file takes a quarter of the bound at most: so that one does not drive out all others."""
_MOST = 10_000
"""Files at most: each is looked up every hour."""


def cost(size: int) -> int:
    """The bytes that a file of `size` bytes takes on disk."""
    return -(-max(size, 1) // _BLOCK) * _BLOCK


@dataclass(slots=True, eq=False)
class Place:
    """The place of one file. `readers`: how many read it now. `is_gone`: it is removed, but takes space until the last
    of them is done."""

    name: str
    cost: int
    readers: int = 0
    is_gone: bool = False


class Shelf:
    """The files of a cache by their names. `used`: the bytes that they take, with those that are being written."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, Place] = OrderedDict()
        self._read: set[Place] = set()
        self._coming: set[Place] = set()
        self.used = 0

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def names(self) -> Sequence[str]:
        """The least recently used first."""
        return [*self._places]

    def add(self, name: str, size: int) -> None:
        """A file that is there already, used more recently than the others."""
        self._places[name] = Place(name, cost(size))
        self.used += cost(size)

    def reserve(self, name: str, size: int, bound: int) -> tuple[Place, Sequence[str]] | None:
        """Reserve a place for a file of `size` bytes that will be written. With it, the names of files that have to be
        removed first, and are not here any more; None if it gets no place."""
        is_known = name in self._places or any(self.is_expected(each) for each in self._coming if each.name == name)
        fixed = sum(place.cost for place in self._coming | self._read)  # what is being written and read cannot go
        if is_known or cost(size) > bound // _SHARE or fixed + cost(size) > bound:
            return None
        gone = self._shrink(bound - cost(size), _MOST - len(self._coming) - 1)
        place = Place(name, cost(size))
        self._coming.add(place)
        self.used += place.cost
        return place, gone

    def is_expected(self, place: Place) -> bool:
        """Whether what is being written there is still wanted."""
        return place in self._coming and not place.is_gone

    def settle(self, place: Place) -> bool:
        """It is written. False if it is not wanted any more: then it has to be released."""
        if not self.is_expected(place):
            return False
        self._coming.discard(place)
        self._places[place.name] = place
        return True

    def release(self, place: Place) -> None:
        """Nothing is written there any more, and what was is removed: the place is free."""
        if place in self._coming:
            self._coming.discard(place)
            self.used -= place.cost

    def borrow(self, name: str) -> Place | None:
        """Read a file, which stays until it is given back; None if there is none."""
        place = self._places.get(name)
        if place is not None:
            self._places.move_to_end(name)
            place.readers += 1
            self._read.add(place)
        return place

    def give_back(self, place: Place) -> None:
        place.readers -= 1
        if not place.readers:
            self._read.discard(place)
            if place.is_gone:
                self.used -= place.cost

    def remove(self, name: str) -> bool:
        """Forget a file, read or not, and want none that is being written. False if there is none."""
        for each in self._coming:
            each.is_gone |= each.name == name
        place = self._places.pop(name, None)
        if place is None:
            return False
        place.is_gone = True
        if not place.readers:
            self.used -= place.cost
        return True

    def shrink(self, bound: int) -> Sequence[str]:
        """Keep no more than `bound` bytes. Returns the names of the files that are to be removed."""
        return self._shrink(bound, _MOST)

    def _shrink(self, bound: int, most: int) -> Sequence[str]:
        gone = []
        for place in [*self._places.values()]:
            if self.used <= bound and len(self._places) <= most:
                break
            if not place.readers:
                self.remove(place.name)
                gone.append(place.name)
        return gone
