"""The files of a Matrix message: pictures, sound, video and others, with what clients say of them."""

from typing import Literal

from bridge.matrix.dialect.fields import Json, number, table, word
from bridge.model.event import Media
from bridge.model.text import one_line

_Kind = Literal["image", "file", "audio", "video", "voice", "sticker"]
_KINDS: dict[str, _Kind] = {"m.image": "image", "m.file": "file", "m.audio": "audio", "m.video": "video"}
_VOICE = ("org.matrix.msc3245.voice", "m.voice")
"""What marks a voice message (MSC3245, before and after it is final)."""
_NAME = 100
"""Characters of a name at most: with a link it fits one line on IRC."""
_MIME = 100
_SOURCE = 255
"""Bytes of an `mxc://` URI at most, as Synapse has it."""


def kind_of(event: Json, said: Json) -> _Kind | None:
    """The kind of file that `said`, the content of `event` or what replaces it, is about; None if it is about none."""
    if word(event, "type") == "m.sticker":
        return "sticker"
    kind = _KINDS.get(word(said, "msgtype"))
    return "voice" if kind == "audio" and any(isinstance(said.get(key), dict) for key in _VOICE) else kind


def files(event: Json, said: Json) -> tuple[Media, ...]:
    """The file of `said`. An encrypted one has no `url`, and so no source: it is not carried yet."""
    kind = kind_of(event, said)
    if kind is None:
        return ()
    info = table(said, "info")
    size, milliseconds = number(info, "size"), number(info, "duration")
    source = word(said, "url")
    is_source = source.startswith("mxc://") and len(source.encode()) <= _SOURCE
    return (
        Media(
            kind,
            _named(kind, said),
            size if size is not None and size >= 0 else None,
            one_line(word(info, "mimetype"), _MIME),
            source if is_source else "",
            milliseconds / 1000 if milliseconds and milliseconds > 0 and kind in ("audio", "video", "voice") else None,
        ),
    )


def _named(kind: _Kind, said: Json) -> str:
    """Its name; a voice message has only one that its client made up."""
    if kind == "voice":
        return ""
    body = word(said, "body") if kind == "sticker" else word(said, "filename") or word(said, "body")
    return " ".join(one_line(body, _NAME).split()) or "no name"
