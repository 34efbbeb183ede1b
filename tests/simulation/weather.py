"""Shared by the whole simulation: delays, pauses, randomness, and the record of all that happened."""

import asyncio
import hashlib
import random

EPOCH = 1_700_000_000.0  # seconds: where the made-up clock on the wall begins


class Weather:
    """Everything random of one simulation is drawn here, and everything that happens is noted here."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.paused_until = 0.0
        self.rough = 0.0
        """How likely a request to a server is refused for now, and, apart from that, its answer lost."""
        self.trace: list[str] = []

    def clock(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    async def latency(self, low: float, high: float) -> None:
        """Wait for something on its way; nothing reaches a process that is paused."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.rng.uniform(low, high)
        while (left := max(until, self.paused_until) - loop.time()) > 0:  # noqa: ASYNC110 - it is time that is waited for
            await asyncio.sleep(left)

    async def awake(self) -> None:
        """Wait while this process is stopped, if it can be stopped alone."""

    def strikes(self) -> bool:
        return self.rng.random() < self.rough

    def note(self, what: str) -> None:
        self.trace.append(f"{asyncio.get_running_loop().time():.6f} {what}")

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class Stir:
    """Wakes whoever waits for something to have changed."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future
