"""Whole texts over HTTP: plain text for who has a link, in parts, and never a page."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from bridge.demo.servers.process import HOST, free_port
from bridge.http import links, texts
from bridge.http.answers import Common
from bridge.model.event import FOREVER
from tests.http.house import get, serving

pytestmark = pytest.mark.real_time

KEY, NOW, HANDLE = bytes(32), 1_000.0, "0123456789abcdef" * 2
TEXT = "<script>alert(1)</script>\nzwölf Enten\n" * 1000


@dataclass
class World:
    """A server with one text."""

    text: str | None = TEXT
    port: int = field(default_factory=free_port)
    common: Common = field(default_factory=lambda: Common(KEY, lambda: NOW))

    async def find(self, asked: str) -> str | None:
        return self.text if asked == HANDLE else None

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[aiohttp.ClientSession, None]:
        routes = texts.routes(self.common, self.find, "/pond")
        async with serving(self.port, routes), aiohttp.ClientSession(f"http://{HOST}:{self.port}") as http:
            yield http


def path(until: int = FOREVER, handle: str = HANDLE, place: str = links.TEXT) -> str:
    return links.TEXT + links.token(KEY, handle, until, place)


async def test_a_text_is_plain_text_under_both_paths_and_nothing_in_it_is_run() -> None:
    async with World().client() as http:
        for place in (path(), f"/pond{path()}"):
            status, headers, body = await get(http, place)
            assert (status, body.decode()) == (200, TEXT)
            assert headers["Content-Type"] == "text/plain; charset=utf-8"
            assert headers["Content-Disposition"] == 'inline; filename="message.txt"'
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"].startswith("sandbox allow-same-origin; default-src 'none'")


async def test_head_parts_and_a_text_that_the_client_has_already() -> None:
    world = World()
    async with world.client() as http:
        whole = TEXT.encode()
        status, headers, body = await get(http, path(), "HEAD")
        assert (status, headers["Content-Length"], body) == (200, str(len(whole)), b"")
        etag = headers["ETag"]
        assert (await get(http, path(), If_None_Match=etag))[::2] == (304, b"")
        status, headers, body = await get(http, path(), Range="bytes=10-19", If_Range=etag)
        assert (status, body) == (206, whole[10:20])
        assert headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
        assert (await get(http, path(), Range=f"bytes={len(whole)}-"))[0] == 416
        world.text = TEXT + "edited"
        status, headers, _ = await get(http, path(), If_None_Match=etag)
        assert status == 200, "an edit is another text"
        assert headers["ETag"] != etag
        world.text = ""
        assert (await get(http, path()))[::2] == (200, b"")


async def test_a_text_that_is_not_there_is_told_in_a_sentence() -> None:
    world = World()
    async with world.client() as http:
        for place in (path(handle="0" * 32), path()[:-1], path(place=links.FILE)):
            status, headers, body = await get(http, place)
            assert (status, headers["Cache-Control"]) == (404, "no-store")
            assert body == b"There is no such text. The link may be incomplete, or the message was deleted.\n"
        assert (await get(http, path(until=999)))[::2] == (410, b"This link has expired.\n")
        world.text = None
        assert (await get(http, path()))[0] == 404


async def test_who_asks_for_texts_too_often_waits_as_for_files() -> None:
    async with World().client() as http:
        found = [(await get(http, path(), X_Forwarded_For="192.0.2.1"))[0] for _ in range(70)]
        assert found[:60] == [200] * 60
        assert found[-1] == 429
        assert (await get(http, path(), X_Forwarded_For="192.0.2.2"))[0] == 200
