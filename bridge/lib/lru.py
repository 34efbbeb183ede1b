"""Bounded memory: a dictionary and a set that forget what was not used for longest."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruDict(Generic[Key, Value]):
    """At most `limit` entries. Setting and getting count as using."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def __setitem__(self, key: Key, value: Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def pop(self, key: Key) -> Value | None:
        return self._entries.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Key]:
        return iter([*self._entries])


class LruSet(Generic[Key]):
    """At most `limit` members. Asking whether a key is in it does not count as using it."""

    def __init__(self, limit: int) -> None:
        self._members: LruDict[Key, None] = LruDict(limit)

    def add(self, key: Key) -> bool:
        """Whether `key` is new. An old member stays as old as it was."""
        if key in self._members:
            return False
        self._members[key] = None
        return True

    def discard(self, key: Key) -> None:
        self._members.pop(key)

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def __len__(self) -> int:
        return len(self._members)
