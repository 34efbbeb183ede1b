"""What a program said that its store had kept, and whether a store that is found later keeps it.

The store is seen as values by name (`cursor of home`, `delivery 1f3a`): None where there is none. Each verb changes
some of them, all or none; and of some it is said that something has left this machine that depends on them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from tests.durability.trace import Said

Values: TypeAlias = Mapping[str, Any]


class Promises:
    """The values that were promised, and those that may be there since their verb is under way."""

    def __init__(self) -> None:
        self.certain: dict[str, Any] = {}
        self.under_way: dict[int, Values] = {}

    def hear(self, said: Said) -> None:
        match said.line:
            case {"verb": number, "changes": changes}:
                self.under_way[number] = changes
            case {"done": number}:
                self.certain |= self.under_way.pop(number)
            case {"left": values}:
                self.certain |= values

    def broken(self, found: Values) -> Iterator[str]:
        """The promises that `found` breaks."""
        for name in sorted(
            self.certain.keys() | found.keys() | {name for each in self.under_way.values() for name in each}
        ):
            allowed = [self.certain.get(name), *(each[name] for each in self.under_way.values() if name in each)]
            if found.get(name) not in allowed:
                yield f"{name} is {found.get(name)!r}, not {' or '.join(map(repr, allowed))}"
        for number, changes in self.under_way.items():
            done = {name: found.get(name) == new for name, new in changes.items() if self._tells(number, name, new)}
            if len(set(done.values())) > 1:
                yield f"verb {number} is half done: {done}"

    def _tells(self, number: int, name: str, new: object) -> bool:
        """Whether the value of `name` tells if the verb was done: it changes it, and no other verb does."""
        others = (changes for other, changes in self.under_way.items() if other != number)
        return self.certain.get(name) != new and not any(name in changes for changes in others)
