"""What bots remember: small JSON values in the bridge's store, each bot's under names of its own."""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from bridge.network import Memory as Kept

NAME, VALUE, NAMES, ALL = 200, 16_384, 10_000, 4_000_000
"""Characters of a name, of a value as JSON, names of one bot, and characters of all its values, at most."""


class StoredMemory:
    """The memory of the bot `key` (see `bots.api.Memory`), in `kept`, where its names begin with `bot KEY `. It is read
    once; each change is stored before `put` returns. Of another `kind` than `bot`, it is another memory."""

    def __init__(self, kept: Kept, key: str, kind: str = "bot") -> None:
        self._kept = kept
        self._prefix = f"{kind} {key} "
        self._values: dict[str, str] | None = None
        self._size = 0

    async def get(self, key: str) -> JsonValue:
        """The value; None if there is none."""
        found = (await self._all()).get(key)
        return None if found is None else json.loads(found)

    async def put(self, key: str, value: JsonValue) -> None:
        """Set the value; None forgets it. Raises ValueError if it is too large, or too much is remembered."""
        values = await self._all()
        text = None if value is None else json.dumps(value, ensure_ascii=False)
        before = values.get(key)
        if text == before:
            return
        size = self._size - len(before or "") + len(text or "")
        if text is not None:
            self._check(key, text, size, known=before is not None)
        if text is None:
            values.pop(key, None)
        else:
            values[key] = text
        self._size = size
        await self._kept.remember({self._prefix + key: text})

    async def items(self, prefix: str = "") -> Mapping[str, JsonValue]:
        """All names that begin with `prefix`, and their values."""
        return {key: json.loads(text) for key, text in (await self._all()).items() if key.startswith(prefix)}

    async def _all(self) -> dict[str, str]:
        if self._values is None:
            stored, start = await self._kept.recall(), len(self._prefix)
            if self._values is None:  # another first use may have been quicker, and have changed it
                self._values = {key[start:]: text for key, text in stored.items() if key.startswith(self._prefix)}
                self._size = sum(map(len, self._values.values()))
        return self._values

    def _check(self, key: str, text: str, size: int, *, known: bool) -> None:
        if not 0 < len(key) <= NAME:
            raise ValueError(f"a name has 1 to {NAME} characters")
        if len(text) > VALUE:
            raise ValueError(f"{key!r}: a value has at most {VALUE} characters as JSON")
        if not known and len(self._values or ()) >= NAMES:
            raise ValueError(f"a bot remembers at most {NAMES} values")
        if size > ALL:
            raise ValueError(f"a bot remembers at most {ALL} characters")
