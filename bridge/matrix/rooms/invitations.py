"""Answering invitations beside the hearing: a homeserver elsewhere that is slow holds up nobody."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

import structlog

from bridge.lib.backoff import Backoff
from bridge.matrix.account import Account
from bridge.matrix.http.fields import Json, table, tables, word
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.network import Refused

log = structlog.get_logger()

_MOST = 1000
"""Invitations that wait for an answer; who sends more than these means no good."""
_AT_ONCE = 8
"""Answers under way: a homeserver elsewhere may keep each waiting for half a minute."""
_TRIES = 5
_BACKOFF = Backoff(first_s=2.0, longest_s=32.0)


@dataclass(frozen=True, slots=True)
class _Invitation:
    room_id: str
    state: tuple[Json, ...]
    failures: int = 0


class Invitations:
    """To a configured room: joined. To a private conversation: accepted. Any other is refused."""

    def __init__(self, network: str, account: Account, joining: Joining, private: Private) -> None:
        self._network = network
        self._account = account
        self._joining = joining
        self._private = private
        self._waiting: asyncio.Queue[_Invitation] = asyncio.Queue()
        self._open = 0

    def note(self, sync: Json) -> None:
        """Take the invitations of a sync response."""
        for room_id in table(sync, "rooms", "invite"):
            if self._open >= _MOST:
                log.warning("invitation_ignored", network=self._network, room=room_id, reason="there are too many")
                continue
            self._open += 1
            state = tuple(tables(sync, "rooms", "invite", room_id, "invite_state", "events"))
            self._waiting.put_nowait(_Invitation(room_id, state))

    async def answer(self) -> None:
        """Answer them, some at a time. Does not return."""
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                group.create_task(self._work(), name=f"invitations {self._network} {number}")

    async def _work(self) -> None:
        while True:
            invitation = await self._waiting.get()
            pause = await self._answer(invitation)
            if pause is None:
                self._open -= 1
            else:  # later: who waits for a homeserver that is away does not keep the others waiting
                later = replace(invitation, failures=invitation.failures + 1)
                asyncio.get_running_loop().call_later(pause, self._waiting.put_nowait, later)

    async def _answer(self, invitation: _Invitation) -> float | None:
        """Seconds after which it is tried again, or None where it is done with."""
        try:
            await self._decide(invitation.room_id, invitation.state)
        except (ApiError, Unreachable, Refused) as error:
            asked = error.retry_after if isinstance(error, ApiError) and error.passes else None
            lost = isinstance(error, ApiError) and not error.passes
            if not lost and invitation.failures + 1 < _TRIES:
                return max(asked or 0.0, _BACKOFF.plain(invitation.failures))
            log.warning("invitation_not_answered", network=self._network, room=invitation.room_id, reason=str(error))
        return None

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
