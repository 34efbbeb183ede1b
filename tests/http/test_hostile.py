"""Hostile clients of links: each gets an answer or is disconnected, and nobody else waits for that."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bridge.demo.servers.process import HOST, free_port
from bridge.http import health, links, media, server
from bridge.http.peers import Proxies
from tests.http.house import get, health_of, serving
from tests.http.test_media import CAT, DATA, KEY, World, path

pytestmark = pytest.mark.real_time

TOKEN = path().removeprefix("/m/")
TEXT = links.token(KEY, "0123456789abcdef" * 2, 2**32 - 1, links.TEXT)


async def raw(port: int, request: bytes, source: str = HOST) -> bytes:
    """All that is answered to the bytes of a request."""
    async with asyncio.timeout(15):
        reader, writer = await asyncio.open_connection(HOST, port, local_addr=(source, 0))
        with suppress(ConnectionError):
            writer.write(request)
            await writer.drain()
        found = b""
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                found += piece
        writer.close()
        return found


def request(target: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    "target",
    ["/m/../../etc/passwd", "/m/..%2f..%2fetc%2fpasswd", "/m/%2e%2e/%2e%2e/etc/passwd", "/m/....//....//etc/passwd",
     "/m//etc/passwd", "/m/C:%5Cwindows", f"/m/{TOKEN}/", f"/m/{TOKEN}/..", f"/m/{TOKEN}%00", f"/m/{TOKEN}%0d%0aX:%20y",
     f"/m/{TOKEN}.png", f"/m/%{TOKEN}", f"//m/{TOKEN}", f"/M/{TOKEN}", f"/t/{TOKEN}", f"/m/{TEXT}", "/m/é", "/m/%C3%A9",
     "/m/%ff%fe", "/m/" + "A" * 7000, "/m/" + "%41" * 2000, f"/pond/pond/m/{TOKEN}", "*", "/media-cache/"],
)  # fmt: skip
async def test_no_path_but_a_link_leads_anywhere(target: str) -> None:
    world = World()
    async with world.client():
        for method in ("GET", "HEAD"):
            found = await raw(world.port, request(target, method=method))
            assert found.split(b" ", 2)[1] in (b"404", b"400"), found[:100]
            assert b"passwd" not in found
            assert b"X: y" not in found
        assert world.fetched == []


async def test_tokens_of_every_length_are_refused_in_the_same_sentence() -> None:
    world = World()
    async with world.client() as http:
        bodies = {(await get(http, f"/m/{(TOKEN * 3)[:length]}"))[::2] for length in range(1, 140) if length != 48}
        assert bodies <= {
            (404, b"There is no such file. The link may be incomplete, or the message was deleted.\n"),
            (429, b"Too many requests; try again in a moment.\n"),
        }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW"])
async def test_links_are_only_read(method: str) -> None:
    world = World()
    async with world.client():
        for target in (path(), "/m/x", "/"):
            found = await raw(world.port, request(target, method=method))
            assert found.split(b" ", 2)[1] in (b"405", b"404", b"400"), found[:100]
        assert world.fetched == []


_NUMBER = st.one_of(st.just(""), st.integers(0, len(DATA) + 10).map(str), st.sampled_from(["9" * 15, "9" * 40, "-1"]))
_SPEC = st.tuples(_NUMBER, st.sampled_from(["-", "--", "", " - "]), _NUMBER).map("".join)
_RANGE = st.tuples(st.sampled_from(["bytes=", "bytes =", "Bytes=", "items=", ""]), st.lists(_SPEC, max_size=4)).map(
    lambda found: found[0] + ",".join(found[1])
)


async def test_ranges_of_every_shape_give_the_file_a_part_of_it_or_a_416() -> None:
    shapes = [
        "bytes=0-0,0-0",
        "bytes=0-5,3-9",
        "bytes=-0",
        f"bytes={'0-,' * 1300}",
        "bytes=5-2",
        "bytes=0-" + "9" * 300,
    ]
    world = World(data=DATA[:300], size=300, file=replace(CAT, size=300))

    async with world.client() as http:

        async def answered(shape: str, number: int) -> None:
            asker = f"10.{number // 250}.{number % 250}.1"
            status, headers, body = await get(http, path(), Range=shape, X_Forwarded_For=asker)
            if status == 206:
                span, _, size = headers["Content-Range"].removeprefix("bytes ").partition("/")
                start, end = map(int, span.split("-"))
                assert (body, size) == (DATA[:300][start : end + 1], "300")
            elif status == 416:
                assert headers["Content-Range"] == "bytes */300"
            else:
                assert (status, body) == (200, DATA[:300])

        for number, shape in enumerate([*shapes, *_examples(150)]):
            await answered(shape, number)


def _examples(number: int) -> list[str]:
    """Shapes as hypothesis makes them up."""
    found: list[str] = []

    @given(_RANGE)
    def gather(shape: str) -> None:
        found.append(shape)

    gather()
    return found[:number]


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ('a"; filename="b.html', "image/png"),
        ("a\r\nSet-Cookie: x=y\r\n\r\n<script>", "image/png"),
        ("\u202egnp.exe", "image/png"),
        ("../../../etc/cron.d/x", "text/plain"),
        ("x.svg", "image/svg+xml"),
        ("x.html", "TEXT/HTML; charset=utf-8"),
        ("x.xhtml", "application/xhtml+xml"),
        ("x", "image/png\r\nX-Evil: 1"),
        ("x", 'image/png; x="</script>"'),
        ("\ud800", "IMAGE/PNG"),
        ("", "image"),
    ],
)
async def test_names_and_types_break_no_header_and_make_no_page(name: str, mime: str) -> None:
    world = World(file=replace(CAT, name=name, mime=mime))
    async with world.client():
        head, _, body = (await raw(world.port, request(path()))).partition(b"\r\n\r\n")
        assert body == DATA
        lines = head.decode("ascii").split("\r\n")
        assert not [line for line in lines if line.startswith(("Set-Cookie", "X-Evil"))]
        (shown,) = [line for line in lines if line.startswith("Content-Type")]
        assert shown.partition(": ")[2] in ("image/png", "text/plain; charset=utf-8", "application/octet-stream")
        (where,) = [line for line in lines if line.startswith("Content-Disposition")]
        assert where.count('"') == 2
        assert "/" not in where.partition("filename*")[0]
        assert "%E2%80%AE" not in where


async def test_every_answer_also_to_what_is_no_request_has_the_headers_that_keep_browsers_safe() -> None:
    world = World()
    async with world.client():
        for sent in (
            request("/"),
            request("/m/x"),
            request(path()),
            request(path(), method="POST"),
            b"GET / HTTP/9.9\r\n\r\n",
        ):
            head = (await raw(world.port, sent)).partition(b"\r\n\r\n")[0]
            assert b"X-Content-Type-Options: nosniff" in head
            assert b"Content-Security-Policy: sandbox" in head
            assert b"aiohttp" not in head


async def test_a_link_in_what_is_no_request_is_neither_repeated_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    async with world.client():
        for sent in (f"GET {path()} HTTP/9.9\r\n\r\n", f"GET /x HTTP/1.1\r\nReferer {path()}\r\n\r\n"):
            found = await raw(world.port, sent.encode())
            assert found.endswith(b"\r\n\r\nThis is not a valid HTTP request.\n")
    assert caplog.records == []


async def test_a_mistake_of_ours_is_logged_and_answered_without_details(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("a secret detail")

    async with open_house(web.get("/broken", broken)) as port:
        found = await raw(port, request("/broken", "Accept: text/html"))
        assert found.split(b" ", 2)[1] == b"500"
        assert b"Content-Security-Policy: sandbox" in found
        assert b"secret" not in found
    assert "a secret detail" in caplog.text


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"GET /\r\n\r\n",
        b"\r\n" * 5000,
        bytes(range(256)) * 100,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + bytes(1000),
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n" + bytes(100_000),
    ],
)
async def test_what_is_no_request_is_answered_with_an_error_or_disconnected(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_REQUEST_S", 1.0)
    world = World()
    async with world.client() as http:
        found = await raw(world.port, sent)
        assert not found or found.split(b" ", 2)[1] in (b"400", b"404", b"405"), found[:100]
        assert (await get(http, path()))[0] == 200


async def test_requests_behind_a_slow_download_are_not_gathered_in_memory() -> None:
    world = World(hangs=asyncio.Event())
    async with world.client():
        reader, writer = await asyncio.open_connection(HOST, world.port)
        writer.write(f"GET {path()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readexactly(1000)
        tracemalloc.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                for _ in range(2000):
                    writer.write(b"GET /m/x HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 7000 + b"\r\n\r\n")
                    await writer.drain()
        took = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert took < 3_000_000
        writer.transport.abort()


@asynccontextmanager
async def open_house(*more: web.AbstractRouteDef) -> AsyncGenerator[int, None]:
    """The port of a server that trusts no proxy: each address of this machine is a client of its own."""
    port = free_port()
    async with serving(port, [*health.routes(lambda: "", lambda: health_of({})), *more], Proxies(())):
        yield port


async def _is_well(port: int, source: str = HOST) -> bool:
    with suppress(OSError):
        return (await raw(port, request("/healthz"), source)).endswith(b"ok\n")
    return False


@pytest.mark.parametrize("many", [False, True], ids=["of one address", "of many addresses"])
async def test_a_thousand_connections_are_closed_and_another_address_is_answered_meanwhile(many: bool) -> None:
    async with open_house() as port:
        sources = [f"127.0.{number // 250}.{number % 250 + 2}" if many else "127.0.0.2" for number in range(1000)]
        visitors = await asyncio.gather(*(_visit(port, source) for source in sources), return_exceptions=True)
        since = time.monotonic()
        for _ in range(3):
            while not await _is_well(port, "127.0.0.1"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert time.monotonic() - since < 8, "while the others hold what they have"
        ends = [asyncio.create_task(_end(reader)) for reader, _ in (v for v in visitors if isinstance(v, tuple))]
        async with asyncio.timeout(60):  # the kernel may bring us one late, whose queue was full when it came
            await asyncio.gather(*ends)
        assert await _is_well(port)


async def _visit(port: int, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HOST, port, local_addr=(source, 0))
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    return reader, writer


async def _end(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(1000):
            pass


async def test_who_sends_headers_one_by_one_gives_its_place_to_who_comes() -> None:
    async with open_house() as port:
        visitors = [await _visit(port, f"127.0.0.{number // 16 + 2}") for number in range(64)]
        await asyncio.sleep(0.4)
        for _ in range(20):
            assert await _is_well(port)
        for _, writer in visitors:
            writer.close()


async def test_who_does_not_take_the_answer_gives_its_place_to_who_comes() -> None:
    async def large(_request: web.Request) -> web.Response:
        return web.Response(body=bytes(20_000_000))

    async with open_house(web.get("/large", large)) as port:
        writers = []
        for number in range(64):
            _, writer = await asyncio.open_connection(HOST, port, local_addr=(f"127.0.0.{number // 16 + 2}", 0))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(request("/large"))
            writers.append(writer)
        await asyncio.sleep(1)
        for _ in range(5):
            assert await _is_well(port)
        for writer in writers:
            writer.transport.abort()


async def test_an_address_that_asks_without_end_is_refused_whatever_it_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.http.server._PER_S", 0.01)  # no machine is so slow that more are allowed meanwhile
    async with open_house() as port:
        pipeline = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
        found = await raw(port, pipeline, "127.0.0.2")
        assert 195 <= found.count(b" 200 OK") <= 205
        assert found.count(b" 429 ") == 1
        assert await raw(port, request("/healthz"), "127.0.0.2") == b"", "it is not even let in"
        assert await _is_well(port)


async def test_slow_readers_of_files_give_way_to_who_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.http.limits._SLOW_AFTER_S", 5.0)
    monkeypatch.setattr("bridge.http.limits._SLOW_PER_S", 10**9)
    world = World(data=DATA * 200, size=len(DATA) * 200, largest=10**9, file=replace(CAT, size=None))
    async with world.client() as http:
        writers = []
        for number in range(10):
            _, writer = await asyncio.open_connection(HOST, world.port, limit=1000)
            writer.write(request(path(), f"X-Forwarded-For: 10.0.0.{number // 3}"))
            writers.append(writer)
        while len(world.fetched) < 10:  # noqa: ASYNC110  (a request rings no bell)
            await asyncio.sleep(0.01)
        assert (await get(http, path(), Range="bytes=0-0", X_Forwarded_For="10.9.9.9"))[0] == 429
        async with asyncio.timeout(60):
            while (await get(http, path(), Range="bytes=0-0", X_Forwarded_For="10.9.9.9"))[0] == 429:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert (await get(http, path(), Range="bytes=0-0", X_Forwarded_For="10.9.9.9"))[0] == 206
        for writer in writers:
            writer.close()


async def test_who_asks_for_the_end_of_a_large_file_pays_for_what_is_fetched_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridge.http.limits._SKIPPED", 10_000)
    world = World()
    async with world.client() as http:
        found = [(await get(http, path(), Range="bytes=-1", X_Forwarded_For="10.0.0.1"))[0] for _ in range(6)]
        assert found == [206, 206, 206, 429, 429, 429]
        assert len(world.fetched) == 3


async def test_an_endless_file_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(data=DATA * 10, size=None, largest=len(DATA), file=replace(CAT, size=None))
    async with world.client() as http:
        with pytest.raises(aiohttp.ClientError):
            await get(http, path())
    monkeypatch.setattr(media, "_STEP_S", 0.2)
    monkeypatch.setattr(media, "_LONGEST_S", 0.5)
    world = World(pause_s=0.05)
    async with world.client() as http:
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(5):
                await get(http, path())
