"""The operations of Matrix posts: tagged, frozen in the payload, and the request that goes out for each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from bridge.model.outbox import Post
from bridge.network import PermanentError

ID = "example.quackbridge.id"
"""The key in an event's content that holds the post's id. Nobody can own its domain (RFC 2606)."""
_COMPACT = (",", ":")


@dataclass(frozen=True, slots=True)
class Say:
    """A message; `content` is that of its event (spec, "m.room.message")."""

    content: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class React:
    """A reaction with `key` to the event `target` (spec, "m.annotation")."""

    target: str
    key: str


Operation = Say | React


def encode(operation: Operation) -> str:
    """The payload of a post, in JSON."""
    match operation:
        case Say(content):
            fields = {"op": "say", "content": content}
        case React(target, key):
            fields = {"op": "react", "target": target, "key": key}
        case _ as never:
            assert_never(never)
    return json.dumps(fields, ensure_ascii=False, separators=_COMPACT)


def decode(payload: str) -> Operation:
    """Read what `encode` wrote, or the bare content of an earlier version. Raises PermanentError for any other."""
    try:
        fields = json.loads(payload)
    except ValueError:
        fields = None
    match fields:
        case {"op": "say", "content": dict(content)}:
            return Say(content)
        case {"op": "react", "target": str(target), "key": str(key)}:
            return React(target, key)
        case {"m.relates_to": {"rel_type": "m.annotation", "event_id": str(target), "key": str(key)}}:
            return React(target, key)
        case {"body": str()}:
            return Say(fields)
        case _:
            raise PermanentError("the stored message cannot be read")


def request(post: Post) -> tuple[str, str]:
    """The event type and the JSON content to send for `post`, with the id by which we can find it again. Raises
    PermanentError if its payload cannot be read."""
    content: dict[str, object]
    match decode(post.payload):
        case Say(content=said):
            event_type, content = "m.room.message", {**said}
        case React(target, key):
            event_type = "m.reaction"
            content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": key}}
        case _ as never:
            assert_never(never)
    return event_type, json.dumps(content | {ID: post.id}, ensure_ascii=False, separators=_COMPACT)
