"""Fetching from web servers that may be hostile."""

import asyncio
import gzip
import os
import random
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.network import Fetched, NoSuchFile, NotFetched
from bridge.previews import fetcher as module
from bridge.previews.addresses import web_address
from bridge.previews.fetcher import Deadlines, Fetcher, name_of
from bridge.previews.kinds import PNG
from tests.integration.certificates import self_signed
from tests.previews.hostile import LOOPBACK, Server, fetcher, ok, picture, serving, status, to

pytestmark = pytest.mark.real_time

CAT = picture()
LIMIT = 1_000_000
QUICK = Deadlines(0.3, 0.6)


async def _refused(server: Server, path: str, limit: int = LIMIT, *, by: Fetcher | None = None) -> NotFetched:
    with pytest.raises(NotFetched) as caught:
        await (by or fetcher())(server.url(path), limit)
    return caught.value


async def test_a_picture_is_fetched_with_its_type_by_its_bytes_its_size_and_its_name() -> None:
    async with serving({"/a/Cat%20one.jpeg": ok(CAT, Content_Type="text/html")}) as server:
        found = await fetcher()(server.url("/a/Cat%20one.jpeg?x=1#top"), LIMIT)
    assert isinstance(found, Fetched)
    assert (found.kind, found.mime, found.name, found.data) == ("image", "image/png", "Cat one.png", CAT)
    assert (found.width, found.height, len(found.blurhash)) == (6, 4, 28)


async def test_a_request_says_who_we_are_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    first = to("/b.png").replace(b"\r\n\r\n", b"\r\nSet-Cookie: who=you\r\n\r\n")
    async with serving({"/a.png": first, "/b.png": ok(CAT)}) as server:
        await fetcher(hosts={"a.example": ["127.0.0.1"]})(server.url("/a.png", "a.example"), LIMIT)
        (_, request) = server.asked
    lines = dict(line.split(": ", 1) for line in request.strip().split("\r\n")[1:])
    assert {key.lower() for key in lines} == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert lines["User-Agent"].startswith("quackbridge/")
    assert lines["Accept-Encoding"] == "identity"


async def test_redirects_are_followed_three_times_and_in_no_circle() -> None:
    answers = {f"/{number}.png": to(f"{number + 1}.png") for number in range(9)}
    async with serving({**answers, "/9.png": ok(CAT), "/loop.png": to("/loop.png", 308)}) as server:
        assert (await fetcher()(server.url("/6.png"), LIMIT)).data == CAT
        assert isinstance(await _refused(server, "/5.png"), NoSuchFile)
        server.asked.clear()
        assert isinstance(await _refused(server, "/loop.png"), NoSuchFile)
        assert len(server.asked) == 4


HOSTS = {"pc.example": ["10.0.0.1"], "mixed.example": ["127.0.0.1", "10.0.0.1"]}


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/cat.png",
        "http://[::ffff:127.0.0.1]:{port}/cat.png",
        "http://[::ffff:7f00:1]:{port}/cat.png",
        "http://[64:ff9b::10.0.0.1]/cat.png",
        "http://0.0.0.0:{port}/cat.png",
        "http://127.1:{port}/cat.png",
        "http://2130706433:{port}/cat.png",
        "http://0x7f000001:{port}/cat.png",
        "http://localhost:{port}/cat.png",
        "http://localhost.:{port}/cat.png",
        "http://pc.example/cat.png",
        "http://mixed.example:{port}/cat.png",
        "http://nowhere.example/cat.png",
        "http://duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion/cat.png",
        "http://user:secret@127.0.0.1:{port}/cat.png",
        "//user@127.0.0.1:{port}/cat.png",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/cat.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "http://[",
        "",
        "https://127.0.0.1:{port}/cat.png",  # no TLS there
    ],
)
async def test_a_redirect_leads_nowhere_where_the_first_address_may_not_lead(location: str) -> None:
    async with serving({"/a.png": b"", "/cat.png": ok(CAT)}) as server:
        server.answers["/a.png"] = to(location.format(port=server.port))
        await _refused(server, "/a.png", by=fetcher(hosts=HOSTS))
        assert [request.split()[1] for request in server.asked] == ["/a.png"]


