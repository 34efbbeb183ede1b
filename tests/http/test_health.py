"""The health checks of the daemon, over HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from bridge.demo.servers.process import HOST, free_port
from bridge.http import health, server
from bridge.http.peers import Proxies
from bridge.network import Refused
from tests.http.house import health_of, serving

pytestmark = pytest.mark.real_time


async def test_healthz_tells_of_this_process_and_readyz_of_everything() -> None:
    wedged, networks, port = "", {"libera": "frozen", "home": ""}, free_port()
    routes = health.routes(lambda: wedged, lambda: health_of(networks))
    async with serving(port, routes), aiohttp.ClientSession(f"http://{HOST}:{port}") as http:
        assert await _get(http, "/healthz") == (200, "ok\n")
        status, text = await _get(http, "/readyz")
        found = json.loads(text)
        assert (status, found["status"]) == (503, "degraded")
        of_libera = {"ok": False, "since": "1970-01-01T00:00:00Z", "reason": "frozen", "worker": "here"}
        assert found["checks"]["network:libera"] == of_libera
        networks["home"] = "away"
        assert json.loads((await _get(http, "/readyz"))[1])["status"] == "down"
        networks.update(libera="", home="")
        status, text = await _get(http, "/readyz")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        wedged = "the store could not be written for 6 s"
        assert await _get(http, "/healthz") == (503, f"{wedged}\n")


async def _get(http: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with http.get(path) as answer:
        return answer.status, await answer.text()


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[int, None]:
    """The port of a server with shorter timeouts than usual."""
    monkeypatch.setattr(server, "_REQUEST_S", 1.0)
    monkeypatch.setattr(server, "_ANSWER_S", 60.0)
    port = free_port()
    async with serving(port, health.routes(lambda: "", lambda: health_of({})), Proxies(())):
        yield port


_POST = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"


@pytest.mark.parametrize("begun", [b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\n", _POST])
async def test_unfinished_requests_take_at_most_16_connections_and_not_for_long(port: int, begun: bytes) -> None:
    visitors = [await asyncio.open_connection(HOST, port) for _ in range(100)]
    for _, writer in visitors:
        writer.write(begun)
    ends = [asyncio.create_task(_ended(reader)) for reader, _ in visitors]
    await asyncio.wait(ends, timeout=0.5)
    assert sum(end.done() for end in ends) >= 100 - 16
    async with asyncio.timeout(10):
        await asyncio.gather(*ends)
    async with aiohttp.ClientSession(f"http://{HOST}:{port}") as http:
        assert await _get(http, "/healthz") == (200, "ok\n")
    for _, writer in visitors:
        writer.close()


async def test_a_client_that_sends_a_request_now_and_then_is_answered_each_time(port: int) -> None:
    async with aiohttp.ClientSession(f"http://{HOST}:{port}") as http:
        for _ in range(8):
            assert await _get(http, "/healthz") == (200, "ok\n")
            await asyncio.sleep(0.2)


async def test_a_request_whose_answer_never_comes_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ANSWER_S", 0.5)

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    port = free_port()
    async with (
        asyncio.timeout(10),
        serving(port, [web.get("/hang", hang)]),
        aiohttp.ClientSession(f"http://{HOST}:{port}") as http,
    ):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await http.get("/hang")


async def test_an_address_that_is_in_use_is_named_in_the_error(port: int) -> None:
    with pytest.raises(Refused, match=rf"http\.listen: cannot listen on {HOST}:{port} \(.+\); choose another address"):
        await server.serve(HOST, port, ())


async def _ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(1000):
            pass
