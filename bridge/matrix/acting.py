"""The requests of each operation: what is said, edited, removed, reacted with and set in a room."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, assert_never

import structlog

from bridge.matrix.crypto.olm.opened import NotOpened
from bridge.matrix.crypto.sealing import KIND as SEALED
from bridge.matrix.crypto.sealing import Sealing
from bridge.matrix.dialect import amend
from bridge.matrix.dialect.face import Face, own_words
from bridge.matrix.dialect.fields import Json, table, tables, word
from bridge.matrix.dialect.operations import (
    ID,
    Amend,
    Moderate,
    Moves,
    Operation,
    React,
    Redact,
    Say,
    SetTopic,
    compact,
    decode,
)
from bridge.matrix.http.homeserver import ApiError, Homeserver, expected
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Act
from bridge.model.outbox import Post
from bridge.network import Needless, PermanentError

log = structlog.get_logger()

_EDITS = 50
"""Most edits of a message that are removed with it."""
_REACTIONS = 100
"""Most people's reactions among which ours is looked for."""
_NO_REACTION = frozenset({"M_DUPLICATE_ANNOTATION", "M_FORBIDDEN", "M_NOT_FOUND", "M_TOO_LARGE"})
"""Why a homeserver takes no reaction: ours is there already, we may not react there, the message is gone. Nobody misses
it so much that it is kept and told of."""
_SEALED = "the room is encrypted, and encryption is off for this bridge"
_SEALED_BYTES = 46 * 1024
"""Most bytes of what is sealed: it gets a third larger by that, and has to fit an event."""
_UNSEEN = "the message that this is about is not there any more, or we may not see it"


class Put(Protocol):
    """Puts `body` to a place of the homeserver, as somebody."""

    async def __call__(self, *path: str, body: Json | str) -> Json: ...


@dataclass(frozen=True, slots=True)
class Voice:
    """An account that does something in rooms: its Matrix id, and what asks the homeserver for it."""

    user: str
    put: Put


