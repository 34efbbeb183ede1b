"""What a case is: what people do on one network, and what people see of it on the other. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HOMESERVER = "localhost"
STOP, START = "the bridge stops", "the bridge starts"
"""What nobody does: a `Step` of theirs has no `who`."""

_Json = Mapping[str, Any]
Seen = str | Mapping[str, Any]
"""A line on IRC as `readable` writes it, or a Matrix event as `shown` does (`tests.cases.readable`)."""


class Direction(StrEnum):
    """Which of the two tables a case is in. A case may have steps of both directions."""

    TO_IRC = "Matrix to IRC"
    TO_MATRIX = "IRC to Matrix"


@dataclass(frozen=True, slots=True)
class Step:
    """`who` does something, and on the other network people see `seen`, in order.

    `does`: a line on IRC, with `{channel}` for the channel; or a Matrix event, `{"type": ..., "content": ...}`, or one
    of `{"type": "join" | "leave" | "rename" | "kick" | "redact", ...}`. A string `$1` in it stands for the first step
    of the case: its event on Matrix, its line on IRC, where it was said and where it was carried to alike. The next
    step is taken when all of `seen` is there, and after a `pause` (in seconds).
    """

    who: str
    does: str | Mapping[str, Any]
    seen: tuple[Seen, ...] = ()
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """`title` says in plain words what is shown. `settings` are those of the link, beside the defaults
    (`media.links`: of its section `media`); no links are made unless they say so. `tags`: it
    needs an IRC server with IRCv3; all others are the same without, but for the mark of an answer (`RE`)."""

    direction: Direction
    title: str
    steps: tuple[Step, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    tags: bool = False


RE = " ↩"
"""At the end of a line on IRC: it has the tag `+draft/reply` for the line of the step behind it."""


# What people do on Matrix


def event(kind: str, content: Mapping[str, Any], *seen: Seen, who: str = "alice", pause: float = 0.0) -> Step:
    return Step(who, {"type": kind, "content": content}, seen, pause)


def says(body: str, *seen: Seen, html: str = "", who: str = "alice", content: _Json | None = None) -> Step:
    """A message; `html` is its formatted body. `content` is more of it."""
    formatted = {"format": "org.matrix.custom.html", "formatted_body": html} if html else {}
    return event("m.room.message", {"msgtype": "m.text", "body": body, **formatted, **(content or {})}, *seen, who=who)


def answers(target: str, body: str, *seen: Seen, who: str = "alice") -> Step:
    return says(body, *seen, who=who, content={"m.relates_to": {"m.in_reply_to": {"event_id": target}}})


def threads(root: str, body: str, *seen: Seen, last: str = "", who: str = "alice") -> Step:
    """A message in the thread of `root`, whose `last` message clients name for those that know no threads."""
    relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
    return says(
        body, *seen, who=who, content={"m.relates_to": {**relation, "m.in_reply_to": {"event_id": last or root}}}
    )


def edits(target: str, body: str, *seen: Seen, html: str = "", who: str = "alice", pause: float = 0.0) -> Step:
    new = {"msgtype": "m.text", "body": body}
    if html:
        new |= {"format": "org.matrix.custom.html", "formatted_body": html}
    relation = {"rel_type": "m.replace", "event_id": target}
    content = {"msgtype": "m.text", "body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
    return event("m.room.message", content, *seen, who=who, pause=pause)


def reacts(target: str, key: str, *seen: Seen, who: str = "alice", **more: str) -> Step:
    relation = {"rel_type": "m.annotation", "event_id": target, "key": key}
    return event("m.reaction", {"m.relates_to": relation, **more}, *seen, who=who)


def removes(target: str, *seen: Seen, reason: str = "", who: str = "alice", pause: float = 0.0) -> Step:
    return Step(who, {"type": "redact", "target": target, "reason": reason}, seen, pause)


def pill(name: str, user: str) -> str:
    return f'<a href="https://matrix.to/#/@{user}:{HOMESERVER}">{name}</a>'


def mentions(*users: str) -> dict[str, Any]:
    return {"m.mentions": {"user_ids": [f"@{user}:{HOMESERVER}" for user in users]}}


# What people do on IRC


def line(text: str, *seen: Seen, who: str = "bob", pause: float = 0.0) -> Step:
    """Any line."""
    return Step(who, text, seen, pause)


def speaks(text: str, *seen: Seen, who: str = "bob", tags: str = "", pause: float = 0.0) -> Step:
    return line(f"{f'@{tags} ' if tags else ''}PRIVMSG {{channel}} :{text}", *seen, who=who, pause=pause)


def acts(text: str, *seen: Seen, who: str = "bob") -> Step:
    return speaks(f"\x01ACTION {text}\x01", *seen, who=who)


def reacts_by_tag(target: str, tag: str, *seen: Seen, who: str = "bob") -> Step:
    return line(f"@+draft/reply={target};{tag} TAGMSG {{channel}}", *seen, who=who)


# What the bridge does


def starts(*seen: Seen) -> Step:
    return Step("", START, seen)


STOPS = Step("", STOP)
RESTARTS = (STOPS, starts())
