"""The status page: what it says, who may see it, and that nothing that a hostile server writes becomes a part of it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from bridge.demo.servers.process import HOST, free_port
from bridge.http import status
from bridge.http.status import page
from bridge.model.event import Room
from bridge.model.health import Check, Health, NetworkHealth, RoomHealth
from tests.http.house import get, health_of, serving
from tests.programs import chromium
from tests.reference.metrics import health

pytestmark = pytest.mark.real_time

_HOSTILE = (
    '</p><script>document.title="owned"</script><img src=x onerror=alert(1)><b>b</b>"\'&\u202e<style>*{display:none}'
)
_HARNESS = """<!DOCTYPE html><meta charset="utf-8"><body><iframe id="page" style="width:360px;height:700px;border:0"
 srcdoc="{page}"></iframe><script>
const frame = document.getElementById("page");
frame.onload = () => {{
  const inside = frame.contentDocument, root = inside.documentElement;
  document.body.dataset.width = root.scrollWidth;
  document.body.dataset.strange = inside.querySelectorAll("script, img, b, style:not(head style)").length;
  document.body.dataset.seen = getComputedStyle(inside.querySelector("h1")).display;
  document.body.dataset.title = inside.title;
}};
</script>"""
"""Measures the page as on a phone: 360 px is the width of most."""


def hostile() -> Health:
    """A bridge where every text that is not ours is an attack, and so long that it has to be broken."""
    bad = Check(False, 0.0, _HOSTILE + "W" * 300)
    networks = {_HOSTILE: NetworkHealth(bad, "irc", "here"), "x" * 80: NetworkHealth(bad, "matrix", "here")}
    rooms = (RoomHealth(Room(_HOSTILE, "#" + "w" * 90), "link" * 30, bad, "here"),)
    base = health_of({})
    return replace(base, networks=networks, rooms=rooms, version=_HOSTILE, disk=bad, clock=bad, loop=bad, outbox=bad)


class _Elements(HTMLParser):
    """Counts elements, and keeps the words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href", "style") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words += f"{data} "


@asynccontextmanager
async def _served(shown: bool | None) -> AsyncGenerator[aiohttp.ClientSession, None]:
    port = free_port()
    async with (
        serving(port, status.routes(health, shown=shown)),
        aiohttp.ClientSession(f"http://{HOST}:{port}") as http,
    ):
        yield http


def test_the_page_says_in_words_what_is_well_and_what_is_not() -> None:
    words = " ".join(_Elements(page(health())).words.split())
    for said in (
        "Something is wrong",
        "1 of 2 networks up, 0 of 1 link working.",
        "home Up for 1 minute Matrix, last sign of life 10 seconds ago",
        "libera Down for 30 seconds the server does not answer IRC",
        "pond Not working for 30 seconds",
        "home/#pond:example.org Encrypted. Last heard 12 seconds ago, last sent 1 minute ago.",
        "to libera 3 waiting, the oldest for 30 seconds, 1 undeliverable",
        "5.0 GB free",
        "Version 1.0, running for 1 minute",
    ):
        assert said in words
    fine = health_of({"home": ""})
    assert "Everything works" in page(fine)
    assert "Nothing is carried" in page(health_of({"home": "away"}))


def test_a_new_bridge_without_links_has_a_page() -> None:
    words = _Elements(page(health_of({}))).words
    assert "No links." in words
    assert "0 of 0 networks up" in words


