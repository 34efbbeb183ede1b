"""Private talk of members with ghosts, as the adapter has it: what is heard there, and what is said."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks.errands import Errands, MayTalk
from bridge.matrix.ghosts.talks.hearing import Hearing
from bridge.matrix.ghosts.talks.inbox import Inbox
from bridge.matrix.ghosts.talks.reach import Reach
from bridge.matrix.ghosts.talks.rooms import TalkRooms
from bridge.matrix.ghosts.talks.saying import Saying
from bridge.matrix.ghosts.talks.words import Words
from bridge.matrix.rooms.joined import Rooms
from bridge.model.outbox import Post
from bridge.model.talks import MatrixTalk
from bridge.network import Batch, Memory, NotNow

_LOOK_S = 5.0
"""Seconds between looks whether the homeserver was away."""


class Talks:
    """`us`: the Matrix id of the bridge's own account; `linked`: the rooms that it hears; `clock`: seconds since the
    epoch."""

    def __init__(
        self,
        network: str,
        us: str,
        faces: Faces,
        service: Service,
        linked: Rooms,
        memory: Memory,
        may_talk: MayTalk,
        clock: Callable[[], float],
    ) -> None:
        self._network = network
        self._faces = faces
        self._linked = linked
        self._doubts = linked.doubts
        self._memory = memory
        self._rooms = TalkRooms()
        self._inbox = Inbox()
        self._reach = Reach(network, service, faces)
        words = Words(network, service, clock)
        self._errands = Errands(network, us, faces, service, self._rooms, words, self._inbox, memory, may_talk)
        self._hearing = Hearing(us, words, faces, linked, self._rooms, self._inbox, self._errands, service)
        self._saying = Saying(network, faces, service, self._rooms, self._reach, memory)

    async def recall(self) -> None:
        """Load what earlier runs have kept."""
        kept = await self._memory.recall()
        self._rooms.recall(kept)
        self._errands.recall(kept)

    async def hold(self) -> None:
        """Do what is to be done meanwhile. Does not return."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reach.hold(), name=f"reach of ghosts {self._network}")
            group.create_task(self._errands.hold(), name=f"errands of ghosts {self._network}")
            group.create_task(self._catch_up(), name=f"missed by ghosts {self._network}")

    async def _catch_up(self) -> None:
        """Hear what was missed: at first, and whenever the homeserver was away. Does not return."""
        while True:
            await self._faces.confirmed()
            self._note_doubts()
            with suppress(NotNow):
                await self._hearing.catch_up()
            await asyncio.sleep(_LOOK_S)

    def _note_doubts(self) -> None:
        if self._linked.doubts != self._doubts:
            self._doubts = self._linked.doubts
            self._rooms.doubt()

    def batches(self, heard: AsyncGenerator[Batch, None], cursor: str | None) -> AsyncGenerator[Batch, None]:
        """What is `heard` after the cursor, and what the homeserver tells us of talks."""
        return self._inbox.batches(heard, cursor)

    async def receive_transaction(self, number: str, body: bytes) -> None:
        """See `bridge.network.ReceivesTransactions`."""
        self._reach.note_reached()
        self._note_doubts()
        await self._hearing.receive(number, body)

    def note_reached(self) -> None:
        """The homeserver has reached us."""
        self._reach.note_reached()

    async def say(self, post: Post, talk: MatrixTalk, *, again: bool) -> str | None:
        """See `Saying.say`."""
        return await self._saying.say(post, talk, again=again)
