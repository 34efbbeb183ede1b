"""What the people in a room call themselves, and whose name is told apart from another's by their id. No I/O."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from bridge.model.text import lookalike, shown_name

MOST = 50_000
"""Most people of a room whose names are known. In a bigger one everybody is shown with their id."""
_IS_LIKE_AN_ID = re.compile("@[^:]*:.")


class Names:
    """The display names of those who are in a room or invited to it; if not `are_known`, there are too many.

    A name is ambiguous as in Matrix clients (spec, "Calculating the display name for a user"): somebody else there has
    the same one, or one that looks alike; also if it is one of our own names, `ours`, or looks like a Matrix id.
    """

    def __init__(self, us: str, ours: Iterable[str], *, are_known: bool = True) -> None:
        self._us = us
        self._ours = frozenset(lookalike(name) for name in ours if name)
        self._people: dict[str, str] = {}
        self._called = _Index()
        self._servers: Counter[str] = Counter()
        self._overfull = not are_known

    def change(self, user: str, name: str | None) -> None:
        """`user` is called `name` now; None: they have left."""
        self._forget(user)
        if name is not None:
            self._set(user, name)

    def of(self, user: str) -> str | None:
        """The display name of `user`, which may be empty; None if they are not known here."""
        return self._people.get(user)

    def is_ambiguous(self, user: str, name: str) -> bool:
        """Whether `name` has to be told apart from others if `user` bears it."""
        shown, themselves = shown_name(name, fallback=user), shown_name("", fallback=user)
        if user == self._us or shown == themselves:
            return False
        key = lookalike(shown)
        theirs = self._people.get(user)
        others = self._called.number(key) - (theirs is not None and self._key(user, theirs) == key)
        return self._overfull or others > 0 or key in self._ours or _IS_LIKE_AN_ID.search(shown) is not None

    def who(self, called: str) -> str | None:
        """The one person here whom others may call so, by display name, by the local part of their id or by all of it.
        None if that is nobody or several, and for ourselves. Takes time in proportion to the number of servers."""
        if self._overfull:
            return None
        if called in self._people:
            return called if called != self._us else None
        key = lookalike(called)
        local = (f"@{key}:{server}" for server in self._servers)
        found = {*self._called.some(key), *islice(filter(self._people.__contains__, local), 2)}
        return next(iter(found - {self._us}), None) if len(found) == 1 else None

    def _set(self, user: str, name: str) -> None:
        if self._overfull or len(self._people) >= MOST:
            self._overfull = True
            return
        self._people[user] = name
        self._called.add(self._key(user, name), user)
        self._servers[_server(user)] += 1

    def _forget(self, user: str) -> None:
        if (name := self._people.pop(user, None)) is not None:
            self._called.remove(self._key(user, name), user)
            self._servers[_server(user)] -= 1
            if not self._servers[_server(user)]:
                del self._servers[_server(user)]

    def _key(self, user: str, name: str) -> str:
        return lookalike(shown_name(name, fallback=user))


class _Index:
    """Who goes by which key. Nearly all keys have one person, and take no set."""

    def __init__(self) -> None:
        self._one: dict[str, str] = {}
        self._several: dict[str, set[str]] = {}

    def add(self, key: str, user: str) -> None:
        if key in self._several:
            self._several[key].add(user)
        elif self._one.setdefault(key, user) != user:
            self._several[key] = {self._one.pop(key), user}

    def remove(self, key: str, user: str) -> None:
        several = self._several.get(key)
        if several is None:
            if self._one.get(key) == user:
                del self._one[key]
            return
        several.discard(user)
        if len(several) == 1:
            self._one[key] = self._several.pop(key).pop()

    def number(self, key: str) -> int:
        """How many people go by `key`."""
        return len(self._several[key]) if key in self._several else int(key in self._one)

    def some(self, key: str) -> tuple[str, ...]:
        """Those who go by `key`; of several only two."""
        if key in self._several:
            return tuple(islice(self._several[key], 2))
        return (self._one[key],) if key in self._one else ()


def _server(user: str) -> str:
    return user.partition(":")[2]
