"""The content of our messages that have a file: their words are its caption (spec, "Media captions"). No I/O."""

from collections.abc import Mapping

from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.dialect.lines import encodable
from bridge.matrix.dialect.sources import file_of, parse
from bridge.model.outbox import Attached
from bridge.model.text import one_line

_KINDS = frozenset(("m.image", "m.video", "m.audio", "m.file"))
_FILE = ("msgtype", "url", "file", "filename", "info")
"""What an event has of its file; the other keys are about its words."""
_NAME, _MIME = 100, 100
_BLURHASH = 200
"""Most characters of a blurhash: the longest, of nine by nine components, has 166."""


def attached(file: Attached) -> dict[str, object]:
    """The keys of an event that has `file` (spec, "m.image", "m.video", "m.audio"; the blurhash: MSC2448)."""
    info: dict[str, object] = {"size": file.size, "mimetype": _line(file.mime, _MIME)}
    more = {
        "w": file.width,
        "h": file.height,
        "duration": None if file.length is None else round(file.length * 1000),
        "xyz.amorgan.blurhash": _line(file.blurhash, _BLURHASH + 1) if len(file.blurhash) <= _BLURHASH else None,
    }
    info |= {key: value for key, value in more.items() if value}
    source = parse(file.source)
    where = {"file": file_of(source)} if source is not None and source.key is not None else {"url": file.source}
    return {"msgtype": f"m.{file.kind}", **where, "filename": _line(file.name, _NAME), "info": info}


def captioned(shown: Json, words: Mapping[str, object]) -> dict[str, object]:
    """`words`, the content of an event, with the file that `shown` has; as they are if it has none."""
    if word(shown, "msgtype") not in _KINDS:
        return dict(words)
    return {**words, **{key: shown[key] for key in _FILE if key in shown}}


def _line(text: str, most: int) -> str:
    return encodable(one_line(text, most))
