"""Says to members in rooms of two what people on IRC say to them in private."""

import asyncio
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from bridge.lib.lru import LruDict
from bridge.matrix.acting import Acting
from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.dialect.operations import Redact, decode, face_of
from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.records import Ghost
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks.reach import Reach
from bridge.matrix.ghosts.talks.rooms import KEY, MOST, TalkRoom, TalkRooms, keep
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, ClientApi, expected
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.outbox import Post
from bridge.model.talks import MatrixTalk
from bridge.network import FaceRemoved, Memory, Needless, PermanentError

log = structlog.get_logger()

_TRIED = 1_000
"""Most posts of which we know that a ghost may have said them: more than can be on their way."""
_POWER = 100
"""What who begins a room has there (spec, "trusted_private_chat")."""
_BARRED, _RARELY_S = 5_000, 3600.0
"""Pairs for whom no room could be made, and seconds until that is tried again."""


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Who says a post, and to whom. `face` is None for what is about something that was said before."""

    ghost: Ghost
    member: str
    face: Face | None


class Saying:
    """`memory` keeps the rooms."""

    def __init__(
        self, network: str, faces: Faces, service: Service, talks: TalkRooms, reach: Reach, memory: Memory
    ) -> None:
        self._network = network
        self._faces = faces
        self._service = service
        self._talks = talks
        self._reach = reach
        self._memory = memory
        self._tried = LruDict[str, str](_TRIED)  # by which ghost each of these posts may have been said
        self._barred = LruDict[tuple[str, str], float](_BARRED)
        self._making: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def say(self, post: Post, talk: MatrixTalk, *, again: bool) -> str | None:
        """Say a post of that talk, and return the event's id. None if no ghost can, and none has: then the bridge's own
        account shows it. `again`: an earlier run may have said it: only where there is a room already. Raises
        FaceRemoved if the member has removed the ghost, and what `Acting.perform` raises."""
        tried = self._tried.peek(post.id) is not None
        if not (tried or self._reach.is_reached):
            return None
        speaker = await self._speaker(post, talk, tried=tried)
        if speaker is None:
            return None
        may_make = speaker.face is not None and not again
        room = await self._room(speaker, may_make=may_make)
        if room is not None and (again or tried):
            api = self._service.as_ghost(room.ghost)
            if (event_id := await look.event_of(api, room.id, [room.ghost], post)) is not None:
                return event_id
        try:
            return await self._perform(room, post, speaker) if room is not None else None
        except ApiError as error:
            if error.status != 403 or room is None:
                raise
        room.checked = False  # the ghost is not there any more, it seems
        room = await self._room(speaker, may_make=may_make)
        return await self._perform(room, post, speaker) if room is not None else None

    async def _speaker(self, post: Post, talk: MatrixTalk, *, tried: bool) -> _Speaker | None:
        """Who says it. What the bridge says itself, it says itself."""
        face = face_of(post.payload)
        if face is None:
            is_removal = isinstance(decode(post.payload), Redact)
            ghost = self._faces.by_nick(talk.other, talk.nick) if is_removal else None
        else:
            try:
                ghost = await self._faces.present(face)
            except ApiError as error:
                if tried or error.passes:
                    raise
                ghost = None
        return _Speaker(ghost, talk.member, face) if ghost is not None else None

    async def _perform(self, room: TalkRoom, post: Post, speaker: _Speaker) -> str | None:
        """Say it there. None if it is about something that was not said there."""
        user = speaker.ghost.user
        api, face = self._service.as_ghost(user), speaker.face
        voice = self._faces.voice(speaker.ghost, face) if face is not None else self._service.voice(user)
        acting = Acting(api, user, None, voice, self._faces.voice_of)
        self._tried[post.id] = user
        try:
            event_id = await acting.perform(JoinedRoom(room.id, post.room), post)
        except PermanentError:
            self._tried.pop(post.id)
            if speaker.face is None:  # it was not said here
                return None
            raise
        except Needless:
            self._tried.pop(post.id)
            raise
        except ApiError as error:
            if error.status < 500:
                self._tried.pop(post.id)
            raise
        self._tried.pop(post.id)
        return event_id

    # Rooms

    async def _room(self, speaker: _Speaker, *, may_make: bool) -> TalkRoom | None:
        """The room of the two; a new one if there is none any more, and `may_make`. None if there can be none."""
        pair = speaker.member, speaker.ghost.user
        async with self._making.setdefault(pair, asyncio.Lock()):
            room = self._talks.of(*pair)
            if room is not None and room.removed:
                raise FaceRemoved(f"{room.ghost}, who speaks for {speaker.ghost.shown} there, was {room.removed}")
            if room is not None and (room.checked or await self._is_theirs(room)):
                return room
            if room is not None:
                self._talks.drop(room)
                await self._memory.remember({KEY + room.id: None})
            return await self._made(speaker) if may_make and not self._is_barred(pair) else None

    async def _is_theirs(self, room: TalkRoom) -> bool:
        """Whether the two are still there, nobody else, and nothing is encrypted."""
        api = self._service.as_ghost(room.ghost)
        try:
            there = await look.members(api, room.id)
            is_sealed = await look.encryption(api, room.id) is not None
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            return False  # the ghost is not there any more
        room.checked = there == {room.member, room.ghost} and not is_sealed
        return room.checked

    async def _made(self, speaker: _Speaker) -> TalkRoom | None:
        if len(self._talks) >= MOST:
            return None
        api = self._service.as_ghost(speaker.ghost.user)
        wanted: Json = {"preset": "trusted_private_chat", "is_direct": True}
        try:
            room_id = expected(await api.post("createRoom", body=wanted), "room_id")
        except ApiError as error:
            if error.passes:
                raise
            self._bar(speaker, str(error))
            return None
        room = TalkRoom(room_id, speaker.member, speaker.ghost.user, checked=True, is_sure=True)
        if reason := await self._why_not(room):
            self._bar(speaker, reason)
            return None
        await keep(self._memory, room)
        self._talks.add(room)
        log.info("ghost_talk", network=self._network, room=room.id, ghost=room.ghost, sender=room.member)
        return room

    async def _why_not(self, room: TalkRoom) -> str:
        """Invite the member to a new room. Why they cannot talk there, '' if they can; then the ghost has left."""
        api = self._service.as_ghost(room.ghost)
        reason = ""
        try:
            if await look.encryption(api, room.id) is not None:  # some homeservers always encrypt
                reason = "the homeserver encrypts new rooms"
            else:
                content: Json = {"membership": "invite", "is_direct": True}
                await api.put("rooms", room.id, "state", "m.room.member", room.member, body=content)
                await self._share_power(api, room)
        except ApiError as error:
            if error.passes:
                raise
            reason = str(error)
        if reason:
            await api.post("rooms", room.id, "leave")
            await api.post("rooms", room.id, "forget")
        return reason

    async def _share_power(self, api: ClientApi, room: TalkRoom) -> None:
        """Let the member do there what the ghost may do."""
        path = ("rooms", room.id, "state", "m.room.power_levels", "")
        levels = await api.get(*path)
        await api.put(*path, body={**levels, "users": {**table(levels, "users"), room.member: _POWER}})

    def _bar(self, speaker: _Speaker, reason: str) -> None:
        """Do not try again for a while."""
        pair = speaker.member, speaker.ghost.user
        log.warning("ghost_room_not_made", network=self._network, ghost=pair[1], sender=pair[0], reason=reason)
        self._barred[pair] = asyncio.get_running_loop().time() + _RARELY_S

    def _is_barred(self, pair: tuple[str, str]) -> bool:
        until = self._barred.peek(pair)
        return until is not None and asyncio.get_running_loop().time() < until
