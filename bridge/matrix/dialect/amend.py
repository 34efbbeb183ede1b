"""Edits and removals of what was sent: an event may hold the words of several messages, each a part of it. No I/O."""

from collections.abc import Mapping
from html import escape

from bridge.matrix.dialect.captions import captioned
from bridge.matrix.dialect.fields import Json, table, values, word
from bridge.matrix.dialect.html import FORMAT
from bridge.matrix.dialect.operations import ID, PARTS, compact
from bridge.matrix.dialect.profile import PROFILE
from bridge.network import Needless

_BREAK = "<br>"
_FALLBACK = 1000
"""Most characters of what clients show that know no edits."""
LARGEST = 48 * 1024
"""Most bytes of an edited event's new content, in JSON: with its fallback and what the homeserver adds it fits into the
65,536 bytes of an event (spec, "Size limits")."""
_KEPT_OUT = (ID, "m.relates_to", "m.new_content")

Parts = tuple[tuple[str, int], ...]


class Entangled(Exception):
    """It is unknown which lines of the event are the message's: an earlier version sent it, or it grew too large."""


def latest(event: Json) -> Json | str:
    """The content of `event` as it is shown now, by the edit that its homeserver bundles with it (spec, "Server-side
    aggregation of m.replace"); the id of that edit, if the homeserver tells no more than that."""
    edit = table(event, "unsigned", "m.relations", "m.replace")
    if not edit:
        return table(event, "content")
    return table(edit, "content", "m.new_content") or word(edit, "event_id") or table(event, "content")


def parts(content: Json) -> Parts:
    """Which lines of `content` are whose. Empty if it does not say so."""
    found: list[tuple[str, int]] = []
    for part in values(content, PARTS):
        match part:
            case [str(name), int(number)] if number > 0:
                found.append((name, number))
            case _:
                return ()
    lines = word(content, "body").count("\n") + 1
    return tuple(found) if sum(number for _, number in found) == lines else ()


def amended(shown: Json, part: str, new: Json) -> Json:
    """`shown`, still with its file, with the lines of `new` in the place of `part`. Raises Needless if it has no such
    part any more, and Entangled."""
    whose = parts(shown)
    if not whose and "\n" not in word(shown, "body"):
        return captioned(shown, new)  # a single line is one message's, whoever sent it
    if not whose:
        raise Entangled
    if [name for name, _ in whose] == [part]:
        return captioned(shown, new)
    return _fitting(_exchanged(shown, whose, part, new))


def without(shown: Json, part: str) -> Json | None:
    """`shown` without the lines of `part`; None if nothing else is in it, as far as it tells. Raises Needless if it has
    no such part any more, and Entangled."""
    whose = parts(shown)
    if not whose or [name for name, _ in whose] == [part]:
        return None
    return _fitting(_exchanged(shown, whose, part, None))


def replacement(target: str, new: Json) -> dict[str, object]:
    """The content of the event by which `target` becomes `new` (spec, "Event replacements"). Mentions nobody anew."""
    body = word(new, "body")
    kind = word(new, "msgtype") or "m.text"
    fallback = captioned(new, {"msgtype": kind, "body": f"* {_cut(body)}", "m.mentions": {}})
    shown = table(new, PROFILE)
    if shown:
        fallback[PROFILE] = {key: value for key, value in shown.items() if key != "has_fallback"}
    return fallback | {
        "m.new_content": {key: value for key, value in new.items() if key not in _KEPT_OUT},
        "m.relates_to": {"rel_type": "m.replace", "event_id": target},
    }


def told(target: str, new: Json) -> dict[str, object]:
    """`new` as a message of its own, in reply to `target`, which cannot be edited."""
    said = {key: value for key, value in new.items() if key not in _KEPT_OUT}
    said["body"] = f"(edited) {word(new, 'body')}"
    if "formatted_body" in new:
        said["formatted_body"] = f"(edited) {word(new, 'formatted_body')}"
    return said | {"m.relates_to": {"m.in_reply_to": {"event_id": target}}}


def _cut(body: str) -> str:
    return body if len(body) <= _FALLBACK else body[: _FALLBACK - 1] + "…"


def _exchanged(shown: Json, whose: Parts, part: str, new: Json | None) -> dict[str, object]:
    """`shown` with the lines of `part` exchanged for those of `new`, or taken out."""
    at = 0
    for name, number in whose:
        if name == part:
            break
        at += number
    else:
        raise Needless
    news = _bodies(new) if new is not None else []
    content = dict(shown)
    content["body"] = "\n".join(_spliced(_bodies(shown), at, number, news))
    if "formatted_body" in shown or "formatted_body" in (new or {}):
        markup = _markups(new) if new is not None else []
        content["format"] = FORMAT
        content["formatted_body"] = _BREAK.join(_spliced(_markups(shown), at, number, markup))
    content[PARTS] = [
        [name, len(news) if name == part else each] for name, each in whose if name != part or new is not None
    ]
    return content


def _spliced(lines: list[str], at: int, number: int, news: list[str]) -> list[str]:
    return [*lines[:at], *news, *lines[at + number :]]


def _bodies(content: Json) -> list[str]:
    return word(content, "body").split("\n")


def _markups(content: Json) -> list[str]:
    """The lines of `content` as HTML. Raises Entangled if they are not those of its body."""
    bodies = _bodies(content)
    if "formatted_body" not in content:
        return [escape(line) for line in bodies]
    lines = word(content, "formatted_body").split(_BREAK)
    if len(lines) != len(bodies):
        raise Entangled
    return lines


def _fitting(content: Mapping[str, object]) -> Json:
    """`content` without its HTML if it is too large with it. Raises Entangled if it is too large without."""
    for unneeded in ((), ("format", "formatted_body")):
        left = {key: value for key, value in content.items() if key not in unneeded}
        if len(compact(left).encode()) <= LARGEST:
            return left
    raise Entangled
