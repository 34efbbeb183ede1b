"""The headers of files: ranges of every shape, names that try to be headers, types that try to be pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http.headers import Part, Unsatisfiable, content, disposition, is_known, part, wants_part

TAG = '"abc"'


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bytes=0-", Part(0, 10, 10)),
        ("bytes=0-0", Part(0, 1, 10)),
        ("bytes=3-5", Part(3, 6, 10)),
        ("bytes=3-99", Part(3, 10, 10)),
        ("bytes=-3", Part(7, 10, 10)),
        ("bytes=-99", Part(0, 10, 10)),
        ("Bytes=9-", Part(9, 10, 10)),
    ],
)
def test_a_range_is_the_bytes_that_the_file_has_of_it(asked: str, found: Part) -> None:
    assert part(asked, 10) == found


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=999999999999999-", "bytes=-0"])
def test_a_range_behind_the_end_is_an_error(asked: str) -> None:
    with pytest.raises(Unsatisfiable):
        part(asked, 10)


@pytest.mark.parametrize(
    "asked",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=--1",
     "bytes=1-2-3", "bytes=0x1-2", "bytes=+1-2", "bytes=١-", "bytes=" + "9" * 99 + "-", "bytes=0-1" * 9],
)  # fmt: skip
def test_what_is_no_single_range_of_bytes_is_ignored(asked: str | None) -> None:
    assert part(asked, 10) is None


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), st.integers(0, 50))
def test_a_part_is_within_the_file_and_not_empty(asked: str, size: int) -> None:
    try:
        found = part(asked, size)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found.start < found.end <= size


def test_a_client_that_has_the_file_is_told_so_and_an_outdated_part_is_not_continued() -> None:
    for each in (TAG, f"W/{TAG}", f'"x", {TAG}', "*"):
        assert is_known(each, TAG)
    for other in (None, "", '"x"', "abc"):
        assert not is_known(other, TAG)
    assert wants_part(None, TAG)
    assert wants_part(TAG, TAG)
    for stale in ('"x"', f"W/{TAG}", "Thu, 01 Jan 2026 00:00:00 GMT"):
        assert not wants_part(stale, TAG)


@pytest.mark.parametrize("mime", ["image/png", "IMAGE/PNG", "image/png; x=y", "audio/ogg", "video/mp4"])
def test_pictures_sound_and_video_are_shown(mime: str) -> None:
    found = content(mime, "a.bin")
    assert found["Content-Type"] == mime.partition(";")[0].lower()
    assert found["Content-Disposition"].startswith("inline")


@pytest.mark.parametrize(
    "mime",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/javascript", "", "image", "image/",
     "/", "png", "image/png\r\nX: y", "image/png,text/html", "text/html;text/plain", "multipart/mixed", "text/css"],
)  # fmt: skip
def test_everything_else_is_a_download(mime: str) -> None:
    found = content(mime, "a.png")
    assert found["Content-Type"] == "application/octet-stream"
    assert found["Content-Disposition"].startswith("attachment")


def test_plain_text_is_utf_8_whatever_it_says() -> None:
    assert content("text/plain; charset=utf-7", "a.txt")["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("cat.png", 'inline; filename="cat.png"'),
        ("../../etc/passwd", 'inline; filename="passwd"'),
        ("C:\\x\\a b.txt", 'inline; filename="a b.txt"'),
        ("..", 'inline; filename="file"'),
        ("ä.png", "inline; filename=\"_.png\"; filename*=UTF-8''%C3%A4.png"),
        ('a"; x="b', "inline; filename=\"a__ x__b\"; filename*=UTF-8''a%22%3B%20x%3D%22b"),
    ],
)
def test_a_name_is_quoted_as_rfc_6266_has_it(name: str, header: str) -> None:
    assert disposition("inline", name) == header


@given(st.text(max_size=300))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = disposition("attachment", name)
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 2500
    assert header.count('"') == 2


@pytest.mark.parametrize(
    ("mime", "name", "saved"),
    [
        ("audio/ogg", "voice", "voice.ogg"),
        ("image/png; x=y", "a duck", "a duck.png"),
        ("image/png", "a.jpeg", "a.jpeg"),
        ("application/zip", "voice", "voice"),
        ("image/png", ".png", "png.png"),
    ],
)
def test_what_is_saved_has_an_ending_by_which_a_program_is_found(mime: str, name: str, saved: str) -> None:
    assert content(mime, name)["Content-Disposition"].endswith(f'filename="{saved}"')
