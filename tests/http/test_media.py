"""Files over HTTP: streamed, in parts, to who has a link, and to nobody else."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from bridge.demo.servers.process import HOST, free_port
from bridge.http import headers, links, media, server
from bridge.http.answers import Common
from bridge.http.cache import Cache
from bridge.model.event import FOREVER, Media
from bridge.model.outbox import Hosted, handle
from bridge.network import Download, MediaSource, NoSuchFile, NotFetched
from tests.events import HOME, matrix, said
from tests.http.house import get, serving

pytestmark = pytest.mark.real_time

KEY = bytes(32)
NOW = 1_000.0
DATA = bytes(range(256)) * 1000
CAT = Media("image", "cät\r\nX: y.png", len(DATA), "image/png", "mxc://hs/cat")
EVENT = said(HOME, matrix("alice"), "look")
HANDLE = handle(EVENT, CAT)


@dataclass
class World:
    """A server with one file, and what its network does."""

    port: int = field(default_factory=free_port)
    file: Media | None = CAT
    data: bytes = DATA
    size: int | None = len(DATA)
    mime: str = "image/gif"
    trouble: Exception | None = None
    largest: int = 10**6
    away: bool = False
    hangs: asyncio.Event | None = None
    pause_s: float = 0
    cacheable: bool = True
    proved_last: bool = False
    is_changed: bool = False
    folder: Path = Path("/nowhere")
    bound: int = 0
    common: Common = field(default_factory=lambda: Common(KEY, lambda: NOW))
    asked: int = 0
    blind: bool = False
    fetched: list[str] = field(default_factory=list)

    async def find(self, asked: str) -> Hosted | None:
        self.asked += 1
        if self.blind:
            raise NotFetched("the store is away")
        return Hosted(EVENT.key, self.file) if self.file is not None and asked == HANDLE else None

    def source(self, network: str) -> MediaSource | None:
        assert network == "home"
        return None if self.away else self

    @asynccontextmanager
    async def download(self, source: str) -> AsyncGenerator[Download, None]:
        self.fetched.append(source)
        if self.trouble is not None:
            raise self.trouble
        yield Download(self.size, self.mime, self._pieces(), self.cacheable, self.proved_last)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        for at in range(0, len(self.data), 1000):
            yield self.data[at : at + 1000]
            await asyncio.sleep(self.pause_s)
            if self.hangs is not None:
                await self.hangs.wait()
        if self.is_changed:
            raise NotFetched("changed")

    @asynccontextmanager
    async def client(self, more: Sequence[web.AbstractRouteDef] = ()) -> AsyncGenerator[aiohttp.ClientSession, None]:
        files = media.FileAccess(self.find, self.source, lambda: self.largest, Cache(self.folder, lambda: self.bound))
        routes = [*media.routes(self.common, files, "/pond"), *more]
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with (
            serving(self.port, routes),
            aiohttp.ClientSession(f"http://{HOST}:{self.port}", connector=connector) as http,
        ):
            yield http


def path(until: int = FOREVER, handle: str = HANDLE, key: bytes = KEY) -> str:
    return f"/m/{links.token(key, handle, until)}"


async def test_a_link_gives_the_bytes_of_the_file_its_type_and_its_name() -> None:
    world = World()
    async with world.client() as http:
        for place in (path(), f"/pond{path()}"):
            status, headers, body = await get(http, place)
            assert (status, body) == (200, DATA)
        assert headers["Content-Length"] == str(len(DATA))
        assert headers["Content-Type"] == "image/png"
        assert headers["Content-Disposition"].startswith("inline; filename=")
        assert "X" not in headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("sandbox allow-same-origin; default-src 'none'")
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers


async def test_head_parts_and_what_the_client_has_already() -> None:
    world = World()
    async with world.client() as http:
        status, headers, body = await get(http, path(), "HEAD")
        assert (status, headers["Content-Length"], body) == (200, str(len(DATA)), b"")
        etag = headers["ETag"]
        status, headers, body = await get(http, path(), Range="bytes=1999-3000")
        assert (status, body) == (206, DATA[1999:3001])
        assert headers["Content-Range"] == f"bytes 1999-3000/{len(DATA)}"
        status, headers, body = await get(http, path(), Range="bytes=-5", If_Range=etag)
        assert (status, body) == (206, DATA[-5:])
        assert (await get(http, path(), Range="bytes=-5", If_Range='"old"'))[0] == 200
        status, headers, _ = await get(http, path(), Range=f"bytes={len(DATA)}-")
        assert (status, headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")
        before = len(world.fetched)
        assert (await get(http, path(), If_None_Match=etag))[0] == 304
        assert len(world.fetched) == before
        world.file = None
        assert (await get(http, path(), If_None_Match=etag))[0] == 404, "also what a client has is checked first"


async def test_forged_revoked_and_expired_links_are_told_apart_in_a_sentence() -> None:
    world = World()
    async with world.client() as http:
        for place in (
            path(key=bytes([1]) * 32),
            path()[:-1],
            path(handle="0" * 32),
            "/m/",
            "/m/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "/m/..%2f" + path()[3:],
            path() + "%00",
        ):
            assert (await get(http, place))[0] == 404, place
        status, headers, body = await get(http, path(until=999))
        assert (status, body) == (410, b"This link has expired.\n")
        assert headers["Content-Type"].startswith("text/plain")
        assert headers["Cache-Control"] == "no-store"
        world.file = None
        assert (await get(http, path()))[0] == 404
    assert world.fetched == []


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(NoSuchFile("gone"), 404), (NotFetched("away"), 502), (TimeoutError(), 504)],
)
async def test_what_the_network_does_not_give_is_told(trouble: Exception, status: int) -> None:
    world = World(trouble=trouble)
    async with world.client() as http:
        assert (await get(http, path()))[0] == status
        world.away = True
        found, headers, _ = await get(http, path())
        assert (found, headers["Retry-After"]) == (503, "60")


async def test_a_file_that_is_too_large_is_not_served_whatever_was_said_of_it() -> None:
    world = World(largest=len(DATA) - 1)
    async with world.client() as http:
        status, _, body = await get(http, path())
        assert (status, world.fetched) == (403, [])
        assert b"256 KB" in body
        world.file = Media("image", "x", 5, "image/png", "mxc://hs/cat")
        assert (await get(http, path()))[0] == 403
        world.size = None
        with pytest.raises(aiohttp.ClientError):
            await get(http, path())


async def test_a_file_that_ends_too_early_is_cut_off_and_one_of_unknown_size_is_served() -> None:
    world = World(data=DATA[:-1])
    async with world.client() as http:
        async with aiohttp.ClientSession(f"http://{HOST}:{world.port}") as stays:
            with pytest.raises(aiohttp.ClientPayloadError):
                async with asyncio.timeout(5):
                    await get(stays, path())
        world.size = None
        status, headers, body = await get(http, path(), Range="bytes=5-")
        assert (status, body) == (200, DATA[:-1])
        assert "Content-Length" not in headers


async def test_one_address_has_few_downloads_at_a_time_and_all_together_not_many() -> None:
    world = World(hangs=asyncio.Event())
    assert world.hangs is not None
    async with world.client() as http:
        each = [asyncio.create_task(get(http, path(), X_Forwarded_For=f"10.0.0.{number // 4}")) for number in range(13)]
        done, waiting = await asyncio.wait(each, timeout=1)
        assert [task.result()[0] for task in done] == [429] * 3
        assert all(task.result()[1]["Retry-After"] == "10" for task in done)
        world.hangs.set()
        assert [(await task)[2] for task in waiting] == [DATA] * 10
        assert (await get(http, path()))[0] == 200


async def test_who_asks_too_often_is_told_when_to_come_back_and_others_are_answered() -> None:
    world = World()
    async with world.client() as http:
        found = [(await get(http, path(until=1), X_Forwarded_For="10.0.0.1"))[:2] for _ in range(75)]
        assert [status for status, _ in found][:60] == [410] * 60
        status, headers = found[-1]
        assert (status, headers["Retry-After"]) == (429, "1")
        assert (await get(http, path(), X_Forwarded_For="10.0.0.2"))[0] == 200


async def test_a_download_may_take_longer_than_other_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ANSWER_S", 0.5)
    monkeypatch.setattr(server, "_REQUEST_S", 0.3)
    world = World(hangs=asyncio.Event(), data=DATA[:3000], size=3000)
    assert world.hangs is not None
    async with world.client() as http:
        asking = asyncio.create_task(get(http, path()))
        await asyncio.sleep(1.0)
        world.hangs.set()
        assert (await asking)[2] == DATA[:3000]


async def test_a_network_that_sends_nothing_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_STEP_S", 0.3)
    world = World(hangs=asyncio.Event())
    async with world.client() as http:
        with pytest.raises(aiohttp.ClientError):
            await get(http, path())


async def test_a_client_that_reads_nothing_is_disconnected_and_its_place_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "_STEP_S", 2.0)
    world = World(data=DATA * 100, size=len(DATA) * 100, largest=10**9, file=replace(CAT, size=None))
    async with world.client() as http:
        lazy = [await asyncio.open_connection(HOST, world.port) for _ in range(4)]
        for _, writer in lazy:
            writer.write(f"GET {path()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while len(world.fetched) < 4:  # noqa: ASYNC110  (a request rings no bell)
            await asyncio.sleep(0.01)
        assert (await get(http, path(), Range="bytes=0-0"))[0] == 429
        await freed(http)
        for _, writer in lazy:
            writer.close()


async def test_a_download_is_cut_soon_after_its_message_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_RECHECK_S", 0.2)
    world = World(pause_s=0.1)
    async with world.client() as http, http.get(URL(path(), encoded=True)) as answer:
        assert (await answer.content.readexactly(3000)) == DATA[:3000]
        world.asked = 0
        await answer.content.readexactly(5000)
        assert 1 <= world.asked <= 4, "not for each piece"
        world.file = None
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(2):
                await answer.read()


async def test_while_the_store_cannot_be_asked_nothing_new_is_served_and_downloads_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "_RECHECK_S", 0.05)
    world = World(pause_s=0.03, data=DATA[:20_000], size=20_000)
    async with world.client() as http, http.get(URL(path(), encoded=True)) as answer:
        await answer.content.readexactly(1000)
        world.blind, world.asked = True, 0
        assert len(await answer.read()) == 19_000
        assert world.asked > 1
        status, headers, body = await get(http, path())
        assert (status, headers["Retry-After"], body) == (503, "60", b"the store is away\n")


async def test_a_file_that_was_fetched_whole_is_served_from_disk_until_its_message_is_removed(tmp_path: Path) -> None:
    world = World(folder=tmp_path / "media-cache", bound=10**7)
    async with world.client() as http:
        first = await get(http, path())
        assert first[2] == DATA
        await kept(world)
        world.away = True
        again = await get(http, path())
        assert (again[0], again[2]) == (200, DATA)
        assert again[1]["Content-Type"] == first[1]["Content-Type"]
        assert (await get(http, path(), Range="bytes=200000-200009"))[2] == DATA[200_000:200_010]
        assert (await get(http, path(), "HEAD"))[1]["Content-Length"] == str(len(DATA))
        assert len(world.fetched) == 1
        world.file = None
        assert (await get(http, path()))[0] == 404
        assert [*world.folder.iterdir()] == []


async def test_a_part_up_to_the_end_keeps_the_whole_and_a_shorter_one_or_a_private_file_nothing(
    tmp_path: Path,
) -> None:
    world = World(folder=tmp_path / "media-cache", bound=10**7)
    async with world.client() as http:
        await get(http, path(), Range="bytes=0-99")
        assert (await get(http, path(), "HEAD"))[1]["Content-Length"] == str(len(DATA))
        assert len(world.fetched) == 1, "its size is known by now"
        assert (await get(http, path(), Range="bytes=100-"))[2] == DATA[100:]
        await kept(world)
        assert (await get(http, path(), Range="bytes=0-99"))[2] == DATA[:100]
        assert len(world.fetched) == 2
    world = World(folder=tmp_path / "other", bound=10**7, cacheable=False)
    async with world.client() as http:
        for _ in range(2):
            assert (await get(http, path()))[2] == DATA
        assert len(world.fetched) == 2
        assert not world.folder.exists()


async def test_a_client_that_leaves_frees_its_place() -> None:
    world = World(hangs=asyncio.Event())
    assert world.hangs is not None
    async with world.client() as http:
        for _ in range(4):
            asking = asyncio.create_task(get(http, path()))
            await asyncio.sleep(0.1)
            asking.cancel()
        world.hangs.set()
        await freed(http)


async def kept(world: World) -> None:
    """Return when the file is on disk: its client need not wait for that."""
    async with asyncio.timeout(10):
        while HANDLE not in (each.name for each in world.folder.iterdir()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)


async def freed(http: aiohttp.ClientSession) -> None:
    """Return when there is a place for one more download."""
    async with asyncio.timeout(10):
        while (await get(http, path(), Range="bytes=0-0"))[0] == 429:  # noqa: ASYNC110  (a place that is free rings no bell)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-99", "bytes=1500-2999", "bytes=2500-", "bytes=-5"])
async def test_the_end_of_any_part_is_given_only_once_the_whole_file_is_proved(asked: str) -> None:
    world = World(proved_last=True)
    async with world.client() as http:
        found = headers.part(asked, len(DATA))
        assert found is not None
        status, _, data = await get(http, path(), Range=asked)
        assert (status, data) == (206, DATA[found.start : found.end])
        assert (await get(http, path()))[2] == DATA
        world.is_changed = True
        for range_ in (asked, ""):
            with pytest.raises(aiohttp.ClientPayloadError):
                await get(http, path(), **({"Range": range_} if range_ else {}))


async def test_a_cut_download_ends_for_a_slow_client_too_with_what_the_system_holds_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "_RECHECK_S", 0.1)
    data = bytes(8_000_000)
    world = World(data=data, size=len(data), largest=10**9, file=replace(CAT, size=None))
    async with world.client():
        client = socket.create_connection((HOST, world.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, f"GET {path()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = len(await loop.sock_recv(client, 1000))
        while not world.common.slots:  # noqa: ASYNC110  (a request rings no bell)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # the system takes some megabytes, and then no more
        world.file = None
        while len(world.common.slots):
            with suppress(BlockingIOError):
                got += len(client.recv(10_000))
            await asyncio.sleep(0.02)
        held = 0
        with suppress(ConnectionResetError):
            while piece := await loop.sock_recv(client, 65_536):
                held += len(piece)
        client.close()
        assert held < 500_000, "what was on the way is thrown away"
