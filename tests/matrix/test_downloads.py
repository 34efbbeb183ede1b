"""Files from a homeserver: with our token, never in an address, and from where old homeservers have them."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bridge.demo.servers.process import HOST, free_port
from bridge.matrix.dialect.sources import source_of
from bridge.matrix.downloads import Downloads
from bridge.matrix.http.homeserver import Homeserver
from bridge.network import NoSuchFile, NotFetched
from tests.matrix.sealed import KEY, sealed

pytestmark = pytest.mark.real_time

DATA = bytes(range(256)) * 1000
_LARGE = bytes(range(256)) * 20_000


@dataclass
class World:
    """A homeserver: what it answers, and what it was asked."""

    status: int = 200
    code: str = ""
    token: str = "secret"
    old: bool = False
    short: bool = False
    packed: bool = False
    elsewhere: str = ""
    data: bytes = DATA
    asked: list[tuple[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def downloads(self) -> AsyncGenerator[Downloads, None]:
        port = free_port()
        application = web.Application()
        application.router.add_get("/{rest:.*}", self.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        homeserver = Homeserver(f"http://{HOST}:{port}/", "@duck:hs")
        homeserver.token = "secret"

        async def renew(used: str) -> None:
            assert used == "secret"
            homeserver.token = self.token

        homeserver.renew = renew
        try:
            yield Downloads("home", homeserver)
        finally:
            await homeserver.close()
            await runner.cleanup()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.raw_path.partition("?")[0], request.headers.get("Authorization", "")))
        assert "secret" not in request.raw_path
        if "/client/v1/" in request.path:
            if self.old:
                return web.json_response({"errcode": "M_UNRECOGNIZED", "error": "x"}, status=404)
            if request.headers["Authorization"] != f"Bearer {self.token}":
                return web.json_response({"errcode": "M_UNKNOWN_TOKEN", "error": "x"}, status=401)
        if self.elsewhere:
            raise web.HTTPFound(self.elsewhere)
        if self.status != 200:
            return web.json_response({"errcode": self.code, "error": "x"}, status=self.status)
        response = web.StreamResponse(headers={"Content-Type": "image/png"})
        response.content_length = len(self.data)
        if self.packed:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        with suppress(ConnectionError):
            await response.write(self.data[:-1] if self.short else self.data)
        if self.short:
            assert request.transport is not None
            await asyncio.sleep(0.1)
            request.transport.abort()
        return response


async def fetched(
    world: World, source: str = "mxc://hs.pond:8448/a-B_9", given: bytearray | None = None
) -> tuple[int | None, str, bytes]:
    data = bytearray() if given is None else given
    async with world.downloads() as downloads, downloads.download(source) as found:
        async for piece in found.chunks:
            data += piece
        return found.size, found.mime, bytes(data)


async def test_a_file_comes_by_authenticated_media_with_the_token_in_a_header() -> None:
    world = World()
    assert await fetched(world) == (len(DATA), "image/png", DATA)
    assert world.asked == [("/_matrix/client/v1/media/download/hs.pond%3A8448/a-B_9", "Bearer secret")]


async def test_an_expired_token_is_renewed_once() -> None:
    world = World(token="new")
    assert (await fetched(world))[2] == DATA
    assert [token for _, token in world.asked] == ["Bearer secret", "Bearer new"]


async def test_an_old_homeserver_is_asked_at_the_old_place_without_the_token() -> None:
    world = World(old=True)
    assert (await fetched(world))[2] == DATA
    assert world.asked[1] == ("/_matrix/media/v3/download/hs.pond%3A8448/a-B_9", "")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "M_NOT_FOUND", NoSuchFile),
        (504, "M_NOT_YET_UPLOADED", TimeoutError),
        (504, "", TimeoutError),
        (502, "M_UNKNOWN", NotFetched),
        (403, "M_FORBIDDEN", NotFetched),
        (206, "", NotFetched),
    ],
)
async def test_what_the_homeserver_does_not_give_is_an_error(status: int, code: str, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        await fetched(World(status=status, code=code))
    assert "secret" not in str(raised.value)


async def test_a_redirect_to_another_server_is_not_followed() -> None:
    world = World(elsewhere="http://127.0.0.1:1/steal")
    with pytest.raises(NotFetched):
        await fetched(world)
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    "source",
    ["mxc://hs", "mxc://hs/", "mxc:///a", "https://hs/a", "mxc://hs/../a", "mxc://hs/a/b", "mxc://hs/a?b", "mxc://hs/a#b",
     "mxc://h s/a", "mxc://hs/%2e", "mxc://hs/a\r\nX: y", "", "mxc://" + "h" * 300 + "/a", "mxc://../a"],
)  # fmt: skip
async def test_an_address_that_is_none_is_not_asked_for(source: str) -> None:
    world = World()
    with pytest.raises(NoSuchFile):
        await fetched(world, source)
    assert world.asked == []


async def test_a_file_that_is_cut_off_is_an_error_and_leaving_early_is_none() -> None:
    with pytest.raises(NotFetched):
        await fetched(World(short=True))
    async with (
        World().downloads() as downloads,
        downloads.download("mxc://hs/a") as found,
        aclosing(found.chunks) as chunks,
    ):
        assert len(await anext(chunks)) <= 64 * 1024


@pytest.mark.parametrize("data", [b"", b"q", DATA, _LARGE, _LARGE[: 4 * 1024 * 1024]])
async def test_an_encrypted_file_is_given_as_it_was_before_and_not_to_be_kept(data: bytes) -> None:
    encrypted, file = sealed(data)
    assert not data or encrypted != data
    async with (
        World(data=encrypted).downloads() as downloads,
        downloads.download(source_of({"file": file})) as found,
    ):
        assert not found.cacheable
        assert (found.size, found.proved_last) == (len(data), len(data) > 4 * 1024 * 1024)
        pieces = [piece async for piece in found.chunks]
    assert b"".join(pieces) == data
    assert max(map(len, pieces), default=0) <= 64 * 1024


@pytest.mark.parametrize("data", [b"q", DATA])
@pytest.mark.parametrize("at", [0, -1])
async def test_nothing_is_given_of_a_small_encrypted_file_that_was_changed(data: bytes, at: int) -> None:
    encrypted, file = sealed(data)
    changed = bytearray(encrypted)
    changed[at] ^= 1
    async with World(data=bytes(changed)).downloads() as downloads:
        with pytest.raises(NotFetched, match="is not the one that was sent"):
            async with downloads.download(source_of({"file": file})):
                raise AssertionError("the download begins")


async def test_a_small_encrypted_file_that_breaks_off_is_refused_in_words_for_people() -> None:
    encrypted, file = sealed(DATA)
    async with World(data=encrypted, short=True).downloads() as downloads:
        with pytest.raises(NotFetched, match=r"^The Matrix server did not send all of this file; try again later\.$"):
            async with downloads.download(source_of({"file": file})):
                raise AssertionError("the download begins")


@pytest.mark.parametrize("change", [lambda data: b"x" + data[1:], lambda data: data[:-1], lambda data: data + b"x"])
async def test_the_last_piece_of_a_large_encrypted_file_is_not_given_if_it_was_changed(
    change: Callable[[bytes], bytes],
) -> None:
    encrypted, file = sealed(_LARGE)
    given = bytearray()
    with pytest.raises(NotFetched):
        await fetched(World(data=change(encrypted)), source_of({"file": file}), given)
    assert 0 < len(given) < len(_LARGE)


async def test_few_encrypted_files_are_held_in_memory_at_a_time_and_others_stream() -> None:
    encrypted, file = sealed(DATA)
    source = source_of({"file": file})
    async with World(data=encrypted).downloads() as downloads:
        async with AsyncExitStack() as stack:
            found = [await stack.enter_async_context(downloads.download(source)) for _ in range(6)]
            assert [each.proved_last for each in found] == [False] * 4 + [True] * 2
        async with downloads.download(source) as another:
            assert not another.proved_last


async def test_the_key_of_an_encrypted_file_is_in_no_log_and_no_request() -> None:
    _, file = sealed(DATA)
    world = World(status=502)
    with capture_logs() as logs, pytest.raises(NotFetched) as raised:
        await fetched(world, source_of({"file": file}))
    told = f"{logs}{raised.value}{world.asked}"
    assert "mxc://hs/a" in told
    assert urlsafe_b64encode(KEY).decode()[:10] not in told