class Acting:
    """Carries out the posts of the account `us`. `sealing`: for encrypted rooms; without, nothing is said there.
    `voice`: the ghost that speaks, if it is one; `voice_of`: the voice of a ghost by its Matrix id, None if that is no
    ghost of ours. What was said is edited and removed by who has said it."""

    def __init__(
        self,
        homeserver: Homeserver,
        us: str,
        sealing: Sealing | None = None,
        voice: Voice | None = None,
        voice_of: Callable[[str], Voice | None] = lambda _: None,
    ) -> None:
        self._homeserver = homeserver
        self._us = us
        self._ours = Voice(us, homeserver.put)
        self._voice = voice or self._ours
        self._voice_of = voice_of
        self._sealing = sealing

    async def perform(self, joined: JoinedRoom, post: Post, operation: Operation | None = None) -> str:
        """Do what `post` says, or the `operation`, and return the id of the event. Safe to repeat: the post's id is the
        transaction id. Raises Needless if there is nothing to do any more, PermanentError if it can never be done, and
        what `Homeserver` raises."""
        operation = operation or decode(post.payload)
        match operation:
            case Say(content, face):
                return await self._say(joined, post, self._words(content, face, self._voice))
            case Amend():
                return await self._amend(joined, post, operation)
            case Redact():
                return await self._remove(joined, post, operation)
            case React(removed=False):
                return await self._react(joined, post, operation)
            case React():
                return await self._unreact(joined, post, operation)
            case SetTopic(text):
                return await self._set_topic(joined, post, text)
            case Moves(content=content):
                return await self._say(joined, post, content)
            case Moderate():
                return await self._moderate(joined, post, operation)
            case _ as never:
                assert_never(never)

    async def _say(self, joined: JoinedRoom, post: Post, content: Mapping[str, object]) -> str:
        try:
            return await self._send(joined, "m.room.message", post, content)
        except ApiError as error:
            relates = table(content, "m.relates_to")
            if error.status != 400 or word(relates, "rel_type") != "m.thread":
                raise
        # The root may be in a thread itself, or no root at all (spec, "Threading"): better outside than not said
        reply = {} if relates.get("is_falling_back") else {"m.relates_to": {"m.in_reply_to": relates["m.in_reply_to"]}}
        alone = {key: value for key, value in content.items() if key != "m.relates_to"}
        return await self._send(joined, "m.room.message", post, alone | reply)

    async def _amend(self, joined: JoinedRoom, post: Post, operation: Amend) -> str:
        try:
            event, shown = await self._shown(joined, operation.target)
            author = self._author(event)
            words = self._words(operation.content, operation.face, author)
            new = _replacement(joined, operation.target, amend.amended(shown, operation.part, words))
        except amend.Entangled:
            words = self._words(operation.content, operation.face, self._voice)
            return await self._say(joined, post, amend.told(operation.target, words))
        try:
            return await self._send(joined, "m.room.message", post, new, author)
        except ApiError as error:
            if author is self._ours or error.passes:
                raise
        words = self._words(operation.content, operation.face, self._voice)  # the ghost is not there any more
        return await self._say(joined, post, amend.told(operation.target, words))

    async def _remove(self, joined: JoinedRoom, post: Post, operation: Redact) -> str:
        """Remove a message. What is left of an event is an edit of it. If nothing is, its edits go too: each has the
        words."""
        is_message, author = True, self._ours
        with suppress(amend.Entangled):  # all in the event was said by the same person: better too much than too little
            event, shown = await self._shown(joined, operation.target)
            author = self._author(event)
            is_message = bool(word(shown, "body"))
            left = amend.without(shown, operation.part)
            if left is not None:
                new = _replacement(joined, operation.target, left)
                return await self._send(joined, "m.room.message", post, new, author)
        edits = await self._edits(joined, operation.target, author.user) if is_message else ()
        for number, edit in enumerate(edits):
            await self._redact(joined, edit, f"{post.id}.{number}", {"reason": operation.reason}, author)
        return await self._redact(joined, operation.target, post.id, {"reason": operation.reason, ID: post.id}, author)

    async def _redact(self, joined: JoinedRoom, target: str, transaction: str, body: Json, voice: Voice) -> str:
        try:
            path = ("rooms", joined.id, "redact", target, transaction)
            done = await voice.put(*path, body=body)
        except ApiError as error:
            if voice is not self._ours and not error.passes:  # the ghost is not there any more
                return await self._redact(joined, target, transaction, body, self._ours)
            if error.code == "M_FORBIDDEN":
                raise PermanentError(f"{self._us} has no power to remove this message ({error})") from None
            raise self._gone(error) from None
        return expected(done, "event_id")

    async def _react(self, joined: JoinedRoom, post: Post, operation: React) -> str:
        relates = {"rel_type": "m.annotation", "event_id": operation.target, "key": operation.key}
        try:
            return await self._send(joined, "m.reaction", post, {"m.relates_to": relates})
        except ApiError as error:
            if error.code not in _NO_REACTION and "same reaction twice" not in str(error):  # older Synapses
                raise
            if error.code != "M_DUPLICATE_ANNOTATION":
                log.debug("reaction_refused", room=str(post.room), reason=str(error))
            raise Needless from None

    async def _unreact(self, joined: JoinedRoom, post: Post, operation: React) -> str:
        query = {"limit": str(_REACTIONS)}
        path = ("rooms", joined.id, "relations", operation.target, "m.annotation", "m.reaction")
        ours: dict[str, str] = {}
        for event in await self._related(*path, query=query):
            key = word(table(event, "content", "m.relates_to"), "key")
            if key == operation.key:
                ours.setdefault(word(event, "sender"), word(event, "event_id"))
        for voice in (self._voice, self._ours):
            if event_id := ours.get(voice.user):
                return await self._redact(joined, event_id, post.id, {ID: post.id}, voice)
        raise Needless

    async def _set_topic(self, joined: JoinedRoom, post: Post, text: str) -> str:
        try:
            done = await self._homeserver.put(
                "rooms", joined.id, "state", "m.room.topic", "", body={"topic": text, ID: post.id}
            )
        except ApiError as error:
            if error.code == "M_FORBIDDEN":
                reason = f"{self._us} has no power to set the topic of {post.room.id} ({error})"
                raise PermanentError(reason) from None
            raise
        return expected(done, "event_id")

    async def _moderate(self, joined: JoinedRoom, post: Post, wanted: Moderate) -> str:
        """Kick or ban those who are there, or say in words that it cannot be done. Raises Needless once it is done:
        everybody sees it."""
        try:
            for user in wanted.users:
                await self._sanction(joined, user, wanted)
        except ApiError as error:
            if error.code != "M_FORBIDDEN":
                raise
            body = f"{word(wanted.content, 'body')} (not done here: {self._us} has no power to)"
            return await self._say(joined, post, {**wanted.content, "body": body})
        raise Needless

    async def _sanction(self, joined: JoinedRoom, user: str, wanted: Moderate) -> None:
        """Nothing is done twice, or to who is not there: a ban is of anybody."""
        try:
            found = await self._homeserver.get("rooms", joined.id, "state", "m.room.member", user)
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            found = {}  # they were never there
        membership = word(found, "membership")
        command = {Act.KICK: "kick", Act.BAN: "ban", Act.UNBAN: "unban"}.get(wanted.act, "")
        is_due = {"kick": membership in ("join", "invite"), "ban": membership != "ban", "unban": membership == "ban"}
        if is_due.get(command):
            body = {"user_id": user, "reason": wanted.reason}
            await self._homeserver.post("rooms", joined.id, command, body=body)

    def _words(self, content: Mapping[str, object], face: Face | None, voice: Voice) -> Mapping[str, object]:
        """What `voice` says of `content`: a ghost needs no mark."""
        return content if face is None or voice is self._ours else own_words(content, face)

    def _author(self, event: Json) -> Voice:
        """Who has sent an event: a ghost of ours, else we."""
        return self._voice_of(word(event, "sender")) or self._ours

    async def _shown(self, joined: JoinedRoom, event_id: str) -> tuple[Json, Json]:
        """An event, and its content as it is shown now. Raises Needless if it was removed, PermanentError if it is not
        there, and Entangled if we cannot open it any more."""
        event = await self._event(joined, event_id)
        if not table(event, "content") or table(event, "unsigned", "redacted_because"):
            raise Needless
        shown = amend.latest(event)
        if isinstance(shown, str):
            edit = await self._event(joined, shown)
            shown = table(edit, "content", "m.new_content") or table(event, "content")
        return event, shown

    async def _event(self, joined: JoinedRoom, event_id: str) -> Json:
        try:
            event = await self._homeserver.get("rooms", joined.id, "event", event_id)
        except ApiError as error:
            raise (PermanentError(_UNSEEN) if error.code == "M_FORBIDDEN" else self._gone(error)) from None
        if word(event, "type") != SEALED or not table(event, "content"):
            return event
        if self._sealing is None or not self._sealing.works:
            raise PermanentError(_SEALED)
        try:
            return self._sealing.open_ours(joined, event)
        except NotOpened:
            raise amend.Entangled from None

    async def _edits(self, joined: JoinedRoom, event_id: str, by: str) -> list[str]:
        kind = SEALED if joined.encrypted else "m.room.message"
        path = ("rooms", joined.id, "relations", event_id, "m.replace", kind)
        found = await self._related(*path, query={"limit": str(_EDITS)})
        return [word(event, "event_id") for event in found if word(event, "sender") == by]

    async def _related(self, *path: str, query: Mapping[str, str]) -> list[Json]:
        """Events that refer to another; none if the homeserver does not tell."""
        try:
            return [*tables(await self._homeserver.get(*path, query=query), "chunk")]
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            return []

    async def _send(
        self, joined: JoinedRoom, event_type: str, post: Post, content: Mapping[str, object], voice: Voice | None = None
    ) -> str:
        voice = voice or self._voice
        if joined.encrypted and event_type != "m.reaction":  # those are not sealed (spec, "m.reaction")
            if self._sealing is None or not self._sealing.works:
                raise PermanentError(_SEALED)
            content, event_type = await self._sealing.seal(joined, event_type, content), SEALED
        body = compact({**content, ID: post.id})
        done = await voice.put("rooms", joined.id, "send", event_type, post.id, body=body)
        return expected(done, "event_id")

    def _gone(self, error: ApiError) -> ApiError | PermanentError:
        """`error`, in plain words if it means that the event is not there."""
        if error.status == 404 and error.code == "M_NOT_FOUND":
            return PermanentError(_UNSEEN)
        return error


def _replacement(joined: JoinedRoom, target: str, new: Json) -> Json:
    """The content of the edit by which `target` becomes `new`. Raises Entangled if it is too large to be sealed."""
    content = amend.replacement(target, new)
    if joined.encrypted and len(compact(content).encode()) > _SEALED_BYTES:
        raise amend.Entangled
    return content
