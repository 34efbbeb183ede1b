"""Answering invitations beside the hearing: a homeserver elsewhere that is slow holds up nobody."""

import asyncio
from collections.abc import Iterable

import structlog

from bridge.matrix.account import Account
from bridge.matrix.fields import Json, table, tables, word
from bridge.matrix.homeserver import ApiError, Unreachable
from bridge.matrix.joining import Joining
from bridge.matrix.private import Private
from bridge.network import Refused

log = structlog.get_logger()

_MOST = 1000
"""Invitations that wait for an answer; who sends more than these means no good."""
_TRIES = 5
_PAUSE = 2.0


class Invitations:
    """To a configured room: joined. To a private conversation: accepted. Any other is refused."""

    def __init__(self, network: str, account: Account, joining: Joining, private: Private) -> None:
        self._network = network
        self._account = account
        self._joining = joining
        self._private = private
        self._waiting: asyncio.Queue[tuple[str, list[Json]]] = asyncio.Queue(_MOST)

    def note(self, sync: Json) -> None:
        """Take the invitations of a sync response."""
        for room_id in table(sync, "rooms", "invite"):
            state = [*tables(sync, "rooms", "invite", room_id, "invite_state", "events")]
            try:
                self._waiting.put_nowait((room_id, state))
            except asyncio.QueueFull:
                log.warning("invitation ignored", network=self._network, room=room_id, reason="there are too many")

    async def answer(self) -> None:
        """Answer them one by one. Does not return."""
        while True:
            room_id, state = await self._waiting.get()
            await self._answer(room_id, state)

    async def _answer(self, room_id: str, state: Iterable[Json]) -> None:
        reason = ""
        for failures in range(_TRIES):
            try:
                await self._decide(room_id, state)
            except (ApiError, Unreachable, Refused) as error:
                reason = str(error)
                if isinstance(error, ApiError) and not error.passes:
                    break
                await asyncio.sleep(_PAUSE * 2.0**failures)
            else:
                return
        log.warning("invitation not answered", network=self._network, room=room_id, reason=reason)

    async def _decide(self, room_id: str, state: Iterable[Json]) -> None:
        if await self._joining.invited(room_id):
            return
        peer, direct, encrypted = "", False, False
        for event in state:
            encrypted = encrypted or word(event, "type") == "m.room.encryption"
            if word(event, "type") == "m.room.member" and word(event, "state_key") == self._account.us.user:
                peer, direct = word(event, "sender"), table(event, "content").get("is_direct") is True
        if direct and peer:
            await self._private.accept(room_id, peer, encrypted=encrypted)
        else:
            await self._private.refuse(room_id, peer, "only the rooms of the configuration are joined")
