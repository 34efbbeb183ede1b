"""Bounded memory: a dict (LRU) and a set that forget the oldest keys. Pure."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruDict(Generic[Key, Value]):
    """A dict of at most `limit` keys: the least recently used one is forgotten. Setting and `get` count as use."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def __setitem__(self, key: Key, value: Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        """The value of `key`; None if there is none."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def peek(self, key: Key) -> Value | None:
        """The value of `key`, which does not count as use; None if there is none."""
        return self._entries.get(key)

    def values(self) -> Iterable[Value]:
        return self._entries.values()

    def pop(self, key: Key) -> Value | None:
        """Remove `key` and return its value; None if there is none."""
        return self._entries.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Key]:
        """The least recently used first."""
        return iter([*self._entries])


class LruSet(Generic[Key]):
    """A set of at most `limit` members: the one added first is forgotten. Looking a member up does not keep it."""

    def __init__(self, limit: int) -> None:
        self._members: LruDict[Key, None] = LruDict(limit)

    def add(self, key: Key) -> bool:
        """Add `key`. True if it is new: never added, or forgotten since. Adding it again does not make it newer."""
        if key in self._members:
            return False
        self._members[key] = None
        return True

    def discard(self, key: Key) -> None:
        """Remove `key`, if it is there."""
        self._members.pop(key)

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def __len__(self) -> int:
        return len(self._members)
