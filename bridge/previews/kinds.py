"""Tells by its first bytes what a file is: a picture, sound or video that Matrix clients show. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

HEAD = 4096
"""Bytes at the beginning of a file that tell what it is."""


@dataclass(frozen=True, slots=True)
class FileType:
    """`extensions`: how names of such files end; the first is the usual one."""

    kind: Literal["image", "audio", "video"]
    mime: str
    extensions: tuple[str, ...]


PNG = FileType("image", "image/png", ("png", "apng"))
JPEG = FileType("image", "image/jpeg", ("jpg", "jpeg", "jpe", "jfif"))
GIF = FileType("image", "image/gif", ("gif",))
WEBP = FileType("image", "image/webp", ("webp",))
AVIF = FileType("image", "image/avif", ("avif",))
MP4 = FileType("video", "video/mp4", ("mp4", "m4v"))
QUICKTIME = FileType("video", "video/quicktime", ("mov", "qt"))
WEBM = FileType("video", "video/webm", ("webm",))
OGV = FileType("video", "video/ogg", ("ogv", "ogg"))
OGG = FileType("audio", "audio/ogg", ("ogg", "oga", "opus", "spx"))
M4A = FileType("audio", "audio/mp4", ("m4a", "m4b", "mp4"))
MP3 = FileType("audio", "audio/mpeg", ("mp3",))
AAC = FileType("audio", "audio/aac", ("aac",))
FLAC = FileType("audio", "audio/flac", ("flac",))
WAV = FileType("audio", "audio/wav", ("wav",))
# None of: SVG and HTML (scripts), BMP, TIFF, HEIC, Matroska, AVI (clients do not show them)

_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"M4V "), MP4),
    **dict.fromkeys((b"M4A ", b"M4B "), M4A),
    b"qt  ": QUICKTIME,
}
_OGG = {
    b"OpusHead": OGG,
    b"\x01vorbis": OGG,
    b"\x7fFLAC": OGG,
    b"Speex   ": OGG,
    b"\x80theora": OGV,
    b"fishead\0": OGV,
}
_DOCTYPE = re.compile(rb"\x42\x82(?:\x84|\x40\x04|\x10\x00\x00\x04|\x01\x00{6}\x04)webm")
_RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_HERTZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def type_of(head: bytes) -> FileType | None:
    """What a file is that begins with `head` (up to `HEAD` bytes); None if it is nothing that is shown."""
    if head.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head.startswith(b"RIFF"):
        return {b"WEBP": WEBP, b"WAVE": WAV}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _of_boxes(head)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM if _DOCTYPE.search(head[:64]) else None
    if head.startswith(b"OggS"):
        return _of_pages(head)
    if head.startswith(b"fLaC"):
        return FLAC
    return _of_frames(head)


def _of_boxes(head: bytes) -> FileType | None:
    """By the brand of an ISO base media file (ISO/IEC 14496-12 section 4.3), else by the ones that it is compatible
    with: their meaning is the order in which they stand."""
    size = min(int.from_bytes(head[:4]), len(head), 512)
    brands = (head[8:12], *(head[start : start + 4] for start in range(16, size - 3, 4)))
    return next((found for brand in brands if (found := _BRANDS.get(brand)) is not None), None)


def _of_pages(head: bytes) -> FileType | None:
    """By the codec that the first page of an Ogg file names (RFC 3533 section 6)."""
    if len(head) < 27:
        return None
    start = 27 + head[26]
    return next((found for codec, found in _OGG.items() if head.startswith(codec, start)), None)


def _of_frames(head: bytes) -> FileType | None:
    """MP3 and AAC are a row of frames: what looks like the beginning of one is one if the next follows it. An ID3 tag
    may be longer than `head`."""
    if head.startswith(b"ID3") and len(head) >= 10 and head[3] in (2, 3, 4) and all(byte < 128 for byte in head[6:10]):
        return MP3
    for found, length_of in ((MP3, _mp3_frame), (AAC, _aac_frame)):
        length = length_of(head)
        if length and length_of(head[length:]):
            return found
    return None


def _mp3_frame(head: bytes) -> int:
    """The length in bytes of the frame of MPEG audio layer III at the beginning of `head`; 0 if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, padding = head[1] >> 3 & 3, head[2] >> 1 & 1
    hertz, rate = head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or hertz == 3:
        return 0
    kilobits = (_RATES if version == 3 else _RATES_2)[rate]
    samples = 144 if version == 3 else 72
    return samples * 1000 * kilobits // _HERTZ[version][hertz] + padding if kilobits else 0


def _aac_frame(head: bytes) -> int:
    """The length in bytes of the ADTS frame (ISO/IEC 13818-7 section 6.2) at the beginning of `head`; 0 if it is
    none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else 0
