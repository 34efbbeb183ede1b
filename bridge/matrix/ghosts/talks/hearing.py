"""Hears what members say to ghosts: by the transactions of the homeserver."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks import transactions
from bridge.matrix.ghosts.talks.errands import Errands
from bridge.matrix.ghosts.talks.inbox import Inbox
from bridge.matrix.ghosts.talks.missed import missed
from bridge.matrix.ghosts.talks.rooms import KEY, Do, Errand, TalkRoom, TalkRooms
from bridge.matrix.ghosts.talks.transactions import Named, Over, Spoken, Transactions
from bridge.matrix.ghosts.talks.words import Words, sealed
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.matrix.rooms.joined import Rooms
from bridge.model.event import Event
from bridge.network import NotNow

_AT_ONCE = 4
"""Most transactions that wait for their turn. A homeserver sends one after the other."""
_BATCH = 200
"""Most events that are stored together."""
_CAUGHT_UP = 200
"""Most rooms where it is looked at once for what was missed; in others, once something is said there."""
_AWAY = "The homeserver does not answer."
_OPENED_WITHIN_S = 15.0
"""Most seconds that what is said in a room waits until the ghost has answered the invitation to it."""


class Hearing:
    """`us`: the Matrix id of the bridge's own account; `linked`: the rooms that it hears."""

    def __init__(
        self,
        us: str,
        words: Words,
        faces: Faces,
        linked: Rooms,
        talks: TalkRooms,
        inbox: Inbox,
        errands: Errands,
        service: Service,
    ) -> None:
        self._us = us
        self._words = words
        self._faces = faces
        self._linked = linked
        self._talks = talks
        self._inbox = inbox
        self._errands = errands
        self._service = service
        self._transactions = Transactions()
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def receive(self, number: str, body: bytes) -> None:
        """See `bridge.network.ReceivesTransactions`."""
        events = transactions.events(body)
        if self._transactions.knows(number, body):
            return
        if wanted := [*filter(self._concerns_us, events)]:
            await self._in_turn(wanted)
        self._transactions.add(number, body)

    async def catch_up(self) -> None:
        """Hear what may have been said unheard, in the rooms where people have talked last. Raises NotNow."""
        for room in self._talks.unsure(_CAUGHT_UP):
            async with self._turn:
                following = _Following()
                await self._hear_missed(room, following)
                await self._store(following)

    def _concerns_us(self, event: Json) -> bool:
        """Whether it is about a room of two, or one that may become one. Most are about linked rooms."""
        room_id = word(event, "room_id")
        if (room := self._talks.by_id(room_id)) is not None:
            return word(event, "sender") != room.ghost
        if self._errands.is_answering(room_id):
            return True
        return self._linked.by_id(room_id) is None and self._invitation(event) is not None

    def _invitation(self, event: Json) -> Errand | None:
        return transactions.invitation(event, self._faces.is_ours)

    async def _in_turn(self, events: Sequence[Json]) -> None:
        """Store what follows from `events`. Raises NotNow."""
        if self._waiting >= _AT_ONCE:
            raise NotNow("Other transactions wait.")
        self._waiting += 1
        try:
            async with self._turn:
                for begin in range(0, len(events), _BATCH):
                    following = _Following()
                    for event in events[begin : begin + _BATCH]:
                        await self._follow(event, following)
                    await self._store(following)
        finally:
            self._waiting -= 1

    async def _store(self, following: "_Following") -> None:
        """Store what follows, and go on from there."""
        if following:
            await self._inbox.store(following.said, following.changes())
        for room in following.over.values():
            self._talks.drop(room)
            if room.removed:
                self._talks.add(room)
        for errand in following.errands.values():
            self._errands.start(errand)
        for room in following.last.values():
            if (now := self._talks.by_id(room.id)) is not None:
                now.last, now.at = room.last, room.at
        for room in following.sure.values():
            room.is_sure = True
        for event_id in following.ids:
            self._talks.heard.add(event_id)

    async def _follow(self, event: Json, following: "_Following") -> None:
        room_id = word(event, "room_id")
        if self._errands.is_answering(room_id) and not await self._errands.is_answered(room_id, _OPENED_WITHIN_S):
            raise NotNow("A ghost is about to come into a room.")
        room = self._talks.by_id(room_id)
        if room is not None:
            if not room.is_sure and room.id not in following.sure:
                await self._hear_missed(room, following)
            await self._hear(event, room, following)
        elif (errand := self._invitation(event)) is not None and self._errands.has_place():
            following.errands.setdefault(room_id, errand)

    async def _hear_missed(self, room: TalkRoom, following: "_Following") -> None:
        """Hear what the homeserver has not told us of. Raises NotNow."""
        try:
            found = await missed(self._service, room)
        except ApiError as error:
            if error.passes or error.logged_out:
                raise NotNow(_AWAY) from None
            found = ()  # the ghost is not there any more
        except Unreachable:
            raise NotNow(_AWAY) from None
        following.sure[room.id] = room
        for event in found:
            await self._hear(event, room, following)

    async def _hear(self, event: Json, room: TalkRoom, following: "_Following") -> None:
        """Hear something in a room of two, once."""
        ghost, event_id = self._faces.by_id(room.ghost), word(event, "event_id")
        known = event_id in following.ids or event_id in self._talks.heard
        if ghost is None or not event_id or known or room.id in following.over:
            return
        following.ids.add(event_id)
        match transactions.meaning(event, room, sealed(ghost, self._us)):
            case Spoken():
                if (said := await self._words.event(event, room, ghost)) is not None:
                    following.say(said, room)
            case Named(name):
                room.name = name
            case Over(text, removed):
                room.checked = False  # from now on, though it is not stored yet
                following.end(replace(room, removed=removed), text)


@dataclass(slots=True)
class _Following:
    """What follows from some events, by their `ids`: what was `said`, and what was the `last` of it in each room; which
    rooms are `over`; what there is to do; and where we are `sure` now that nothing was missed."""

    ids: set[str] = field(default_factory=set)
    said: list[Event] = field(default_factory=list)
    last: dict[str, TalkRoom] = field(default_factory=dict)
    over: dict[str, TalkRoom] = field(default_factory=dict)
    errands: dict[str, Errand] = field(default_factory=dict)
    sure: dict[str, TalkRoom] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to be stored."""
        return bool(self.said or self.over or self.errands)

    def say(self, said: Event, room: TalkRoom) -> None:
        self.said.append(said)
        self.last[room.id] = replace(room, last=said.id, at=round(said.time * 1000))

    def end(self, room: TalkRoom, text: str) -> None:
        """The talk is over there; the ghost says `text` and leaves, unless it was removed."""
        self.over[room.id] = room
        if not room.removed:
            self.errands[room.id] = Errand(room.id, room.ghost, Do.LEAVE, text=text)

    def changes(self) -> Mapping[str, str | None]:
        """What has to be remembered of it."""
        rooms = self.last | {room.id: room for room in self.over.values()}
        gone = [room.id for room in self.over.values() if not room.removed]
        kept = {KEY + room.id: None if room.id in gone else room.dump() for room in rooms.values()}
        return kept | {errand.key: errand.dump() for errand in self.errands.values()}
