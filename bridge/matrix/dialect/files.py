"""The files of a Matrix message: pictures, sound, video and others, with what clients say of them."""

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from bridge.matrix.dialect.fields import Json, number, table, tables, word
from bridge.matrix.dialect.sources import source_of
from bridge.model.event import Media
from bridge.model.text import one_line

_Kind = Literal["image", "file", "audio", "video", "voice", "sticker"]
_KINDS: dict[str, _Kind] = {"m.image": "image", "m.file": "file", "m.audio": "audio", "m.video": "video"}
_VOICE = ("org.matrix.msc3245.voice", "m.voice")
"""What marks a voice message (MSC3245, before and after it is final)."""
_GALLERIES = ("m.gallery", "dm.filament.gallery")
"""Messages with several files (MSC4274, after and before it is final)."""
MOST = 20
"""Files of one message at most: each is a link on IRC. An event has place for some sixty."""
_NAME = 100
"""Characters of a name at most: with a link it fits one line on IRC."""
_MIME = 100
_LONGEST_S = 7 * 24 * 3600.0
"""Seconds of a sound or a video at most; what claims to be longer does not say how long it is."""


def is_gallery(said: Json) -> bool:
    """Whether `said`, the content of a message or what replaces it, may have several files."""
    return word(said, "msgtype") in _GALLERIES


def kind_of(event: Json, said: Json) -> _Kind | None:
    """The kind of file that `said`, the content of `event` or what replaces it, is about;
    None if it is about none. Of a gallery it is that of the first file."""
    if word(event, "type") == "m.sticker":
        return "sticker"
    if is_gallery(said):
        return next((kind for kind, _ in _items(said)), None)
    return _kind(word(said, "msgtype"), said)


def files(event: Json, said: Json) -> tuple[Media, ...]:
    """The files of `said`, at most `MOST`."""
    if word(event, "type") != "m.sticker" and is_gallery(said):
        return tuple(_file(kind, item) for kind, item in islice(_items(said), MOST))
    kind = kind_of(event, said)
    return () if kind is None else (_file(kind, said),)


def number_of(said: Json) -> int:
    """How many files a gallery has."""
    return sum(1 for _ in _items(said))


def _items(said: Json) -> Iterator[tuple[_Kind, Json]]:
    """The files of a gallery: objects of a known type. Anything else, a gallery too, is none."""
    for item in tables(said, "itemtypes"):
        if (kind := _kind(word(item, "itemtype"), item)) is not None:
            yield kind, item


def _kind(name: str, said: Json) -> _Kind | None:
    kind = _KINDS.get(name)
    return "voice" if kind == "audio" and any(isinstance(said.get(key), dict) for key in _VOICE) else kind


def _file(kind: _Kind, said: Json) -> Media:
    info = table(said, "info")
    size = number(info, "size")
    mime = one_line(word(info, "mimetype"), _MIME)
    length = _length(info) if kind in ("audio", "video", "voice") else None
    return Media(
        kind, _named(kind, said), size if size is not None and size >= 0 else None, mime, source_of(said), length
    )


def _length(info: Json) -> float | None:
    """Seconds; None if it does not say, or nothing that can be."""
    seconds = (number(info, "duration") or 0) / 1000
    return seconds if 0 < seconds <= _LONGEST_S else None


def _named(kind: _Kind, said: Json) -> str:
    """Its name, '' if it has none; a voice message has only one that its client made up."""
    if kind == "voice":
        return ""
    body = word(said, "body") if kind == "sticker" else word(said, "filename") or word(said, "body")
    return " ".join(one_line(body, _NAME).split())
