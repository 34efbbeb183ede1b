"""Private conversations on Matrix: rooms with exactly one other person."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from weakref import WeakValueDictionary

import structlog

from bridge.matrix.account import Account
from bridge.matrix.dialect.fields import Json
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable, expected
from bridge.matrix.rooms.direct import Direct
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.network import Memory, PermanentError

log = structlog.get_logger()

_WITH = "private "
UNREADABLE = "encryption is off for this bridge: start an unencrypted conversation"
"""Why an encrypted conversation is refused, or ends."""
_BUSY = "the bridge has too many private conversations already"
_MOST = 10_000
"""Most private conversations: each takes some kilobytes, and anybody may begin one."""
_CROWDED = "this bridge joins only the rooms in its configuration, and conversations with one person"
_ENCRYPTION: Json = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


async def _never(_user: str) -> bool:
    return False


class Private:
    """Keeps which rooms are private: in `memory`, and as m.direct for our other clients. `reads_sealed`: whether
    encrypted ones may be."""

    def __init__(
        self,
        network: str,
        rooms: Rooms,
        homeserver: Homeserver,
        account: Account,
        memory: Memory,
        reads_sealed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.can_be_sealed: Callable[[str], Awaitable[bool]] = _never
        """Whether a new conversation with that user can be encrypted, and so is. Raises what `Homeserver` raises."""
        self._network = network
        self._rooms = rooms
        self._homeserver = homeserver
        self._account = account
        self._memory = memory
        self._reads_sealed = reads_sealed
        self._direct = Direct(network, homeserver, account)
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def recall(self) -> None:
        """Load the conversations of earlier runs."""
        for key, peer in (await self._memory.recall()).items():
            room_id = key.removeprefix(_WITH)
            if key.startswith(_WITH) and self._rooms.by_id(room_id) is None:
                self._rooms.add_private(room_id, peer).hear()
                self._direct.add(room_id, peer)

    async def hold(self) -> None:
        """Keep m.direct. Does not return."""
        await self._direct.hold()

    def knows(self, room_id: str) -> bool:
        """Whether that room is a private conversation that we are in."""
        joined = self._rooms.by_id(room_id)
        return joined is not None and joined.private and joined.inside

    async def accept(self, room_id: str, peer: str, *, encrypted: bool) -> None:
        """Answer an invitation by `peer` to a private conversation."""
        reason = _BUSY if self._rooms.conversations >= _MOST else ""
        if encrypted and not self._reads_sealed():
            reason = UNREADABLE
        if reason:
            await self.refuse(room_id, peer, reason)
            return
        joined = self._rooms.add_private(room_id, peer)
        try:
            expected(await self._homeserver.post("join", room_id), "room_id")
            past = await look.past(self._homeserver, room_id, self._account.us.user, ("invite",))
            reason = await self._trouble(room_id, peer)
            joined.encrypted = joined.encrypted or room_id in self._rooms.encrypted
            if not reason and not joined.closed:
                await self._keep(joined)
                joined.enter(past)
        except BaseException:
            self._rooms.remove(joined)
            raise
        if reason:
            self._rooms.remove(joined)
            await self.refuse(room_id, peer, reason)

    async def _trouble(self, room_id: str, peer: str) -> str:
        """Why a room that we are in is not private; empty if it is."""
        if (how := await look.encryption(self._homeserver, room_id)) is not None:
            self._rooms.encrypted.note(room_id, how)
            if not self._reads_sealed():
                return UNREADABLE
        alone = await look.members(self._homeserver, room_id) == {peer, self._account.us.user}
        return "" if alone else _CROWDED

    async def refuse(self, room_id: str, peer: str, reason: str, hint: str = "") -> None:
        try:
            await self._homeserver.post("rooms", room_id, "leave", body={"reason": reason})
        except ApiError as error:
            if error.passes:
                raise  # else it has been withdrawn
        more = {"hint": hint} if hint else {}
        log.info("invitation_refused", network=self._network, room=room_id, sender=peer, reason=reason, **more)

    async def close(self, joined: JoinedRoom, reason: str) -> None:
        """End a conversation: the room is ignored from now on."""
        log.info("private_conversation_over", network=self._network, room=joined.id, reason=reason)
        self._rooms.remove(joined)
        await self._memory.remember({_WITH + joined.id: None})

    async def is_over(self, joined: JoinedRoom) -> bool:
        """Whether the room is not private any more. Checks it again if we may have missed changes: nothing goes to a
        third person, or in plain into a room that was encrypted meanwhile."""
        await joined.settled()
        unreadable = joined.encrypted and not self._reads_sealed()  # another one might be encrypted as well
        if joined.closed or joined.checked or unreadable:
            return joined.closed
        reason = await self._trouble(joined.id, joined.peer or "")
        joined.encrypted = joined.encrypted or joined.id in self._rooms.encrypted
        joined.checked = not reason
        if reason:
            await self.close(joined, reason)
        return bool(reason)

    async def room_with(self, user: str) -> JoinedRoom:
        """The existing conversation with `user`, else a new one, to which they are invited."""
        lock = self._making.setdefault(user, asyncio.Lock())
        async with lock:
            joined = self._rooms.private_with(user)
            if joined is not None and not await self.is_over(joined):
                return joined
            return await self._found(user) or await self._made(user)

    async def _keep(self, joined: JoinedRoom) -> None:
        peer = joined.peer or ""
        await self._memory.remember({_WITH + joined.id: peer})
        log.info("private_conversation", network=self._network, room=joined.id, sender=peer)
        self._direct.add(joined.id, peer)

    async def _found(self, user: str) -> JoinedRoom | None:
        for room_id in await self._direct.rooms(user):
            if self._rooms.by_id(room_id) is None and await self._fits(room_id, user):
                return await self._begun(room_id, user)
        return None

    async def _fits(self, room_id: str, user: str) -> bool:
        try:
            return not await self._trouble(room_id, user)
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            return False  # we are not there any more

    async def _made(self, user: str) -> JoinedRoom:
        wanted: Json = {"preset": "trusted_private_chat", "is_direct": True}
        if self._reads_sealed() and await self.can_be_sealed(user):
            wanted = {**wanted, "initial_state": [_ENCRYPTION]}
        room_id = expected(await self._homeserver.post("createRoom", body=wanted), "room_id")
        await self._invite(room_id, user)
        if (how := await look.encryption(self._homeserver, room_id)) is not None:  # some homeservers always encrypt
            self._rooms.encrypted.note(room_id, how)
        return await self._begun(room_id, user)

    async def _begun(self, room_id: str, user: str) -> JoinedRoom:
        """Add and keep a conversation in a room that we have just checked."""
        joined = self._rooms.add_private(room_id, user)
        joined.hear()
        joined.checked = True
        await self._keep(joined)
        return joined

    async def _invite(self, room_id: str, user: str) -> None:
        """Invite `user` in a request of its own: if creating the room failed because of it, each try would leave a room
        that nobody knows."""
        content: Json = {"membership": "invite", "is_direct": True}
        try:
            await self._homeserver.put("rooms", room_id, "state", "m.room.member", user, body=content)
        except (ApiError, Unreachable) as error:
            with suppress(ApiError, Unreachable):
                await self._homeserver.post("rooms", room_id, "leave")
                await self._homeserver.post("rooms", room_id, "forget")
            if isinstance(error, ApiError) and not error.passes and not error.logged_out:
                raise PermanentError(f"{user} cannot be invited to a private conversation ({error})") from None
            raise
