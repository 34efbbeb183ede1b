"""The operations of Matrix posts: tagged, and frozen in the payload."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.fields import table, word
from bridge.model.event import Act
from bridge.network import PermanentError

ID = "example.quackbridge.id"
"""The key in an event's content that holds the post's id. Nobody can own its domain (RFC 2606)."""
PARTS = "example.quackbridge.parts"
"""The key in a message's content that tells which of its lines are whose: `[[delivery id, number of lines], ...]`."""
_COMPACT = (",", ":")
_FACE = '"face":{'
_ACTS = frozenset(Act)
_MOVES = '{"op":"moves"'


@dataclass(frozen=True, slots=True)
class Say:
    """A message; `content` is that of its event (spec, "m.room.message"). `face`: who says it, where each speaker may
    have an account; then the mark is left out."""

    content: Mapping[str, object]
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Amend:
    """The lines of `part` (see `PARTS`) of the event `target` become those of `content`."""

    target: str
    part: str
    content: Mapping[str, object]
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Redact:
    """The lines of `part` (see `PARTS`) of the event `target` are removed, or all of it if nothing else is in it."""

    target: str
    part: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class React:
    """A reaction with `key` to the event `target` (spec, "m.annotation"), or its end if `removed`."""

    target: str
    key: str
    removed: bool = False
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class SetTopic:
    """The room's topic becomes `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Move:
    """Who has that face has left, or came (back), or is called `shown` now. `line` says it in words, for who has no
    ghost there; '' if nobody is told. `reason`: why they have left."""

    change: str
    line: str
    face: Face | None = None
    shown: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Moves:
    """What happened to several people: their ghosts do the same, and of the others it is said, `content` if there are
    no ghosts."""

    moves: tuple[Move, ...]
    content: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Moderate:
    """A kick, a ban or its end, of the `users` who are there. `content` says it instead where we have no power to."""

    act: Act
    users: tuple[str, ...]
    reason: str
    content: Mapping[str, object]


Operation = Say | Moves | Amend | Redact | React | SetTopic | Moderate


def encode(operation: Operation) -> str:
    """The payload of a post, in JSON."""
    fields: dict[str, object]
    match operation:
        case Say(content, face):
            fields = {"op": "say", "content": content} | _faced(face)
        case Amend(target, part, content, face):
            fields = _faced(face) | {"op": "amend", "target": target, "part": part, "content": content}
        case Redact(target, part, reason):
            fields = {"op": "redact", "target": target, "part": part, "reason": reason}
        case React(target, key, removed, face):
            fields = {"op": "react", "target": target, "key": key} | ({"removed": True} if removed else {})
            fields |= _faced(face)
        case SetTopic(text):
            fields = {"op": "topic", "text": text}
        case Moderate(act, users, reason, content):
            fields = {"op": "moderate", "act": act, "users": users, "reason": reason, "content": content}
        case Moves(moves, content):
            fields = {"op": "moves", "moves": [_moved(each) for each in moves], "content": content}
        case _ as never:
            assert_never(never)
    return compact(fields)


def decode(payload: str) -> Operation:
    """Read what `encode` wrote, or the bare content of an earlier version. Raises PermanentError for any other."""
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        fields = None
    match fields:
        case {"op": "say", "content": dict(content)}:
            return Say(content, _face(fields))
        case {"op": "amend", "target": str(target), "part": str(part), "content": dict(content)}:
            return Amend(target, part, content, _face(fields))
        case {"op": "redact", "target": str(target), "part": str(part), "reason": str(reason)}:
            return Redact(target, part, reason)
        case {"op": "react", "target": str(target), "key": str(key), **more}:
            return React(target, key, more.get("removed") is True, _face(fields))
        case {"op": "topic", "text": str(text)}:
            return SetTopic(text)
        case {"op": "moves" | "moderate"}:
            return _of_people(fields)
        case {"m.relates_to": {"rel_type": "m.annotation", "event_id": str(target), "key": str(key)}}:
            return React(target, key)
        case {"body": str()}:
            return Say(fields)
        case _:
            raise PermanentError("the stored message cannot be read")


def _of_people(fields: dict[str, object]) -> Operation:
    match fields:
        case {"op": "moves", "moves": list(moves), "content": dict(content)}:
            return Moves(tuple(_move(each) for each in moves if isinstance(each, dict)), content)
        case {"act": str(act), "users": list(users), "reason": str(reason), "content": dict(content)} if act in tuple(
            Act
        ):
            return Moderate(Act(act), tuple(map(str, users)), reason, content)
        case _:
            raise PermanentError("the stored message cannot be read")


def face_of(payload: str) -> Face | None:
    """Who speaks in a post, if they may have a ghost. Quick for what nobody speaks so."""
    if _FACE not in payload:
        return None
    operation = decode(payload)
    return operation.face if isinstance(operation, Say | Amend | React) else None


def moves_of(payload: str) -> Moves | None:
    """What happened to people whose ghosts may show it; None if a post is something else."""
    operation = decode(payload) if payload.startswith(_MOVES) else None
    return operation if isinstance(operation, Moves) else None


def _moved(move: Move) -> dict[str, object]:
    fields = {"change": move.change, "line": move.line, "shown": move.shown, "reason": move.reason}
    return {key: value for key, value in fields.items() if value} | _faced(move.face)


def _move(fields: dict[str, object]) -> Move:
    change, line, shown, reason = (word(fields, key) for key in ("change", "line", "shown", "reason"))
    return Move(change, line, _face(fields), shown, reason)


def _faced(face: Face | None) -> dict[str, object]:
    return {} if face is None else {"face": face.encode()}


def _face(fields: dict[str, object]) -> Face | None:
    return Face.decode(table(fields, "face"))


def compact(fields: object) -> str:
    """JSON without blanks."""
    return json.dumps(fields, ensure_ascii=False, separators=_COMPACT)
