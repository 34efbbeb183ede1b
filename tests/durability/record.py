"""What a workload says of what its store has to keep: the record that the disks of a power cut are held against."""

import asyncio
import itertools
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from bridge.store import Full

Result = TypeVar("Result")

_PAUSE = 0.01  # seconds before what found no room is tried again


class Record:
    """What is said of the verbs, and the made-up time, which each of them takes a second of."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._numbers = itertools.count()
        self._under_way: dict[int, float] = {}
        self._spans: list[tuple[float, float]] = []

    def clock(self) -> float:
        return self.now

    @property
    def settled(self) -> float:
        """All calls that began before this time have ended."""
        return min(self._under_way.values(), default=self.now)

    async def making(
        self, changes: Mapping[str, object], verb: Callable[[], Awaitable[Result]]
    ) -> tuple[Result, float]:
        """What `verb` answers, and its time, saying what it changes; it is repeated while the disk is full."""
        number = next(self._numbers)
        self._under_way[number] = self.now
        say({"verb": number, "changes": changes})
        while True:
            self.now += 1
            at = self.now
            try:
                answer = await verb()
                break
            except Full:
                say({"full": number})
                await asyncio.sleep(_PAUSE)
        say({"done": number})
        del self._under_way[number]
        self._spans.append((at, self.now))
        return answer, at

    def between_verbs(self, time: float) -> float:
        """`time`, or the last one before it that is within no verb: the store reads the clock somewhere in each."""
        for begun, ended in sorted(self._spans, reverse=True):
            if begun < time <= ended or begun // 60 < time // 60 <= ended // 60:
                time = begun
        return time


def say(line: Mapping[str, object]) -> None:
    """Say a line; see promises.py."""
    os.write(1, json.dumps(line).encode() + b"\n")
