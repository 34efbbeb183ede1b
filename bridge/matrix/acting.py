"""The requests of each operation: what is said, edited, removed, reacted with and set in a room."""

from collections.abc import Mapping
from contextlib import suppress
from typing import assert_never

import structlog

from bridge.matrix.dialect import amend
from bridge.matrix.dialect.fields import Json, table, tables, word
from bridge.matrix.dialect.operations import ID, Amend, React, Redact, Say, SetTopic, compact, decode
from bridge.matrix.http.homeserver import ApiError, Homeserver, expected
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
_UNSEEN = "the message that this is about is not there any more, or we may not see it"


class Acting:
    """Carries out the posts of one account. `us`: its Matrix id."""

    def __init__(self, homeserver: Homeserver, us: str) -> None:
        self._homeserver = homeserver
        self._us = us

    async def perform(self, room_id: str, post: Post) -> str:
        """Do what `post` says, and return the id of the event. Safe to repeat: the post's id is the transaction id.
        Raises Needless if there is nothing to do any more, PermanentError if it can never be done, and what
        `Homeserver` raises."""
        operation = decode(post.payload)
        match operation:
            case Say(content):
                return await self._say(room_id, post, content)
            case Amend():
                return await self._amend(room_id, post, operation)
            case Redact():
                return await self._remove(room_id, post, operation)
            case React(removed=False):
                return await self._react(room_id, post, operation)
            case React():
                return await self._unreact(room_id, post, operation)
            case SetTopic(text):
                return await self._set_topic(room_id, post, text)
            case _ as never:
                assert_never(never)

    async def _say(self, room_id: str, post: Post, content: Mapping[str, object]) -> str:
        try:
            return await self._send(room_id, "m.room.message", post, content)
        except ApiError as error:
            relates = table(content, "m.relates_to")
            if error.status != 400 or word(relates, "rel_type") != "m.thread":
                raise
        # The root may be in a thread itself, or no root at all (spec, "Threading"): better outside than not said
        reply = {} if relates.get("is_falling_back") else {"m.relates_to": {"m.in_reply_to": relates["m.in_reply_to"]}}
        alone = {key: value for key, value in content.items() if key != "m.relates_to"}
        return await self._send(room_id, "m.room.message", post, alone | reply)

    async def _amend(self, room_id: str, post: Post, operation: Amend) -> str:
        shown = await self._shown(room_id, operation.target)
        if shown is None:
            raise Needless
        try:
            new = amend.amended(shown, operation.part, operation.content)
        except amend.Entangled:
            return await self._say(room_id, post, amend.told(operation.target, operation.content))
        return await self._send(room_id, "m.room.message", post, amend.replacement(operation.target, new))

    async def _remove(self, room_id: str, post: Post, operation: Redact) -> str:
        """Remove a message. What is left of an event is an edit of it. If nothing is, its edits go too: each has the
        words."""
        shown = await self._shown(room_id, operation.target)
        if shown is None:
            raise Needless
        with suppress(amend.Entangled):  # all in the event was said by the same person: better too much than too little
            left = amend.without(shown, operation.part)
            if left is not None:
                return await self._send(room_id, "m.room.message", post, amend.replacement(operation.target, left))
        edits = await self._edits(room_id, operation.target) if word(shown, "body") else ()
        for number, edit in enumerate(edits):
            await self._redact(room_id, edit, f"{post.id}.{number}", {"reason": operation.reason})
        return await self._redact(room_id, operation.target, post.id, {"reason": operation.reason, ID: post.id})

    async def _redact(self, room_id: str, target: str, transaction: str, body: Json) -> str:
        try:
            done = await self._homeserver.put("rooms", room_id, "redact", target, transaction, body=body)
        except ApiError as error:
            if error.code == "M_FORBIDDEN":
                raise PermanentError(f"{self._us} has no power to remove this message ({error})") from None
            raise self._gone(error) from None
        return expected(done, "event_id")

    async def _react(self, room_id: str, post: Post, operation: React) -> str:
        relates = {"rel_type": "m.annotation", "event_id": operation.target, "key": operation.key}
        try:
            return await self._send(room_id, "m.reaction", post, {"m.relates_to": relates})
        except ApiError as error:
            if error.code not in _NO_REACTION and "same reaction twice" not in str(error):  # older Synapses
                raise
            if error.code != "M_DUPLICATE_ANNOTATION":
                log.debug("reaction_refused", room=str(post.room), reason=str(error))
            raise Needless from None

    async def _unreact(self, room_id: str, post: Post, operation: React) -> str:
        query = {"limit": str(_REACTIONS)}
        path = ("rooms", room_id, "relations", operation.target, "m.annotation", "m.reaction")
        for event in await self._related(*path, query=query):
            key = word(table(event, "content", "m.relates_to"), "key")
            if word(event, "sender") == self._us and key == operation.key:
                return await self._redact(room_id, word(event, "event_id"), post.id, {ID: post.id})
        raise Needless

    async def _set_topic(self, room_id: str, post: Post, text: str) -> str:
        try:
            done = await self._homeserver.put(
                "rooms", room_id, "state", "m.room.topic", "", body={"topic": text, ID: post.id}
            )
        except ApiError as error:
            if error.code == "M_FORBIDDEN":
                reason = f"{self._us} has no power to set the topic of {post.room.id} ({error})"
                raise PermanentError(reason) from None
            raise
        return expected(done, "event_id")

    async def _shown(self, room_id: str, event_id: str) -> Json | None:
        """The content of an event as it is shown now; None if it was removed. Raises PermanentError if it is not
        there."""
        event = await self._event(room_id, event_id)
        if not table(event, "content") or table(event, "unsigned", "redacted_because"):
            return None
        shown = amend.latest(event)
        if isinstance(shown, str):
            edit = await self._event(room_id, shown)
            shown = table(edit, "content", "m.new_content") or table(event, "content")
        return shown

    async def _event(self, room_id: str, event_id: str) -> Json:
        try:
            return await self._homeserver.get("rooms", room_id, "event", event_id)
        except ApiError as error:
            raise (PermanentError(_UNSEEN) if error.code == "M_FORBIDDEN" else self._gone(error)) from None

    async def _edits(self, room_id: str, event_id: str) -> list[str]:
        path = ("rooms", room_id, "relations", event_id, "m.replace", "m.room.message")
        found = await self._related(*path, query={"limit": str(_EDITS)})
        return [word(event, "event_id") for event in found if word(event, "sender") == self._us]

    async def _related(self, *path: str, query: Mapping[str, str]) -> list[Json]:
        """Events that refer to another; none if the homeserver does not tell."""
        try:
            return [*tables(await self._homeserver.get(*path, query=query), "chunk")]
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            return []

    async def _send(self, room_id: str, event_type: str, post: Post, content: Mapping[str, object]) -> str:
        body = compact({**content, ID: post.id})
        return expected(
            await self._homeserver.put("rooms", room_id, "send", event_type, post.id, body=body), "event_id"
        )

    def _gone(self, error: ApiError) -> ApiError | PermanentError:
        """`error`, in plain words if it means that the event is not there."""
        if error.status == 404 and error.code == "M_NOT_FOUND":
            return PermanentError(_UNSEEN)
        return error
