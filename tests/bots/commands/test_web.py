"""`weather` and `title`: what is asked of the configured address, and what an answer costs at most."""

import asyncio
from ipaddress import IPv4Network

import pytest

from bots.brains.commands import Commands
from bridge.previews.fetcher import public_session
from tests.bots.commands.talk import Talk, user
from tests.bots.commands.web import FakeAnswer, FakeWeb

ALICE = user("alice")


def _talk(pages: dict[str, FakeAnswer | None], titles: str = "{url}") -> Talk:
    talk = Talk(settings=Commands.Settings(weather="https://w.example/{place}?format=3", titles=titles))
    talk.home.web = FakeWeb(pages)
    return talk


async def test_a_place_cannot_change_the_address() -> None:
    talk = _talk({"https://w.example/New%20York%26x%3D%3F%23?format=3": FakeAnswer(b"rain")})
    assert await talk.say(ALICE, "weather in New York&x=?#") == "rain"
    assert await talk.say(ALICE, "weather ../etc") is None
    assert await talk.say(ALICE, "weather") == "Say: weather PLACE. For example: `weather Berlin`"


async def test_a_title_service_gets_the_whole_address() -> None:
    talk = _talk(
        {"https://t.example/?u=https%3A%2F%2Fa.example%2F%3Fb%3Dc": FakeAnswer(b"A")}, "https://t.example/?u={url}"
    )
    assert await talk.say(ALICE, "title https://a.example/?b=c") == "A"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://", "https://[", "a.example", "javascript:alert(1)", "https://a b"]
)
async def test_what_is_no_address_of_a_page_is_not_asked_for(url: str) -> None:
    talk = _talk({})
    assert await talk.say(ALICE, f"title {url}") is None
    assert talk.home.web.asked == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (FakeAnswer(b"", status=500), "I could not find out: the server answered 500."),
        (FakeAnswer(b" \n "), "I could not find out: the answer has no words."),
        (FakeAnswer(b"<p>no title", "text/html"), "I could not find out: the answer has no words."),
        (FakeAnswer(b"<title>never closed", "text/html"), "I could not find out: the answer has no words."),
        (FakeAnswer(b"<title " * 9_000, "text/html"), "I could not find out: the answer has no words."),
        (FakeAnswer("<title>Ünï\u202e\x03</title>".encode(), "text/html"), "Ünï"),
        (FakeAnswer(b"\xff\xfe<title>x</title>", "text/html"), "x"),
        (
            FakeAnswer(b"x", charset="nosuch"),
            "I could not find out: the server cannot be reached, or its answer cannot be read.",
        ),
        (None, "I could not find out: the server took too long."),
        (
            FakeAnswer(b"<title>&#" + b"9" * 5_000 + b";</title>", "text/html"),
            "I could not find out: the server cannot be reached, or its answer cannot be read.",
        ),
        (FakeAnswer(b"b-a", charset="punycode"), "b-a"),
        (FakeAnswer("ä".encode(), charset=None), "ä"),
    ],
    ids=range(12),
)
async def test_a_bad_answer_is_told_in_words(answer: FakeAnswer | None, said: str) -> None:
    assert (await _talk({"https://a.example/": answer}).say(ALICE, "title https://a.example/") or "").strip() == said


async def test_a_server_that_is_not_there_is_told_in_words() -> None:
    assert (await _talk({}).say(ALICE, "weather Berlin") or "").startswith("I could not find out: the server cannot")


async def test_of_an_endless_answer_64_kb_are_read_and_a_line_is_said() -> None:
    page = FakeAnswer(b"a" * 10_000_000)
    said = await _talk({"https://a.example/": page}).say(ALICE, "title https://a.example/")
    assert said == "a" * 300
    assert page.content.read_bytes == 64 << 10


@pytest.mark.real_time
async def test_a_real_server_that_names_no_encoding_is_read_and_leads_nowhere_else() -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        more = b"302 Found\r\nLocation: http://127.0.0.1:%d/" % port if path == b"/away" else b"200 OK"
        writer.write(b"HTTP/1.1 " + more + b"\r\nContent-Type: text/html\r\n\r\n<title>\xc3\xa4</title>")
        writer.close()

    server = await asyncio.start_server(answers, "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    talk = _talk({})
    async with server, public_session(private=[IPv4Network("127.0.0.2/32")]) as talk.home.web:
        assert await talk.say(ALICE, f"title http://127.0.0.2:{port}/") == "ä"
        for there in (f"127.0.0.2:{port}/away", f"127.0.0.1:{port}/", f"[::ffff:127.0.0.2]:{port}/"):
            assert "cannot be reached" in (await talk.say(ALICE, f"title http://{there}") or "")
