"""The size and the looks of pictures, also of those that are made to do harm."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ImageFile import ImageFile

from bridge.previews import pictures
from bridge.previews.kinds import AVIF, GIF, JPEG, MP3, PNG, WEBP, FileType, type_of
from bridge.previews.pictures import Looks, looks
from tests.previews.hostile import picture

FORMATS = [(PNG, "PNG"), (JPEG, "JPEG"), (GIF, "GIF"), (WEBP, "WEBP")]


@pytest.mark.parametrize(("file_type", "format"), FORMATS)
def test_a_picture_has_its_size_and_a_blurhash(file_type: FileType, format: str) -> None:  # noqa: A002
    seen = looks(picture(640, 480, format), file_type)
    assert (seen.width, seen.height, len(seen.blurhash)) == (640, 480, 28)


def test_a_blurhash_is_that_of_what_people_see() -> None:
    blue_and_red = looks(picture(64, 64), PNG).blurhash
    assert looks(picture(640, 640, "WEBP", lossless=True), WEBP).blurhash == blue_and_red
    turned = Image.Exif()
    turned[0x0112] = 8  # to be turned by 90 degrees: red is above then
    seen = looks(picture(800, 400, "JPEG", exif=turned, quality=95), JPEG)
    assert (seen.width, seen.height) == (400, 800)
    assert len({seen.blurhash, looks(picture(800, 400, "JPEG", quality=95), JPEG).blurhash}) == 2


def test_of_a_large_picture_only_the_header_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []
    load = ImageFile.load

    def noted(self: ImageFile) -> object:
        loaded.append(self)
        return load(self)

    monkeypatch.setattr(ImageFile, "load", noted)
    assert looks(picture(640, 480), PNG).blurhash
    assert len(loaded) > 0
    loaded.clear()
    monkeypatch.setattr(pictures, "_MOST_DECODED", 640 * 480 - 1)
    for file_type, format in FORMATS:  # noqa: A001
        assert looks(picture(640, 480, format), file_type) == Looks(640, 480)
    assert loaded == []


def test_a_large_webp_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decoder makes room for the whole canvas then."""
    files = [picture(640, 480, "WEBP", lossless=lossless) for lossless in (False, True)]
    monkeypatch.setattr(pictures, "_MOST_DECODED", 1)
    opened: list[object] = []
    monkeypatch.setattr("PIL.Image.open", lambda *file, **_: opened.append(file))
    assert [looks(each, WEBP) for each in files] == [Looks(640, 480)] * 2
    assert opened == []


def _png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), *chunks, (b"IEND", b""))
    )


def test_a_picture_that_grows_beyond_all_bounds_is_not_decoded() -> None:
    bomb = (b"IDAT", zlib.compress(bytes(10_000_000)))
    assert looks(_png(60_000, 60_000, bomb), PNG) == Looks()
    assert looks(_png(10_000, 10_000, bomb), PNG) == Looks()
    assert looks(_png(5_000, 5_000, bomb), PNG) == Looks(5_000, 5_000)
    texts = [(b"zTXt", b"a\0\0" + zlib.compress(bytes(60_000_000)))] * 3
    assert looks(_png(5, 5, *texts, bomb), PNG).blurhash == ""
    canvas = picture(5, 5, "WEBP", lossless=True)
    frame = b"VP8X" + struct.pack("<IBBBB", 10, 0, 0, 0, 0) + (16_383).to_bytes(3, "little") * 2
    large = b"RIFF" + (len(canvas) - 8 + len(frame)).to_bytes(4, "little") + b"WEBP" + frame + canvas[12:]
    assert type_of(large) is WEBP
    assert looks(large, WEBP) == Looks(16_384, 16_384)


@pytest.mark.parametrize(("file_type", "format"), FORMATS)
def test_a_picture_that_is_broken_has_no_looks(file_type: FileType, format: str) -> None:  # noqa: A002
    data = picture(64, 64, format)
    for broken in (b"", data[:12], data[:40], data[: len(data) // 2], bytes(len(data))):
        assert looks(broken, file_type).blurhash == ""


@pytest.mark.parametrize(("file_type", "format"), FORMATS)
@settings(max_examples=30)
@given(st.data())
def test_no_bytes_do_harm(file_type: FileType, format: str, data: st.DataObject) -> None:  # noqa: A002
    whole = bytearray(picture(8, 8, format))
    for _ in range(3):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    looks(bytes(whole), file_type)


def test_what_is_decoded_is_decoded_as_what_it_is() -> None:
    assert looks(picture(8, 8, "TIFF"), PNG) == Looks()
    assert looks(picture(8, 8, "GIF"), JPEG) == Looks()
    assert looks(picture(8, 8, "AVIF"), AVIF) == Looks()
    assert looks(b"ID3", MP3) == Looks()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_pictures_of_any_colours_have_a_blurhash(mode: str) -> None:
    out = io.BytesIO()
    name, file_type = ("JPEG", JPEG) if mode == "CMYK" else ("PNG", PNG)
    Image.new(mode, (50, 3)).save(out, name)
    assert len(looks(out.getvalue(), file_type).blurhash) == 28


def test_what_one_may_see_through_is_white_behind() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    white = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(white, "PNG")
    assert looks(out.getvalue(), PNG).blurhash == looks(white.getvalue(), PNG).blurhash
