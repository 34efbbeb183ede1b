"""A home for bots that are only looked at: by `check-config`, and before there is a store."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from bots.api import Said
from bridge.model.event import Room

if TYPE_CHECKING:
    import aiohttp


class Forgetful:
    """A memory for one run."""

    def __init__(self) -> None:
        self._values: dict[str, JsonValue] = {}

    async def get(self, key: str) -> JsonValue:
        return self._values.get(key)

    async def put(self, key: str, value: JsonValue) -> None:
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    async def items(self, prefix: str = "") -> Mapping[str, JsonValue]:
        return {key: value for key, value in self._values.items() if key.startswith(prefix)}


class Unseen:
    """A home where nobody hears the bot, and nothing is kept."""

    def __init__(self, name: str = "duck", clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.memory = Forgetful()
        self.clock = clock

    @property
    def http(self) -> "aiohttp.ClientSession":
        raise PermissionError("there is no network here")

    async def say(self, room: Room, text: Said, *, once: str = "") -> None:
        """Says nothing."""

    async def tell(self, user: str, text: Said, *, once: str = "") -> None:
        """Says nothing."""


UNSEEN = Unseen()
