"""A home for bots in tests: a memory in a dict, a clock that is set by hand, and all that was said."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from pydantic import JsonValue

from bots.api import Said
from bridge.model.event import Room


@dataclass(slots=True)
class FakeMemory:
    """As `bots.api.Memory`, with its bounds; values go through JSON, as in the store."""

    kept: dict[str, str] = field(default_factory=dict)
    limit: int = 10_000

    async def get(self, key: str) -> JsonValue:
        found: JsonValue = json.loads(self.kept.get(key, "null"))
        return found

    async def put(self, key: str, value: JsonValue) -> None:
        self._put(key, value)
        await asyncio.sleep(0)  # the store takes a while, and others go on

    def _put(self, key: str, value: JsonValue) -> None:
        if value is None:
            self.kept.pop(key, None)
            return
        text = json.dumps(value)
        if len(key) > 200 or len(text) > 16_384 or (key not in self.kept and len(self.kept) >= self.limit):
            raise ValueError("too much for this memory")
        self.kept[key] = text

    async def items(self, prefix: str = "") -> Mapping[str, JsonValue]:
        return {key: json.loads(value) for key, value in self.kept.items() if key.startswith(prefix)}


@dataclass(slots=True)
class FakeHome:
    """As `bots.api.Home`. `said` holds what was said in rooms, `told` what was told to users; `refuses` is raised
    instead. What was said `once` is not said again."""

    name: str = "Duck"
    memory: FakeMemory = field(default_factory=FakeMemory)
    now: float = 1_000_000.0
    said: list[tuple[Room, Said]] = field(default_factory=list)
    told: list[tuple[str, Said]] = field(default_factory=list)
    refuses: Exception | None = None
    web: Any = None
    onces: set[str] = field(default_factory=set)
    asked: int = 0  # how often it was to say something

    @property
    def clock(self) -> Callable[[], float]:
        return lambda: self.now

    @property
    def http(self) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = self.web
        return session

    async def say(self, room: Room, text: Said, *, once: str = "") -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self._may(once):
            self.said.append((room, text))

    async def tell(self, user: str, text: Said, *, once: str = "") -> None:
        if self._may(once):
            self.told.append((user, text))

    def _may(self, once: str) -> bool:
        if self.refuses is not None:
            raise self.refuses
        is_new = once not in self.onces
        self.onces |= {once} - {""}
        return is_new
