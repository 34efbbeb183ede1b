"""Sends each post in one request, with the post's id as transaction id, and sorts the refusals."""

import asyncio
from contextlib import suppress

import structlog

from bridge.lib.lru import LruDict
from bridge.lib.waiting import is_set_within
from bridge.matrix.account import Account
from bridge.matrix.acting import Acting, Voice
from bridge.matrix.crypto.sealing import KIND as SEALED
from bridge.matrix.crypto.sealing import Sealing
from bridge.matrix.crypto.signatures import Pair
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.operations import Moves, Operation, Say, face_of, moves_of
from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.talks.talks import Talks
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.model.event import Room
from bridge.model.outbox import Post
from bridge.model.talks import matrix_talk
from bridge.network import FaceRemoved, Needless, PermanentError, Refused, Silenced, TransientError

log = structlog.get_logger()

_ONLINE_WITHIN = 30.0
_JOINED_WITHIN = 30.0
_RETRY_AFTER = 60.0
"""Seconds until the next try if somebody has to let us in first."""
_LOOK_AGAIN = 0.1
"""Seconds until the next try while offline. `send` itself waits, to go as soon as the homeserver is back."""
_TYPING = 30_000
"""Milliseconds until others stop showing that we type, even if we do not say that we have stopped."""
_NEVER = (400, 413)
_SILENT = "silent"
_LINES = 6
"""Most people of whom it is said one by one what has happened to them."""
_TRIED = 1000
"""Most posts of which we know by whom they were tried: more than can be on their way."""


