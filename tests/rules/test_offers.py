"""Which addresses count as that of a picture, sound or video."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.text import Span, Style, words
from bridge.rules.offers import file_address


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://a.example/cat.png", "https://a.example/cat.png"),
        ("HTTPS://A.example/CAT.PNG", "HTTPS://A.example/CAT.PNG"),
        (
            "look: http://a.example:8080/b/cat.jpeg?size=1&x=.html#top!",
            "http://a.example:8080/b/cat.jpeg?size=1&x=.html#top",
        ),
        ("<https://a.example/cat.webm>", "https://a.example/cat.webm"),
        ("(https://a.example/cat.gif)", "https://a.example/cat.gif"),
        ("see (https://a.example/cat_(1).mp4), ok?", "https://a.example/cat_(1).mp4"),
        ("“https://a.example/cat.ogg”", "https://a.example/cat.ogg"),
        ("*https://a.example/cat.mp3*", "https://a.example/cat.mp3"),
        ("'https://a.example/it's.png'", "https://a.example/it's.png"),
        ("url=https://a.example/cat.flac", "https://a.example/cat.flac"),
        ("https://a.example/käfer.avif", "https://a.example/käfer.avif"),
        (
            "https://a.example/page.html https://b.example/cat.wav https://c.example/dog.wav",
            "https://b.example/cat.wav",
        ),
        ("https://p.example/media/XYZ?format=jpg&name=large", "https://p.example/media/XYZ?format=jpg&name=large"),
        ("https://p.example/media/XYZ.jpg:large", "https://p.example/media/XYZ.jpg:large"),
        ("https://i.example/x?w=1&FM=WebP", "https://i.example/x?w=1&FM=WebP"),
        ("https://[2606:4700::1111]/cat.mov", "https://[2606:4700::1111]/cat.mov"),
        ("https://a.example/" + "a" * 478 + ".png", "https://a.example/" + "a" * 478 + ".png"),
    ],
)
def test_an_address_counts_that_ends_as_a_picture_sound_or_video(text: str, found: str) -> None:
    assert file_address(words(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat.png",
        "a.example/cat.png",
        "ftp://a.example/cat.png",
        "shttps://a.example/cat.png",
        "https:///cat.png",
        "https://.png",
        "https://cat.png",
        "https://a.example/cat.png/",
        "https://a.example/cat.png.html",
        "https://a.example/cat.html#cat.png",
        "https://a.example/page?picture=cat.png",
        "https://a.example/page?reformat=png",
        "https://a.example/page?format=pngs",
        "https://a.example/cat.svg",
        "https://a.example/cat.bmp",
        "https://a.example/cat.ｐｎｇ",
        "https://user@a.example/cat.png",
        "https://user:secret@a.example/cat.png",
        "https://[/cat.png",
        "https://a.example/cat .png",
        "https://a.example/" + "a" * 479 + ".png",
        "https://a.example/" + "a" * 478 + ".png" + "a" * 478,
    ],
)
def test_others_do_not_count(text: str) -> None:
    assert file_address(words(text)) == ""


def test_an_address_in_a_spoiler_or_in_code_is_not_shown() -> None:
    for style in (Style.SPOILER, Style.SPOILER | Style.BOLD, Style.MONO):
        assert file_address((Span("see "), Span("https://a.example/cat.png", style))) == ""
        both = (Span("https://a.example/cat.png", style), Span("https://a.example/dog.png", Style.BOLD))
        assert file_address(both) == "https://a.example/dog.png"
    assert file_address((Span("https://a.example/", Style.BOLD), Span("cat.png"))) == "https://a.example/cat.png"


@given(st.text() | st.from_regex(r"(https?://[^ ]{0,9}\.png[.,)\]]* ?){1,5}"))
def test_what_counts_is_in_the_text(text: str) -> None:
    assert file_address(words(text)) in text


@pytest.mark.parametrize(
    "part", ["https://", "https://a.example/.png/", "http", ".", "https://a)))", "&format=", ".png:"]
)
def test_the_longest_text_takes_no_longer_for_its_length(part: str) -> None:
    def seconds(times: int) -> float:
        text = words("https://a.example/?" + part * times)
        start = time.process_time()
        file_address(text)
        return time.process_time() - start

    assert min(seconds(40_000) for _ in range(3)) < 40 * (min(seconds(2_000) for _ in range(3)) + 0.001)
