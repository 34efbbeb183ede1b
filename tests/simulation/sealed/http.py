"""Our connection to the simulated homeserver: it is slow, and answers are lost."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from tests.simulation.sealed.server import US, Server, copied

_SLOWEST_S = 0.2


class Connection(Homeserver):
    """The requests of one process."""

    def __init__(self, server: Server) -> None:
        super().__init__("http://localhost", US)
        self._server = server
        self._weather = server.weather

    async def once(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        within: float = 0.0,
        take: Callable[[Any], None] | None = None,
    ) -> Any:
        asked = method, tuple(path), dict(query or {}), json.loads(body or "{}")
        self._check()
        try:
            await self._weather.latency(0.002, _SLOWEST_S)
        except asyncio.CancelledError:
            if self._server.online and self._weather.rng.random() < 0.5 and method != "GET":
                with suppress(ApiError):
                    self._served(*asked)  # it was on its way
            raise
        self._check()
        if path[0] == "sync":
            await self._news(asked[2])
            self._check()
        answer = self._served(*asked)
        await self._weather.latency(0.002, _SLOWEST_S)
        if self._weather.strikes():
            raise Unreachable("the answer was lost")
        return answer

    async def alive(self, within: float) -> None:
        """The homeserver answers this at once, or not at all."""
        self._check()
        self.answered_at = asyncio.get_running_loop().time()

    async def upload(self, data: bytes, mime: str, name: str) -> str:
        """No files here."""
        raise ApiError(403, "M_FORBIDDEN", "")

    async def close(self) -> None:
        """There is nothing to be closed."""

    def _served(self, method: str, path: tuple[str, ...], query: Mapping[str, str], body: Any) -> Any:
        return copied(self._server.answer(method, path, query, body, self.token))

    async def _news(self, query: Mapping[str, str]) -> None:
        """A long poll."""
        device = self._server.device_of(self.token)
        loop = asyncio.get_running_loop()
        until = loop.time() + int(query["timeout"]) / 1000
        while not self._server.has_news(device, query.get("since", "")) and loop.time() < until:
            try:
                async with asyncio.timeout_at(until):
                    await self._server.stir.wait()
            except TimeoutError:
                return
            self._check()

    def _check(self) -> None:
        if not self._server.online:
            raise Unreachable("the homeserver is away")
        if self._weather.strikes():
            raise ApiError(429, "M_LIMIT_EXCEEDED", "", self._weather.rng.uniform(0.1, 3.0))
