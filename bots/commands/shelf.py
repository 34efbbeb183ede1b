"""A part of a bot's memory: values under one prefix, read once, kept in sight, and bounded in number."""

from collections.abc import Iterator

from pydantic import JsonValue

from bots.api import Memory


class Full(Exception):
    """There is no place for another value."""


class Shelf:
    """At most `limit` values in `memory`, under names that begin with `prefix`. `open` it before use."""

    def __init__(self, memory: Memory, prefix: str, limit: int) -> None:
        self._memory = memory
        self._prefix = prefix
        self._limit = limit
        self._values: dict[str, JsonValue] = {}
        self._is_open = False

    async def open(self) -> "Shelf":
        """Read what is kept, the first time."""
        if not self._is_open:
            found = await self._memory.items(self._prefix)
            self._values = {key.removeprefix(self._prefix): value for key, value in found.items()} | self._values
            self._is_open = True
        return self

    def get(self, key: str) -> JsonValue:
        """The value of `key`; None if there is none."""
        return self._values.get(key)

    def items(self) -> Iterator[tuple[str, JsonValue]]:
        """The keys and values, the oldest first."""
        return iter([*self._values.items()])

    def __len__(self) -> int:
        return len(self._values)

    async def put(self, key: str, value: JsonValue) -> None:
        """Keep `value`, which others see from now on: questions that are asked together must not undo each other.
        Raises Full."""
        if key not in self._values and len(self._values) >= self._limit:
            raise Full
        before, self._values[key] = self._values.get(key), value
        try:
            await self._memory.put(self._prefix + key, value)
        except ValueError as error:
            if before is None:
                self._values.pop(key, None)
            else:
                self._values[key] = before
            raise Full from error

    async def drop(self, key: str) -> None:
        """Forget `key`, if it is there."""
        if key in self._values:
            self._values.pop(key)
            await self._memory.put(self._prefix + key, None)

    async def replace_oldest(self, key: str, value: JsonValue) -> None:
        """Keep `value`, in the place of the oldest one if there is no other."""
        while key not in self._values and len(self._values) >= self._limit:
            await self.drop(next(iter(self._values)))
        await self.put(key, value)
