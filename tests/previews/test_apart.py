"""Pictures are looked at in a process of its own, which ends when it costs too much."""

import asyncio
import io
import sys
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from bridge.previews import apart
from bridge.previews.apart import Decoder
from bridge.previews.kinds import GIF, JPEG, MP4, PNG, WEBP, FileType
from bridge.previews.pictures import Looks, looks

pytestmark = pytest.mark.real_time


def _saved(kind: str, size: tuple[int, int] = (40, 30), **how: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "orange").save(file, kind, **how)
    return file.getvalue()


def _scans() -> bytes:
    """A progressive JPEG whose last scan comes again and again: each goes through all of the picture."""
    file = _saved("JPEG", (2000, 2000), progressive=True)
    end = len(file) - 2
    return file[:end] + file[file.rindex(b"\xff\xda") : end] * 500_000 + file[end:]


def _profiles() -> bytes:
    """A PNG with thousands of colour profiles, each of a megabyte once it is unpacked."""
    file, profile = _saved("PNG"), b"iCCPa\0\0" + zlib.compress(bytes(1_000_000), 9)
    chunk = (len(profile) - 4).to_bytes(4) + profile + zlib.crc32(profile).to_bytes(4)
    return file[:33] + chunk * 15_000 + file[33:]


def _segments() -> bytes:
    """A JPEG with millions of empty segments: an object each."""
    file = _saved("JPEG")
    return file[:2] + b"\xff\xe5\0\2" * 4_500_000 + file[2:]


def _exif() -> bytes:
    """A JPEG with a million Exif segments, each of which is put behind all before it."""
    file = _saved("JPEG")
    return file[:2] + b"\xff\xe1\0\x10Exif\0\0MM\0*\0\0\0\x08" * 1_000_000 + file[2:]


@pytest.mark.parametrize(("kind", "file_type"), [("PNG", PNG), ("JPEG", JPEG), ("GIF", GIF), ("WEBP", WEBP)])
async def test_a_picture_looks_the_same_in_a_process_of_its_own(kind: str, file_type: FileType) -> None:
    found = await Decoder().looks(_saved(kind), file_type)
    assert found == looks(_saved(kind), file_type)
    assert (found.width, found.height, bool(found.blurhash)) == (40, 30, True)


@pytest.mark.parametrize(("bomb", "file_type"), [(_scans, JPEG), (_profiles, PNG), (_segments, JPEG), (_exif, JPEG)])
async def test_a_file_that_would_keep_a_decoder_busy_for_hours_is_given_up_and_the_next_is_not(
    bomb: Callable[[], bytes], file_type: FileType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_RUN", apart._RUN.replace("apart.main", "apart._CPU_S = 1; apart.main"))
    decoder, data = Decoder(), bomb()
    assert len(data) <= 20_000_000
    async with asyncio.timeout(90):  # a busy machine has little time for a process that is nice
        assert (await decoder.looks(data, file_type)).blurhash == ""
    assert await decoder.looks(_saved("PNG"), PNG) == looks(_saved("PNG"), PNG)


async def test_who_waits_no_more_for_a_picture_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_RUN", "import time; time.sleep(60)")
    decoder = Decoder()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await decoder.looks(_saved("PNG"), PNG)
    monkeypatch.undo()
    async with asyncio.timeout(30):
        assert (await decoder.looks(_saved("PNG"), PNG)).width == 40


async def test_a_process_that_leaves_another_behind_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_RUN", "import os, time; print('x' * 5000, flush=True); os.fork() or time.sleep(20)")
    async with asyncio.timeout(30):
        assert await Decoder().looks(b"", PNG) == Looks()


async def test_sound_and_videos_cost_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "create_subprocess_exec", None)
    assert await Decoder().looks(b"", MP4) == Looks()


@pytest.mark.parametrize(
    "said",
    ["''", "'x'", "'[]'", "'{}'", "'[' * 1000", "'1' * 5000", "'x' * 10**9",
     """'{"width": "1", "height": 1, "blurhash": ""}'""", """'{"width": 1, "height": 1}'""",
     """'{"width": -1, "height": 1, "blurhash": ""}'""", """'{"width": 1e9, "height": 1, "blurhash": ""}'""",
     """'{"width": 99999999999999999999, "height": true, "blurhash": ""}'"""],
)  # fmt: skip
async def test_what_a_process_says_that_a_picture_has_taken_over_is_not_believed(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_RUN", f"print({said})")
    assert await Decoder().looks(b"", PNG) == Looks()


async def test_our_secrets_are_not_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hush")
    monkeypatch.setattr(
        apart, "_RUN", "import os, json; print(json.dumps({'width': 1, 'height': 1, 'blurhash': str(os.environ)}))"
    )
    found = await Decoder().looks(b"", PNG)
    assert found.width == 1
    assert "hush" not in found.blurhash


async def test_without_a_process_a_picture_goes_without_its_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert await Decoder().looks(_saved("PNG"), PNG) == Looks()