async def test_a_redirect_in_no_letters_leads_nowhere() -> None:
    for location in (b"http://\xff\xfe.example/", b"/\xff\0", b"\xed\xa0\x80", b"http://a.example/\x01"):
        answer = to("X").replace(b"X", location)
        async with serving({"/a.png": answer}) as server:
            await _refused(server, "/a.png")


async def test_a_host_is_connected_to_at_the_address_that_was_checked_and_looked_up_anew_for_each_redirect() -> None:
    asked: list[str] = []
    turns = iter((["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]))

    async def look_up(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return next(turns)

    async with serving({"/a.png": to("/b.png"), "/b.png": ok(CAT)}) as server:
        by = Fetcher(private=LOOPBACK, look_up=look_up)
        assert (await by(server.url("/a.png", "a.example"), LIMIT)).data == CAT
        assert asked == ["a.example"] * 2
        with pytest.raises(NotFetched, match="no public address"):
            await by(server.url("/b.png", "a.example"), LIMIT)
        assert len(server.asked) == 2
        assert f"Host: a.example:{server.port}\r\n" in server.asked[0]


async def test_an_address_is_checked_again_when_it_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever aiohttp takes for an IP address is not looked up; whatever a look-up let through is refused here."""

    async def look_up(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async def resolve(_self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 6, "flags": 0}]

    monkeypatch.setattr(module._PublicResolver, "resolve", resolve)
    async with serving({"/cat.png": ok(CAT)}) as server:
        with pytest.raises(NotFetched, match="no public address"):
            await Fetcher(look_up=look_up)(server.url("/cat.png", "a.example"), LIMIT)
        assert server.asked == []


async def test_this_machine_is_not_fetched_from_by_a_public_address_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.previews.addresses.is_public", lambda _: True)
    monkeypatch.setattr("bridge.previews.addresses.PORTS", range(65_536))
    async with serving({"/cat.png": ok(CAT)}) as server:
        with pytest.raises(NotFetched, match="of this machine"):
            await Fetcher()(server.url("/cat.png"), LIMIT)
        assert server.asked == []


async def test_nothing_on_this_machine_is_fetched_by_default() -> None:
    async with serving({"/cat.png": ok(CAT)}) as server:
        for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "localhost.localdomain", "0.0.0.0"):
            with pytest.raises(NotFetched):
                await Fetcher()(server.url("/cat.png", host), LIMIT)
        assert server.asked == []


async def test_a_name_is_looked_up_as_the_system_does() -> None:
    assert "127.0.0.1" in await module._SystemLookUp()("localhost", 80)
    with pytest.raises((OSError, ValueError)):
        await module._SystemLookUp()("a" * 64 + ".invalid", 80)


async def test_look_ups_that_hang_are_bounded_and_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait(20) and [])
    by = Fetcher(deadlines=QUICK)
    refused = [by("http://slow.example/cat.png", LIMIT) for _ in range(module._MOST_LOOK_UPS + 1)]
    errors = await asyncio.gather(*refused, return_exceptions=True)
    assert [str(error) for error in errors].count("too slow") == module._MOST_LOOK_UPS
    (busy,) = [error for error in errors if "too many look-ups" in str(error)]
    assert isinstance(busy, NoSuchFile), "that others look up too much says nothing against the host"
    go_on.set()


async def test_compressed_answers_are_refused_before_they_are_read() -> None:
    bomb = gzip.compress(CAT + bytes(10_000_000))
    for coding in ("gzip", "br", "deflate", "zstd", "GZIP", "identity, gzip"):
        async with serving({"/cat.png": ok(bomb, Content_Encoding=coding)}) as server:
            assert str(await _refused(server, "/cat.png")) == "compressed"
    async with serving({"/cat.png": ok(bomb), "/te.png": ok(bomb, Transfer_Encoding="gzip, chunked")}) as server:
        assert str(await _refused(server, "/cat.png")) == "no picture, sound or video"
        await _refused(server, "/te.png")


async def test_a_file_that_is_too_large_or_never_ends_is_given_up_at_the_limit() -> None:
    async with serving({"/told.png": ok(CAT, Content_Length="1000001")}) as server:

        async def endless(writer: asyncio.StreamWriter) -> None:
            await server.send(writer, b"HTTP/1.1 200 OK\r\n\r\n" + CAT)
            while True:
                await server.send(writer, bytes(65_536))

        server.answers["/endless.png"] = endless
        assert str(await _refused(server, "/told.png")) == "too large"
        assert str(await _refused(server, "/endless.png")) == "too large"
        assert server.sent < 8_000_000  # what the limit lets through, and what the system buffers


async def test_all_that_is_read_is_paid_for_and_no_more_is_read_than_can_be() -> None:
    large = CAT + bytes(900_000)
    async with serving({"/cat.png": ok(large), "/page.png": ok(b"<html>" * 2_000)}) as server:
        for path, most in (("/cat.png", 10**9), ("/cat.png", 300_000), ("/page.png", 10**9)):
            paid: list[int] = []

            def spend(size: int, paid: list[int] = paid, most: int = most) -> bool:
                paid.append(size)
                return sum(paid) <= most

            with suppress(NoSuchFile):
                assert len((await fetcher()(server.url(path), LIMIT, spend)).data) == sum(paid) == len(large)
                assert most == 10**9
            assert 4_096 <= sum(paid) <= min(len(large), most + 300_000)


async def test_what_is_no_picture_ends_after_its_first_kilobytes() -> None:
    async with serving({}) as server:

        async def page(writer: asyncio.StreamWriter) -> None:
            await server.send(writer, b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n<html>")
            while True:
                await server.send(writer, bytes(1_000))
                await asyncio.sleep(0.01)

        server.answers["/cat.png"] = page
        assert str(await _refused(server, "/cat.png")) == "no picture, sound or video"
        assert server.sent < 100_000


async def test_a_lie_about_the_length_is_no_file() -> None:
    answers = {
        "/short.png": ok(CAT, Content_Length=str(len(CAT) + 1)),
        "/negative.png": ok(CAT, Content_Length="-1"),
        "/two.png": ok(CAT, Content_Length="5\r\nContent-Length: 6"),
        "/huge.png": ok(CAT, Content_Length="9" * 400),
        "/empty.png": ok(b""),
        "/none.png": b"",
        "/noise.png": os.urandom(5_000),
        "/long.png": ok(CAT + b"<html>", Content_Length=str(len(CAT))),
        "/cut.png": b"HTTP/1.1 200 OK\r\nContent-Le",
    }
    async with serving(answers) as server:
        for path in answers:
            await _refused(server, path)


async def test_headers_without_end_are_given_up() -> None:
    async with serving({}) as server:

        async def many(writer: asyncio.StreamWriter) -> None:
            await server.send(writer, b"HTTP/1.1 200 OK\r\n")
            while True:
                await server.send(writer, b"X: y\r\n" * 1_000)

        async def long(writer: asyncio.StreamWriter) -> None:
            await server.send(writer, b"HTTP/1.1 200 OK\r\nX: ")
            while True:
                await server.send(writer, b"y" * 10_000)

        async def interim(writer: asyncio.StreamWriter) -> None:
            while True:
                await server.send(writer, b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")
                await asyncio.sleep(0.001)

        server.answers.update({"/many.png": many, "/long.png": long, "/interim.png": interim})
        async with asyncio.timeout(5):
            for path in ("/many.png", "/long.png", "/interim.png"):
                await _refused(server, path, by=fetcher(QUICK))
        assert server.sent < 30_000_000


async def test_a_server_that_says_nothing_or_drips_is_given_up_in_time() -> None:
    async with serving({}) as server:

        async def mute(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(30)

        async def only_headers(writer: asyncio.StreamWriter) -> None:
            await server.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
            await asyncio.sleep(30)

        async def dripping(writer: asyncio.StreamWriter) -> None:
            await server.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
            for byte in CAT:
                await server.send(writer, bytes([byte]))
                await asyncio.sleep(0.1)

        server.answers.update({"/mute.png": mute, "/headers.png": only_headers, "/drip.png": dripping})
        loop = asyncio.get_running_loop()
        for path, least, most in (("/mute.png", 0.3, 0.55), ("/headers.png", 0.3, 0.55), ("/drip.png", 0.6, 2.0)):
            start = loop.time()
            assert str(await _refused(server, path, by=fetcher(QUICK))) == "too slow"
            assert least <= loop.time() - start <= most, path


async def test_a_server_that_cannot_prove_its_name_is_not_fetched_from(tmp_path: Path) -> None:
    """Over TLS, with a certificate that nobody has signed."""
    signed = self_signed(tmp_path, "a.example", 30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(signed.certificate, signed.key)
    async with serving({"/cat.png": ok(CAT)}, context) as server:
        with pytest.raises(NotFetched, match="CERTIFICATE_VERIFY_FAILED"):
            await fetcher(hosts={"a.example": ["127.0.0.1"]})(f"https://a.example:{server.port}/cat.png", LIMIT)
        assert server.asked == []


@pytest.mark.parametrize("number", [201, 204, 206, 304, 400, 401, 403, 404, 410, 451])
async def test_a_file_that_is_not_there_says_nothing_against_its_server(number: int) -> None:
    async with serving({"/cat.png": status(number)}) as server:
        assert isinstance(await _refused(server, "/cat.png"), NoSuchFile)


@pytest.mark.parametrize("number", [408, 429, 500, 502, 503])
async def test_a_server_in_trouble_is_told_from_a_file_that_is_not_there(number: int) -> None:
    async with serving({"/cat.png": status(number)}) as server:
        assert not isinstance(await _refused(server, "/cat.png"), NoSuchFile)


async def test_a_server_that_is_away_is_not_fetched_from() -> None:
    async with serving({}) as server:
        port = server.port
    assert not isinstance(await _refused(Server(port, {}), "/cat.png"), NoSuchFile)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/cat.png", "cat.png"),
        ("/cat.PNG", "cat.PNG"),
        ("/cat.jpg", "cat.png"),
        ("/cat.tar.gz", "cat.tar.png"),
        ("/cat", "cat.png"),
        ("/", "image.png"),
        ("/.png", "png.png"),
        ("/..%2f..%2fetc%2fpasswd.png", "passwd.png"),
        ("/..%5c..%5cautoexec.png", "autoexec.png"),
        ("/a%0d%0aX:%20y%00.png", "a__X: y_.png"),
        ("/%E2%80%AEgnp.exe", "_gnp.png"),
        ("/k%C3%A4fer.png", "käfer.png"),
        ("/%ff.png", "\ufffd.png"),
        ("/" + "a" * 300 + ".png", "a" * 100 + ".png"),
    ],
)
def test_a_file_is_called_as_its_address_ends_and_what_its_bytes_are(path: str, name: str) -> None:
    assert name_of(web_address("http://a.example" + path), PNG) == name


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_a_server_says_is_a_file_or_none(seed: int) -> None:
    """Answers with some bytes exchanged, added or left out."""
    rng = random.Random(seed)
    usual = [ok(CAT), ok(CAT, Content_Encoding="gzip"), to("http://a.example/b.png?x#y"), to("/cat.png"), status(404)]
    usual.append(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + CAT[:5] + b"\r\n0\r\n\r\n")
    signs = [b"\r\n", b"\n", b"\0", b":", b" ", b"\xff", b"-1", b"99999999999999999999", b"chunked", b"http://[", b"%"]
    async with serving({}) as server:
        by = fetcher(QUICK, hosts={"a.example": ["127.0.0.1"]})
        for _ in range(40):
            answer = bytearray(rng.choice(usual))
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(answer))
                answer[at : at + rng.choice((0, 1, 5))] = rng.choice(signs)
            server.answers["/cat.png"] = bytes(answer)
            with suppress(NotFetched):
                assert (await by(server.url("/cat.png"), LIMIT)).data
