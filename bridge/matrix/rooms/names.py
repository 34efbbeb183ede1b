"""What the people in a room call themselves, and whose name is told apart from another's by their id. No I/O."""

import re
from collections import Counter
from collections.abc import Iterable

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
        self._number: Counter[str] = Counter()
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
        others = self._number[key] - (theirs is not None and self._key(user, theirs) == key)
        return self._overfull or others > 0 or key in self._ours or _IS_LIKE_AN_ID.search(shown) is not None

    def _set(self, user: str, name: str) -> None:
        if self._overfull or len(self._people) >= MOST:
            self._overfull = True
            return
        self._people[user] = name
        self._number[self._key(user, name)] += 1

    def _forget(self, user: str) -> None:
        if (name := self._people.pop(user, None)) is not None:
            key = self._key(user, name)
            self._number[key] -= 1
            if not self._number[key]:
                del self._number[key]

    def _key(self, user: str, name: str) -> str:
        return lookalike(shown_name(name, fallback=user))
