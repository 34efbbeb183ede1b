"""The operations of IRC posts: tagged, frozen in the payload; the connection sends the line for each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from bridge.model.event import Act
from bridge.network import PermanentError


@dataclass(frozen=True, slots=True)
class Voice:
    """A member who may have a connection of their own (a puppet): the name of their `user` in the allowlist, and what
    proves them. `marked`: where the puppet is banned, the bridge says the words with the mark; else they are
    refused. `name` is what they call themselves."""

    user: str
    identity: str
    marked: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """A PRIVMSG or NOTICE. The first `head` characters of `text` are the mark that each line of it must begin with.
    `reply` is the msgid of what it answers, for the client-only tag `+draft/reply`
    (https://ircv3.net/specs/client-tags/reply); '' if there is none. `speaker` is the nick that the speaker has where
    each has one (RELAYMSG), without its ending; then the mark is left out. `acts`: it is a /me. `voice`: who says it,
    if they may have a puppet; then the mark is left out, too. `to`: a puppet says it in private to the nick `target`,
    who has to be that user then, and nobody else says it; '' for words of the bridge itself, which are for whoever has
    the nick; None: it is said in a room."""

    command: str
    target: str
    text: str
    head: int = 0
    reply: str = ""
    speaker: str = ""
    acts: bool = False
    voice: Voice | None = None
    to: str | None = None

    @property
    def unmarked(self) -> str:
        """The text without the mark, as its speaker says it under a nick of their own; '' if nothing is left."""
        words = self.text[self.head :]
        return f"\x01ACTION {words}\x01" if words and self.acts else words


@dataclass(frozen=True, slots=True)
class React:
    """A TAGMSG with `+draft/react`, or `+draft/unreact` if `removed`, to the message `msgid`
    (https://ircv3.net/specs/client-tags/reaction). `voice`: as in `Say`."""

    target: str
    msgid: str
    key: str
    removed: bool = False
    voice: Voice | None = None


@dataclass(frozen=True, slots=True)
class Redact:
    """A REDACT of the message `msgid` (https://ircv3.net/specs/extensions/message-redaction)."""

    target: str
    msgid: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetTopic:
    """A TOPIC; an empty `text` removes the topic."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Paste:
    """A message of several lines (https://ircv3.net/specs/extensions/multiline), in `pieces` that each fit a line. The
    `joined` ones go on where the one before was cut. `head` is the mark, with which all others begin. `reply` is as
    in `Say`."""

    target: str
    pieces: tuple[str, ...]
    joined: tuple[bool, ...]
    head: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Moderate:
    """A kick, a ban or its end, of somebody who is logged in to `account`, or, if that is '', of who has that `nick`
    and is known by that `key` (see `Moderation`). `words` are said instead where it cannot be done."""

    act: Act
    target: str
    account: str
    nick: str
    key: str
    reason: str
    words: str


Operation = Say | Paste | React | Redact | SetTopic | Moderate


def is_speech(operation: Operation) -> bool:
    """Whether it says something in words, which are shown twice if it is done twice."""
    return isinstance(operation, Say | Paste)


def encode(operation: Operation) -> str:
    """The payload of a post, in JSON."""
    fields: dict[str, object]
    match operation:
        case Say(command, target, text, head, reply, speaker, acts, voice, to):
            fields = {"op": "say", "command": command, "target": target, "text": text, "head": head}
            fields |= {"reply": reply} if reply else {}
            fields |= {"speaker": speaker} if speaker else {}
            fields |= {"acts": acts} if speaker or voice else {}
            fields |= {"puppet": _fields(voice)} if voice else {}
            fields |= {"to": to} if to is not None else {}
        case Paste(target, pieces, joined, start, reply):
            fields = {"op": "paste", "target": target, "pieces": pieces, "joined": joined, "mark": start}
            fields |= {"reply": reply} if reply else {}
        case React(target, msgid, key, removed, voice):
            fields = {"op": "react", "target": target, "msgid": msgid, "key": key, "removed": removed}
            fields |= {"puppet": _fields(voice)} if voice else {}
        case Redact(target, msgid, reason):
            fields = {"op": "redact", "target": target, "msgid": msgid, "reason": reason}
        case SetTopic(target, text):
            fields = {"op": "topic", "target": target, "text": text}
        case Moderate(act, target, account, nick, key, reason, words):
            fields = {"op": "moderate", "act": act, "target": target, "account": account, "nick": nick, "key": key}
            fields |= {"reason": reason, "words": words}
        case _ as never:
            assert_never(never)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def decode(payload: str) -> Operation:
    """Read what `encode` wrote, also in earlier versions, which wrote messages only and did not name the operation.
    Raises PermanentError for anything else."""
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        fields = None
    match fields:
        case {"op": "react", "target": str(target), "msgid": str(msgid), "key": str(key), "removed": bool(removed)}:
            return React(target, msgid, key, removed, _voice(fields.get("puppet")))
        case {"op": "redact", "target": str(target), "msgid": str(msgid), "reason": str(reason)}:
            return Redact(target, msgid, reason)
        case {"op": "topic", "target": str(target), "text": str(text)}:
            return SetTopic(target, text)
        case {"op": "moderate", "act": str(act), "target": str(target), "words": str(text)} if act in tuple(Act):
            account, nick, key, reason = (str(fields.get(name, "")) for name in ("account", "nick", "key", "reason"))
            return Moderate(Act(act), target, account, nick, key, reason, text)
        case {"op": "paste", "target": str(target), "pieces": list(pieces), "joined": list(joined), "mark": str(mark)}:
            return _paste(target, pieces, joined, mark, fields.get("reply", ""))
        case {"op": str(operation)} if operation != "say":
            raise PermanentError(f"the stored message is of a kind that IRC cannot send: {operation!r}")
        case {"command": "PRIVMSG" | "NOTICE" as command, "target": str(target), "text": str(text), **rest}:
            head, reply, speaker = rest.get("head", 0), rest.get("reply", ""), rest.get("speaker", "")
            head = head if isinstance(head, int) and 0 <= head <= len(text) else 0
            reply, speaker = (each if isinstance(each, str) else "" for each in (reply, speaker))
            voice = _voice(rest.get("puppet"))
            to, acts = rest.get("to"), rest.get("acts") is True
            if to is not None and (voice is None or not isinstance(to, str)):
                raise PermanentError("the stored private message cannot be read")
            return Say(command, target, text, head, reply, speaker, acts, voice, to)
        case _:
            raise PermanentError("the stored message cannot be read")


def _fields(voice: Voice) -> Mapping[str, object]:
    return {"user": voice.user, "id": voice.identity, "marked": voice.marked, "name": voice.name}


def _voice(fields: object) -> Voice | None:
    match fields:
        case {"user": str(user), "id": str(identity), **rest} if user:
            name = rest.get("name")
            return Voice(user, identity, rest.get("marked") is True, name if isinstance(name, str) else "")
        case _:
            return None


def _paste(target: str, pieces: list[object], joined: list[object], head: str, reply: object) -> Paste:
    texts, flags = tuple(map(str, pieces)), tuple(map(bool, joined))
    if not texts or len(texts) != len(flags):
        raise PermanentError("the stored message cannot be read")
    return Paste(target, texts, flags, head, reply if isinstance(reply, str) else "")
