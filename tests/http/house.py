"""Serves routes on loopback, and asks them."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web
from yarl import URL

from bridge.demo.servers.process import HOST
from bridge.http import server
from bridge.http.peers import Proxies
from bridge.model.health import Check, Health, NetworkHealth


def health_of(networks: Mapping[str, str]) -> Health:
    """The health of a bridge with these IRC networks, each with the reason why it is not well, or ''."""
    fine = Check(ok=True, since=0.0)
    found = {name: NetworkHealth(Check(not why, 0.0, why), "irc", "here") for name, why in networks.items()}
    return Health(0.0, "1.0", "here", 0.0, found, (), {}, fine, fine, fine, fine)


@asynccontextmanager
async def serving(
    port: int, routes: Iterable[web.AbstractRouteDef], proxies: Proxies | None = None
) -> AsyncGenerator[None, None]:
    """Serve `routes` on `port`: connections are taken from the beginning of the context until its end."""
    task = asyncio.create_task(server.serve(HOST, port, routes, proxies or Proxies()))
    try:
        async with asyncio.timeout(10):
            while not await _is_up(port):  # noqa: ASYNC110  (a port rings no bell)
                await asyncio.sleep(0.01)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _is_up(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


async def get(
    http: aiohttp.ClientSession, where: str, method: str = "GET", **headers: str
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body of the answer. In the names of `headers`, `_` stands for `-`."""
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    async with http.request(method, URL(where, encoded=True), headers=sent) as answer:
        return answer.status, answer.headers, await answer.read()
