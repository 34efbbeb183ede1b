"""Answers invitations in tasks of their own, so that a slow remote homeserver does not hold up listening."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from bridge.lib.backoff import Backoff
from bridge.matrix.dialect.sync import Invitation
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.network import Memory, Refused

log = structlog.get_logger()

_MOST = 10_000
"""Most invitations that wait for an answer, some megabytes: as many as conversations are accepted."""
_AT_ONCE = 8
"""Most answers under way: a remote homeserver may keep each waiting for half a minute."""
_TRIES = 5
_INVITED = "invited "
"""Before the id of a room: the key that keeps an invitation to it."""
_BACKOFF = Backoff(first_s=2.0, longest_s=32.0)


@dataclass(frozen=True, slots=True)
class _Waiting:
    invitation: Invitation
    noted: float
    failures: int = 0


class Invitations:
    """Joins configured rooms, accepts private conversations, and refuses any other invitation. Those without an answer
    are kept in `memory`: a homeserver tells of each only once."""

    def __init__(self, network: str, joining: Joining, private: Private, memory: Memory) -> None:
        self._network = network
        self._joining = joining
        self._private = private
        self._memory = memory
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._number = 0  # of invitations without an answer
        self._open: dict[str, Invitation] = {}  # the same, the last one to each room
        self._kept: set[str] = set()  # the rooms of those in memory
        self._ignored = 0

    async def recall(self) -> None:
        """Queue those that an earlier run has not answered."""
        memory = await self._memory.recall()
        kept = {key.removeprefix(_INVITED): text for key, text in memory.items() if key.startswith(_INVITED)}
        self._kept = set(kept)
        self.note(_loaded(room_id, text) for room_id, text in kept.items() if room_id not in self._open)

    def changes(self) -> Mapping[str, str | None]:
        """What to remember together with the position after which these invitations are not shown again."""
        gone = {_INVITED + room_id: None for room_id in self._kept - self._open.keys()}
        new = {_INVITED + room_id: _dumped(each) for room_id, each in self._open.items() if room_id not in self._kept}
        self._kept = set(self._open)
        return gone | new

    def note(self, invitations: Iterable[Invitation]) -> None:
        """Queue these to be answered."""
        now = asyncio.get_running_loop().time()
        for invitation in invitations:
            if self._number >= _MOST:
                self._ignored += 1
                continue
            self._number += 1
            self._open[invitation.id] = invitation
            self._waiting.put_nowait(_Waiting(invitation, now))
        if self._ignored:
            reason = "too many invitations wait for an answer"
            log.warning("invitations_ignored", network=self._network, invitations=self._ignored, reason=reason)
            self._ignored = 0

    async def answer(self) -> None:
        """Answer the queued ones, some at a time. Does not return."""
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                group.create_task(self._work(), name=f"invitations {self._network} {number}")

    async def _work(self) -> None:
        while True:
            waiting = await self._waiting.get()
            pause = await self._answer(waiting)
            if pause is None:
                self._number -= 1
                if self._open.get(waiting.invitation.id) is waiting.invitation:
                    del self._open[waiting.invitation.id]
            else:  # retried later: a homeserver that is away does not keep the others waiting
                later = replace(waiting, failures=waiting.failures + 1)
                asyncio.get_running_loop().call_later(pause, self._waiting.put_nowait, later)

    async def _answer(self, waiting: _Waiting) -> float | None:
        """Try once; the seconds until the next try, or None if it is done."""
        try:
            await self._decide(waiting.invitation, waiting.noted)
        except (ApiError, Unreachable, Refused) as error:
            asked = error.retry_after if isinstance(error, ApiError) and error.passes else None
            lost = isinstance(error, ApiError) and not error.passes
            if not lost and waiting.failures + 1 < _TRIES:
                return max(asked or 0.0, _BACKOFF.plain(waiting.failures))
            room_id = waiting.invitation.id
            log.warning("invitation_not_answered", network=self._network, room=room_id, reason=str(error))
        return None

    async def _decide(self, invitation: Invitation, noted: float) -> None:
        if await self._joining.invited(invitation.id, noted, invitation.predecessor):
            return
        if self._private.knows(invitation.id):
            return  # accepted before a restart, or twice
        if invitation.direct and invitation.sender:
            await self._private.accept(invitation.id, invitation.sender, encrypted=invitation.encrypted)
        else:
            reason = "this bridge joins only the rooms in its configuration"
            hint = f"to bridge it, put {invitation.id} or its alias into the rooms of a link"
            await self._private.refuse(invitation.id, invitation.sender, reason, hint)


def _dumped(invitation: Invitation) -> str:
    return json.dumps([invitation.sender, invitation.direct, invitation.encrypted, invitation.predecessor])


def _loaded(room_id: str, text: str) -> Invitation:
    sender, direct, encrypted, predecessor = json.loads(text)
    return Invitation(room_id, sender, direct, encrypted, predecessor)
