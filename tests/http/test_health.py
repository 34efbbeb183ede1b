"""What watches the daemon sees over HTTP."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest

from bridge.demo.servers.process import HOST, free_port
from bridge.http import health

pytestmark = pytest.mark.real_time


async def test_the_daemon_lives_before_it_is_ready() -> None:
    ready, port = asyncio.Event(), free_port()
    serving = asyncio.create_task(health.serve(HOST, port, ready.is_set))
    async with aiohttp.ClientSession(f"http://{HOST}:{port}") as http:
        assert await _get(http, "/healthz") == (200, "ok\n")
        assert await _get(http, "/readyz") == (503, "not ready\n")
        ready.set()
        assert await _get(http, "/readyz") == (200, "ok\n")
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def _get(http: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with asyncio.timeout(10):
        while True:
            with suppress(aiohttp.ClientConnectionError):  # it is not listening yet
                async with http.get(path) as answer:
                    return answer.status, await answer.text()
