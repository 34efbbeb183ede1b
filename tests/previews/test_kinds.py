"""What a file is, is told by its first bytes alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.previews import kinds
from bridge.previews.kinds import HEAD, FileType, type_of
from tests.previews.hostile import picture


def _boxes(*brands: bytes) -> bytes:
    """The beginning of an ISO base media file: its brand, a version, and the brands that it is compatible with."""
    return (8 + 4 * (len(brands) + 1)).to_bytes(4) + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])


def _page(codec: bytes) -> bytes:
    """The first page of an Ogg file."""
    return b"OggS\0\x02" + bytes(20) + b"\x01" + bytes([len(codec)]) + codec


_MP3 = (b"\xff\xfb\x90\x00" + bytes(413)) * 3  # 128 kbit/s, 44.1 kHz: 417 bytes a frame
_MP3_2 = (b"\xff\xf3\x48\xc0" + bytes(140)) * 3  # MPEG 2, 32 kbit/s, 16 kHz: 144 bytes a frame
_AAC = (b"\xff\xf1\x50\x80\x02\x00\xfc" + bytes(9)) * 3  # 16 bytes a frame
_WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm"

KNOWN = [
    (picture(), kinds.PNG),
    (picture(format="JPEG"), kinds.JPEG),
    (picture(format="GIF"), kinds.GIF),
    (picture(format="WEBP"), kinds.WEBP),
    (picture(format="WEBP", lossless=True), kinds.WEBP),
    (picture(format="AVIF"), kinds.AVIF),
    (_boxes(b"avis", b"msf1"), kinds.AVIF),
    (_boxes(b"mif1", b"miaf", b"avif"), kinds.AVIF),
    (_boxes(b"isom", b"iso2", b"avc1", b"mp41"), kinds.MP4),
    (_boxes(b"mp42", b"isom"), kinds.MP4),
    (_boxes(b"MSNV", b"isom"), kinds.MP4),
    (_boxes(b"M4V ", b"M4A "), kinds.MP4),
    (_boxes(b"qt  ", b"qt  "), kinds.QUICKTIME),
    (_boxes(b"M4A ", b"isom", b"mp42"), kinds.M4A),
    (_WEBM + bytes(100), kinds.WEBM),
    (_page(b"OpusHead\x01"), kinds.OGG),
    (_page(b"\x01vorbis"), kinds.OGG),
    (_page(b"\x7fFLAC"), kinds.OGG),
    (_page(b"\x80theora"), kinds.OGV),
    (b"fLaC\0\0\0\x22" + bytes(34), kinds.FLAC),
    (b"RIFF\x24\0\0\0WAVEfmt ", kinds.WAV),
    (b"ID3\x04\0\0\0\0\x0f\x76" + bytes(2_038), kinds.MP3),
    (_MP3, kinds.MP3),
    (_MP3_2, kinds.MP3),
    (_AAC, kinds.AAC),
]


@pytest.mark.parametrize(("data", "expected"), KNOWN)
def test_a_file_is_known_by_its_first_bytes(data: bytes, expected: FileType) -> None:
    assert type_of(data[:HEAD]) is expected


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"<!DOCTYPE html><html></html>",
        _SVG,
        b"\xef\xbb\xbf" + _SVG,
        b"<?xml version='1.0'?>" + _SVG,
        _SVG + picture(),
        b" " + picture(),
        picture(format="BMP"),
        picture(format="TIFF"),
        picture(format="ICO"),
        b"\x89PNG\r\n\x1a\n" + _SVG,
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"MZ\x90\0",
        b"\x7fELF",
        b"\x1f\x8b\x08\0",
        b"RIFF\x24\0\0\0AVI LIST",
        b"RIFF",
        _boxes(b"heic", b"mif1", b"heic"),
        _boxes(b"crx ", b"crx "),
        b"\0\0\0\x20ftyp",
        _WEBM.replace(b"\x84webm", b"\x88matroska"),
        b"\x1a\x45\xdf\xa3",
        _page(b"unknown"),
        b"OggS",
        b"ID3",
        b"ID3\x04\0\0\0\0\x8f\x76",
        b"ID3<script>alert(1)</script>",
        "\ufeff<html>".encode("utf-16-le") * 500,
        _MP3[:417],
        b"\xff\xfb\x90\x00" + b"<html>" * 600,
        b"\xff\xf1\x50\x80\x02\x00\xfc" + b"<html>" * 600,
        b"\xff" * HEAD,
        bytes(HEAD),
    ],
)
def test_what_no_client_shows_or_may_hold_a_script_is_nothing(data: bytes) -> None:
    assert type_of(data[:HEAD]) is None


@given(st.binary(max_size=60), st.sampled_from([b"", b"RIFF", b"\0\0\0\x20ftyp", b"\x1a\x45\xdf\xa3", b"OggS", b"ID3"]))
def test_any_bytes_are_some_type_or_none(data: bytes, start: bytes) -> None:
    type_of(start + data)


@given(st.sampled_from(KNOWN), st.integers(0, 400))
def test_a_file_that_is_cut_is_what_it_is_or_nothing(known: tuple[bytes, FileType], length: int) -> None:
    data, expected = known
    assert type_of(data[:length]) in (expected, None, kinds.MP4 if expected is kinds.AVIF else None)