class Sending:
    """`online` is set while the homeserver answers. `sealing`: see `Acting`. `faces`: who speaks by a ghost of their
    own; None if nobody does. `talks`: where ghosts talk with members; None if they do not."""

    def __init__(
        self,
        network: str,
        rooms: Rooms,
        homeserver: Homeserver,
        account: Account,
        joining: Joining,
        private: Private,
        online: asyncio.Event,
        sealing: Sealing | None = None,
        faces: Faces | None = None,
        talks: Talks | None = None,
    ) -> None:
        self._network = network
        self._rooms = rooms
        self._homeserver = homeserver
        self._account = account
        self._joining = joining
        self._private = private
        self._online = online
        self._sealing = sealing
        self._faces = faces
        self._talks = talks
        self._doubtful: set[str] = set()  # posts that may be in their rooms, though we had no answer
        self._tried = LruDict[str, str](_TRIED)  # by whom each of these was said, if it was

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """See `bridge.network.Network`."""
        await self._connected()
        try:
            if (told := await self._said_by_ghost(post, again=again)) is not None:
                return told
            joined = await self._joined(post.room)
            if again or post.id in self._doubtful:
                event_id = await self._found(joined, post) or await self._put(joined, post, again=again)
            else:
                event_id = await self._put(joined, post)
        except FaceRemoved:
            self._doubtful.discard(post.id)
            raise
        except Unreachable as error:
            unclear = post.id in self._doubtful
            raise TransientError(f"cannot reach the homeserver: {error}", unclear=unclear) from None
        except Refused as error:
            raise TransientError(f"the bridge is logged out: {error}", _RETRY_AFTER) from None
        except ApiError as error:
            raise self._refusal(post.room, error, unclear=post.id in self._doubtful) from None
        self._doubtful.discard(post.id)
        joined.is_over(_SILENT)
        return event_id

    async def _said_by_ghost(self, post: Post, *, again: bool) -> str | None:
        """The id of a post of a talk, which a ghost has said; None if it is none, or no ghost can say it."""
        talk = matrix_talk(post.room) if self._talks is not None else None
        if self._talks is None or talk is None:
            return None
        return await self._talks.say(post, talk, again=again)

    async def say(self, room: Room, kind: str, content: Json, transaction: str, to: Pair) -> None:
        """Say what is no post, sealed if the room is encrypted: the device `to` can read it in any case. Raises
        SendError, and what `Homeserver` raises."""
        joined = await self._joined(room)
        if joined.encrypted:
            if self._sealing is None or not self._sealing.works:
                raise PermanentError("the room is encrypted, and encryption is off for this bridge")
            content, kind = await self._sealing.seal(joined, kind, content, to), SEALED
        await self._homeserver.put("rooms", joined.id, "send", kind, transaction, body=content)

    async def _put(self, joined: JoinedRoom, post: Post, *, again: bool = False) -> str:
        """Carry out `post`, by the ghost of who speaks if there is one: else, or if the homeserver has surely not taken
        it from the ghost, by our own account. Once one of the two may have said it, the other does not."""
        if self._faces is None:
            return await self._perform(joined, post)
        if (moved := moves_of(post.payload)) is not None:
            return await self._move(self._faces, joined, post, moved)
        face = face_of(post.payload)
        if face is None:
            return await self._perform(joined, post)
        tried = self._tried.peek(post.id) if post.id in self._doubtful else None
        if tried == self._account.us.user:
            return await self._perform(joined, post)
        ghost = await self._faces.speaker(joined, face, again=again and tried is None)
        if ghost is None:
            return await self._perform(joined, post)
        try:
            return await self._perform(joined, post, self._faces.voice(ghost, face))
        except ApiError as error:
            if not await self._faces.gives_way(ghost, joined, face, error):
                raise
        if (again or tried is not None) and (event_id := await self._found(joined, post)):
            return event_id  # what was on its way has come meanwhile
        return await self._perform(joined, post)

    async def _move(self, faces: Faces, joined: JoinedRoom, post: Post, moved: Moves) -> str:
        """Let ghosts come and go as their people do, and say it of the others."""
        left = await faces.move(joined, moved.moves)
        if len(left) == len(moved.moves):
            said = moved.content
        else:
            lines = [move.line for move in left if move.line]
            more = (
                f"; and {len(lines) - _LINES} others came, went or changed their names" if len(lines) > _LINES else ""
            )
            said = {**moved.content, "body": "; ".join(lines[:_LINES]) + more}
        if not said.get("body"):
            raise Needless
        return await self._perform(joined, post, operation=Say(said))

    async def _perform(
        self, joined: JoinedRoom, post: Post, voice: Voice | None = None, operation: Operation | None = None
    ) -> str:
        us = self._account.us.user
        self._doubtful.add(post.id)
        if self._faces is not None:
            self._tried[post.id] = voice.user if voice is not None else us
        try:
            if self._faces is None:
                return await Acting(self._homeserver, us, self._sealing).perform(joined, post)
            acting = Acting(self._homeserver, us, self._sealing, voice, self._faces.voice_of)
            return await acting.perform(joined, post, operation)
        except (Needless, PermanentError):
            self._doubtful.discard(post.id)
            raise
        except ApiError as error:
            if error.status < 500:
                self._doubtful.discard(post.id)
            raise

    async def _found(self, joined: JoinedRoom, post: Post) -> str | None:
        """The event id of `post` if it is in the room already, because only the answer was lost. The transaction id is
        not enough: a homeserver forgets it (Synapse: after a day, or when the device is logged out)."""
        senders = [self._account.us.user]
        if self._faces is not None and (face := face_of(post.payload)) is not None:
            senders += self._faces.senders(face)
        event_id = await look.event_of(self._homeserver, joined.id, senders, post)
        if event_id:
            log.info("sent_already", network=self._network, room=str(post.room), post=post.id)
        return event_id

    async def typing(self, room: Room, *, active: bool) -> None:
        """Show others that we type, or have stopped. Errors are ignored."""
        joined = self._rooms.private_with(_peer(room)) if room.id.startswith("@") else self._rooms.of(room)
        if joined is None or not joined.inside or not self._online.is_set():
            return
        us = self._account.us.user
        with suppress(ApiError, Unreachable, Refused):
            said = {"typing": True, "timeout": _TYPING} if active else {"typing": False}
            await self._homeserver.put("rooms", joined.id, "typing", us, body=said)

    async def _connected(self) -> None:
        if self._online.is_set():
            return
        if self._account.refused:
            raise TransientError(f"the bridge is logged out: {self._account.refused}", _RETRY_AFTER)
        if not await is_set_within(self._online, _ONLINE_WITHIN):
            raise TransientError("offline: the homeserver does not answer", _LOOK_AGAIN)

    async def _joined(self, room: Room) -> JoinedRoom:
        if room.id.startswith("@"):
            joined: JoinedRoom | None = await self._private.room_with(_peer(room))
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(_JOINED_WITHIN):
                    await self._joining.tried(room)
            joined = await self._known(room)
        if joined is None and not self._joining.wants(room):
            raise PermanentError(f"{room.id} is no longer a configured room or a private conversation")
        if joined is None:
            raise TransientError(f"{room.id} is not joined yet", _RETRY_AFTER)
        if not joined.inside:
            raise TransientError(f"not in {room.id}: {joined.absence}", _RETRY_AFTER)
        return joined

    async def _known(self, room: Room) -> JoinedRoom | None:
        """The joined `room`, checked again if we may have missed changes there; None if it is not joined."""
        joined = self._rooms.of(room)
        if joined is None or joined.private:
            return None if joined is None or await self._private.is_over(joined) else joined
        if joined.inside and not joined.checked:
            if (how := await look.encryption(self._homeserver, joined.id)) is not None:
                self._rooms.encrypt(joined, how)
            joined.checked = True
        return joined

    def _refusal(self, room: Room, error: ApiError, *, unclear: bool) -> TransientError | PermanentError:
        if error.code == "M_FORBIDDEN":
            joined = self._rooms.of(room)
            if joined is None or joined.warns_of(_SILENT):
                us = self._account.us.user
                hint = f"give {us} the power to speak there; messages wait, and the bridge tries every minute"
                log.warning("not_allowed_to_speak", network=self._network, room=str(room), reason=str(error), hint=hint)
            return Silenced(f"not allowed to speak in {room.id} ({error})", _RETRY_AFTER, refused=True)
        if error.passes:
            patience = error.retry_after
            reason = f"the homeserver cannot take the message now ({error})"
            return TransientError(reason, patience, refused=error.breaks, unclear=unclear)
        if error.status in _NEVER and error.code and error.code != "M_UNRECOGNIZED":
            return PermanentError(f"the homeserver rejects the message ({error})")
        reason = f"the homeserver refuses the message for now ({error})"
        return TransientError(reason, _RETRY_AFTER, refused=True, unclear=unclear)


def _peer(room: Room) -> str:
    """The other person of a private conversation: what is said in a talk is said to its member."""
    talk = matrix_talk(room)
    return talk.member if talk is not None else room.id
