"""Writes our posts: the line of each operation, with its tags, and what will prove that it arrived."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from bridge.irc.dialect import formatting
from bridge.irc.dialect.operations import Moderate, Operation, Paste, React, Redact, Say, SetTopic
from bridge.irc.effects import Effect, Write, written
from bridge.irc.session import sanctions
from bridge.irc.session.proof import ID_TAG, PendingPost
from bridge.irc.session.state import State
from bridge.irc.wire import multiline
from bridge.irc.wire.capabilities import REDACTION
from bridge.irc.wire.line import Unwritable, compose
from bridge.irc.wire.multiline import Capacity
from bridge.network import Needless, PermanentError

REPLY_TAGS = ("+draft/reply", "+reply")
"""Both are sent: some clients know only the one of the draft (https://ircv3.net/specs/client-tags/reply)."""
_REACT, _UNREACT, _TYPING = "+draft/react", "+draft/unreact", "+typing"
_LABELS = frozenset({"labeled-response", "batch", "echo-message"})
_NICK = re.compile(r"[^\s,!@*?$#&:+%~][^\s,!@*?$]*")
"""A nick that we may write to in private: one person, never a list, a mask, or the ranks of a channel."""
_MOST_ID, _MOST_KEY, _MOST_REASON = 512, 256, 200
"""Bytes. A longer id, or a reaction that no client could show, is not written; a longer reason is cut."""
_WORD, _CONTROL = re.compile(r"[^\s\0:][^\s\0]*"), re.compile(r"[\0-\x1f]")
_NONE: Mapping[str, str] = MappingProxyType({})


def perform(state: State, post: str, operation: Operation) -> list[Effect]:
    """Write one line of the post; `Proved` or `Failed` follows. Raises `PermanentError` if it makes no line, `Needless`
    if the server has nothing by which it could be shown."""
    match operation:
        case Say(command, target, text):
            relayed = _relay(state, post, operation)
            return relayed or _say(state, post, command, target, text, operation.reply)
        case Paste():
            return _paste(state, post, operation)
        case React(target, msgid, key, removed):
            return _react(state, post, target, msgid, _UNREACT if removed else _REACT, key)
        case Redact(target, msgid, reason):
            return _redact(state, post, target, msgid, reason)
        case SetTopic(target, text):
            return _set_topic(state, post, target, text)
        case Moderate():
            return _moderate(state, post, operation)
        case _ as never:
            assert_never(never)


def typing(state: State, target: str, what: str) -> list[Effect]:
    """Show in a channel that somebody types: `active`, or `done`. Nothing proves it, and nothing is written where it is
    not possible (https://ircv3.net/specs/client-tags/typing)."""
    tags = _allowed(state, {_TYPING: what})
    if not tags or state.channels.heard(target) is None or state.channels.muted(target):
        return []
    try:
        return [Write(compose("TAGMSG", target, tags=tags))]
    except Unwritable:
        return []


def tags(state: State, post: str, reply: str) -> dict[str, str]:
    """The tags of a post that answers the message `reply`, as far as the server passes them on."""
    return {**_allowed(state, {ID_TAG: post}), **_reply(state, reply)}


def reaction_tags(state: State, post: str, react: React) -> dict[str, str]:
    """The tags of a reaction that a puppet shows; empty if the server passes no such on."""
    reply = _reply(state, react.msgid)
    shown = _allowed(state, {_UNREACT if react.removed else _REACT: react.key, ID_TAG: post})
    fits = react.key and len(react.key.encode()) <= _MOST_KEY
    return {**reply, **shown} if reply and len(shown) == 2 and fits else {}


def takes_replies(state: State) -> bool:
    """Whether the server passes on what a message answers."""
    return bool(_reply(state, "id"))


def _say(state: State, post: str, command: str, target: str, text: str, reply: str) -> list[Effect]:
    channel = _is_channel(state, target)
    stripped = formatting.stripped(text)
    if channel and state.channels.plainly(target):
        command, text = "PRIVMSG", stripped
    fancy = command == "NOTICE" or text != stripped
    pending = PendingPost(post, target, private=not channel, text=text, fancy=fancy, command=command)
    return _written(state, pending, (target, text), _reply(state, reply))


def _relay(state: State, post: str, said: Say) -> list[Effect]:
    """The words of a speaker under a nick of their own; nothing where that is not possible."""
    channel = state.channels.heard(said.target) is not None
    nick = state.relaying.nick(said.target, said.speaker, state.now) if channel else ""
    text = said.unmarked
    if not nick or not text:
        return []
    plain = formatting.stripped(text)
    fancy = text != plain
    if fancy and state.channels.plainly(said.target):
        text, fancy = plain, False
    pending = PendingPost(post, said.target, private=False, text=text, fancy=fancy, relayed=said.speaker)
    try:
        return _written(state, pending, (said.target, nick, text), _reply(state, said.reply), command="RELAYMSG")
    except PermanentError:  # the line is too long with the nick
        return []


def capacity(state: State) -> Capacity | None:
    """What the server takes as one message; None if it takes lines only."""
    if state.lines_only or not state.enabled >= {"batch", "message-tags", multiline.CAPABILITY}:
        return None
    return Capacity.of(state.login.capabilities.offer(multiline.CAPABILITY))


def _paste(state: State, post: str, paste: Paste) -> list[Effect]:
    """One batch, which nothing may interrupt. The tags of the message are at its beginning
    (https://ircv3.net/specs/extensions/multiline)."""
    channel = _is_channel(state, paste.target)
    if channel and state.channels.plainly(paste.target):
        paste = replace(paste, pieces=tuple(map(formatting.stripped, paste.pieces)))
    text = "".join(piece if joined else f"\n{piece}" for piece, joined in zip(paste.pieces, paste.joined, strict=True))
    fancy = text != formatting.stripped(text)
    pending = PendingPost(post, paste.target, private=not channel, text=text[1:], fancy=fancy, is_batch=True)
    limits, reference = state.us.limits(state.isupport), f"q{next(state.references)}"
    lines = []
    try:
        for piece, joined in zip(paste.pieces, paste.joined, strict=True):
            tags = {"batch": reference, **({multiline.CONCAT_TAG: ""} if joined else {})}
            whole = compose("PRIVMSG", paste.target, piece, tags=tags, limit=limits.line - limits.prefix)
            lines.append(Write(whole))
        end = Write(compose("BATCH", f"-{reference}"))
    except Unwritable as error:
        raise PermanentError(str(error)) from error
    opening = (f"+{reference}", multiline.BATCH_TYPE, paste.target)
    start, *ping = _written(state, pending, opening, _reply(state, paste.reply), command="BATCH")
    return [start, *lines, end, *ping]


def _react(state: State, post: str, target: str, msgid: str, tag: str, key: str) -> list[Effect]:
    reply, react = _reply(state, msgid), _allowed(state, {tag: key})
    if not reply or not react or not key or len(key.encode()) > _MOST_KEY:
        raise Needless("the server passes no such reaction on")
    return _shown(state, PendingPost(post, target, private=False, command="TAGMSG"), (target,), reply | react)


def _redact(state: State, post: str, target: str, msgid: str, reason: str) -> list[Effect]:
    if REDACTION not in state.enabled:
        raise Needless("the server removes no messages")
    if not _WORD.fullmatch(msgid) or len(msgid.encode()) > _MOST_ID:
        raise Needless("the message has no id that the server could know")
    reason = reason.encode()[:_MOST_REASON].decode(errors="ignore")
    params = (target, msgid, reason) if reason else (target, msgid)
    return _shown(state, PendingPost(post, target, private=False, command="REDACT"), params)


def _set_topic(state: State, post: str, target: str, text: str) -> list[Effect]:
    """A topic that is there already is not set again: two bridges would do that for each other for ever. What it will
    be is known once the server tells it."""
    channel = state.people.casemapping.fold(target)
    if state.topics.peek(channel) == text:
        raise Needless("the channel has that topic already")
    written = _written(state, PendingPost(post, target, private=False, command="TOPIC"), (target, text))
    state.topics.pop(channel)
    return written


def _moderate(state: State, post: str, wanted: Moderate) -> list[Effect]:
    """The last command proves those before it. Where none can be given, it is said in words."""
    commands = sanctions.commands(state, wanted)
    if commands is None:
        return _say(state, post, "NOTICE", wanted.target, wanted.words, "")
    *first, (command, *params) = commands
    before = [effect for each in first for effect in written(*each)]
    pending = PendingPost(post, wanted.target, private=False, command=command)
    return [*before, *_written(state, pending, tuple(params))]


def _shown(
    state: State, pending: PendingPost, params: tuple[str, ...], tags: Mapping[str, str] = _NONE
) -> list[Effect]:
    """See `_written`. An id that makes no line was no id of the server's: there is nothing to show."""
    try:
        return _written(state, pending, params, tags)
    except PermanentError as error:
        raise Needless(str(error)) from error


def _written(
    state: State,
    pending: PendingPost,
    params: tuple[str, ...],
    tags: Mapping[str, str] = _NONE,
    command: str = "",
) -> list[Effect]:
    """The line of a post, and a PING behind it unless the server answers to its label. `command`: if it is not that of
    the post."""
    if not _is_channel(state, pending.target) and not _NICK.fullmatch(pending.target):
        raise PermanentError(f"{pending.target!r} is neither a channel nor a nick")
    labelled = state.enabled >= _LABELS
    own = {"label": pending.post} if labelled else {}
    if pending.has_tags:
        own |= _allowed(state, {ID_TAG: pending.post})
    limits = state.us.limits(state.isupport)
    try:
        data = compose(command or pending.command, *params, tags={**own, **tags}, limit=limits.line - limits.prefix)
    except Unwritable as error:
        raise PermanentError(str(error)) from error
    state.proofs.launched(pending, labelled=labelled)
    return [Write(data), *(() if labelled else state.liveness.ping(pending.post))]


def _is_channel(state: State, target: str) -> bool:
    return state.isupport.is_channel(target) or state.channels.heard(target) is not None


def _reply(state: State, msgid: str) -> dict[str, str]:
    if not msgid or len(msgid.encode()) > _MOST_ID or _CONTROL.search(msgid):
        return {}
    return _allowed(state, dict.fromkeys(REPLY_TAGS, msgid))


def _allowed(state: State, tags: Mapping[str, str]) -> dict[str, str]:
    """Those of the client-only `tags` that the server passes on."""
    if "message-tags" not in state.enabled:
        return {}
    return {name: value for name, value in tags.items() if state.isupport.tag_allowed(name[1:])}