def test_the_page_can_be_read_by_a_screen_reader_and_on_a_phone() -> None:
    text = page(health())
    assert '<html lang="en">' in text
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert '<meta http-equiv="refresh" content="30">' in text
    levels = [int(tag[1]) for tag in _Elements(text).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert "table" not in _Elements(text).tags


def test_texts_of_others_become_no_elements() -> None:
    mine, theirs = _Elements(page(hostile())), {*_Elements(page(health())).tags}
    assert {*mine.tags} <= theirs
    assert "<script>" in mine.words
    assert "\u202e" not in page(hostile())


@pytest.mark.parametrize(("first", "second"), [("ink", "paper"), ("ink", "card"), ("dim", "card"), ("dim", "paper")])
@pytest.mark.parametrize("scheme", [0, 1])
def test_texts_have_enough_contrast(first: str, second: str, scheme: int) -> None:
    """At least 4.5:1 (WCAG 2.2, 1.4.3)."""
    colours = _colours(scheme)
    assert _contrast(colours[first], colours[second]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize("colour", ["good", "bad"])
def test_states_have_enough_contrast(colour: str, scheme: int) -> None:
    colours = _colours(scheme)
    assert _contrast(colours[colour], colours["card"]) >= 4.5
    assert _contrast(colours["ink"], colours[f"{colour}-soft"]) >= 4.5


def _colours(scheme: int) -> Mapping[str, str]:
    """The colours of the light (0) or the dark (1) scheme."""
    blocks = re.findall(r":root \{(.*?)\}", page(health()), re.DOTALL)
    return dict(re.findall(r"--([\w-]+): #(\w{6})", blocks[scheme]))


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


async def test_by_default_only_a_browser_on_this_machine_sees_the_page() -> None:
    async with _served(None) as http:
        code, headers, body = await get(http, "/")
        assert (code, b"Something is wrong" in body) == (200, True)
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert (await get(http, "/", Host="localhost:1"))[0] == 200
        assert (await get(http, "/", Host="[::1]:1"))[0] == 200
        for name, value in (
            ("X_Forwarded_For", "192.0.2.1"),
            ("X_Forwarded_Proto", "https"),
            ("X_Real_IP", "192.0.2.1"),
            ("Forwarded", "for=192.0.2.1"),
            ("Via", "1.1 proxy"),
            ("Host", "pond.example.org"),
            ("Host", "127.0.0.1.evil.example"),
        ):
            assert (await get(http, "/", **{name: value}))[0] == 404, name


async def test_the_config_shows_the_page_to_everybody_or_to_nobody() -> None:
    async with _served(True) as http:
        assert (await get(http, "/", X_Forwarded_For="192.0.2.1", Host="pond.example.org"))[0] == 200
        assert (await get(http, "/", "POST"))[0] == 405
    async with _served(False) as http:
        assert (await get(http, "/"))[0] == 404


@pytest.mark.parametrize("now", [health(), hostile()], ids=["usual", "hostile"])
def test_on_a_phone_nothing_is_wider_than_the_screen_and_no_text_becomes_an_element(
    tmp_path: Path, now: Health
) -> None:
    harness = tmp_path / "harness.html"
    harness.write_text(_HARNESS.format(page=escape(page(now), quote=True)))
    found = chromium(tmp_path / "profile", "--dump-dom", harness.as_uri())
    measured = dict(re.findall(r'data-(\w+)="([^"]*)"', found))
    assert measured["width"] == "360"
    assert measured["strange"] == "0"
    assert measured["seen"] == "block"
    assert measured["title"].endswith("- quackbridge")


async def test_the_browser_takes_the_style_of_the_page_as_it_is_served(tmp_path: Path) -> None:
    """The hash in the policy is that of the style: else the page would be without one, in silence."""
    async with _served(None) as http:
        url = str(http._base_url)
        shot = tmp_path / "page.png"
        await asyncio.to_thread(chromium, tmp_path / "profile", f"--screenshot={shot}", "--window-size=600,400", url)
        plain = tmp_path / "plain.html"
        plain.write_text(re.sub("<style>.*?</style>", "", page(health()), flags=re.DOTALL))
        other = tmp_path / "plain.png"
        await asyncio.to_thread(
            chromium, tmp_path / "other", f"--screenshot={other}", "--window-size=600,400", plain.as_uri()
        )
    assert _corner(shot) == (0xF6, 0xF5, 0xF1)
    assert _corner(other) == (0xFF, 0xFF, 0xFF)


def _corner(picture: Path) -> tuple[int, ...]:
    """The colour of the paper."""
    with Image.open(picture) as image:
        pixel = image.convert("RGB").getpixel((2, 2))
    assert isinstance(pixel, tuple)
    return pixel
