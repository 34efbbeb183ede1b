"""What is said on the simulated networks: by people, as bodies of the model; by us, as acts in JSON."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, assert_never

from bridge.model.event import (
    Body,
    Edit,
    Event,
    EventKey,
    Membership,
    Message,
    Moderation,
    Reaction,
    Redaction,
    Room,
    Topic,
    with_links,
)
from bridge.model.outbox import Owed, Post
from bridge.model.people import Sender
from bridge.model.text import plain
from bridge.network import Needless

MOST_LINES = 3
"""Lines of a message where messages are made of lines; of a longer one, the last leads to the whole text."""
_LINK = re.compile(r" ?https://[a-z]+/([mt])/([\w-]{48})", re.ASCII)


class Line(NamedTuple):
    """A message, or a line of one, in a post of ours. `message` is its `name_of`; `answers` what it replies to has as
    ids in its room, and which message that is."""

    message: str
    who: str
    text: str
    answers: tuple[str, ...] = ()
    answered: str = ""


class Ours(NamedTuple):
    """What a post of ours does: says `lines`; else edits, removes, or sets and takes back a reaction (`words`) of `who`
    to, the `message` in the events `ids`."""

    verb: Literal["say", "edit", "redact", "react", "unreact"]
    lines: tuple[Line, ...] = ()
    ids: tuple[str, ...] = ()
    message: str = ""
    who: str = ""
    words: str = ""


Act: TypeAlias = Body | Ours


@dataclass(frozen=True, slots=True)
class Said:
    """An entry in a server's history; `post` is ours, else somebody's. `time`: when it was said, since the epoch."""

    id: str
    room: Room
    sender: str
    act: Act
    post: str = ""
    time: float = 0.0

    def __str__(self) -> str:
        return f"{self.room} {self.id} <{self.sender}> {self.act}"

    @property
    def key(self) -> EventKey:
        return EventKey(self.room, self.id)

    def heard(self, sender: Sender, time: float) -> Event:
        assert not isinstance(self.act, Ours)
        return Event(self.id, self.room, sender, time, self.act)


def name_of(key: EventKey) -> str:
    """The name of a message in all rooms: where it was said, and its id there."""
    return f"{key.room} {key.id}"


def in_lines(body: Message | Edit, text_link: str = "") -> str:
    """What is shown of `body` where messages are made of lines, with the links to its files, and to its whole text if
    that has too many lines."""
    said = plain(with_links(body)).split("\n")
    if len(said) <= MOST_LINES:
        return "\n".join(said)
    return "\n".join([*said[: MOST_LINES - 1], f"all of it: {text_link}".strip()])


def links_in(shown: str) -> list[tuple[str, str]]:
    """The links in `shown`: place (`m` or `t`) and token of each."""
    return _LINK.findall(shown)


def without_links(shown: str) -> str:
    return _LINK.sub("", shown)


def acts(payload: str) -> Ours:
    """What a payload does."""
    verb, said, ids, *rest = json.loads(payload)
    told = (Line(name, who, text, tuple(answers), answered) for name, who, text, answers, answered in said)
    return Ours(verb, tuple(told), tuple(ids), *rest)


def message(run: Sequence[Owed]) -> str:
    """The payload of messages that go out in one post."""
    return json.dumps(Ours("say", tuple(_line(item, plain(item.event.text)) for item in run)))


def rendered(owed: Sequence[Owed], *, by_lines: bool = False) -> Sequence[Post]:
    """The posts of `owed`, up to the first of which there is nothing to show, or not yet. Raises `Needless` if that is
    the first. `by_lines`: each line of a message is a post."""
    posts: list[Post] = []
    for item in owed:
        try:
            payloads = [*_payloads(item, by_lines=by_lines)]
        except Needless:
            if not posts:
                raise
            break
        posts += [Post.of(item.room, item.deliveries, part, payload) for part, payload in enumerate(payloads)]
    return posts


def _payloads(item: Owed, *, by_lines: bool) -> Iterator[str]:
    event = item.event
    match event.body:
        case Message():
            said = in_lines(event.body, event.text_link).split("\n") if by_lines else [plain(event.text)]
            yield from (json.dumps(Ours("say", (_line(item, line),))) for line in said)
        case Edit(target=target):
            said_now = in_lines(event.body, event.text_link) if by_lines else plain(event.text)
            yield _about(item, target, "edit", said_now)
        case Redaction(target=target):
            yield _about(item, target, "redact")
        case Reaction(target=target, key=key, removed=removed):
            yield _about(item, target, "unreact" if removed else "react", key)
        case Membership() | Topic() | Moderation():
            raise AssertionError("nobody comes, sets topics, or is kicked")
        case _ as never:
            assert_never(never)


def _about(item: Owed, target: EventKey, verb: Literal["edit", "redact", "react", "unreact"], words: str = "") -> str:
    known = item.known(target)
    if known is None or not known.ids or (known.removed and verb != "redact"):
        raise Needless
    return json.dumps(Ours(verb, (), known.ids, name_of(known.source), item.event.sender.name, words))


def _line(item: Owed, text: str) -> Line:
    body = item.event.body
    known = item.known(body.reply_to) if isinstance(body, Message) else None
    if known is None:
        return Line(name_of(item.event.key), item.event.sender.name, text)
    return Line(name_of(item.event.key), item.event.sender.name, text, known.ids, name_of(known.source))
