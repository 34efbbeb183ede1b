"""Listening: turns each sync into events and gaps, and moves the cursor once they are stored."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import assert_never

import structlog

from bridge.lib.lru import LruDict
from bridge.matrix.dialect import convert, sync
from bridge.matrix.dialect.sync import (
    Encryption,
    Entry,
    Membership,
    PowerLevels,
    Replacement,
    RoomNews,
    Said,
    Uncarried,
    Undecryptable,
)
from bridge.matrix.hearing.asking import Answer, Asking, PositionLost
from bridge.matrix.hearing.gap import NotShown
from bridge.matrix.hearing.position import SyncPosition
from bridge.matrix.http.homeserver import ApiError
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import JoinedRoom, Rooms, Stage
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.model.accounting import Count, Tally
from bridge.model.event import Event, Room
from bridge.model.people import Sender
from bridge.network import Batch, Gap, Moved

log = structlog.get_logger()

_IDLE = 60.0
"""Seconds after which the cursor moves though nothing was said; until then a restart repeats only empty syncs."""
_BATCH = 200
"""Most messages held before they are stored."""
_NAMES = 5000
"""Most display names remembered; the least recently used is dropped."""


@dataclass(frozen=True, slots=True)
class _Fresh:
    """The first sync with a room since we joined it."""

    joined: JoinedRoom


_News = Event | Gap | Count | _Fresh
"""One piece of news in a sync; those of a room come in its order."""


@dataclass(slots=True)
class _Told:
    """The news of a sync that are not stored yet."""

    events: list[Event] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    fresh: list[JoinedRoom] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)

    def batch(self, cursor: str, changes: Mapping[str, str | None]) -> Batch:
        """The batch that ends a sync."""
        moves = tuple(Moved(joined.room, joined.id, joined.moved) for joined in self.fresh if joined.moved)
        return Batch(tuple(self.events), cursor, tuple(self.gaps), tuple(self.counts), moves, changes)

    def add(self, news: _News) -> None:
        match news:
            case Event():
                self.events.append(news)
            case Gap():
                self.gaps.append(news)
            case Count():
                self.counts.append(news)
            case _Fresh(joined):
                self.fresh.append(joined)
            case _ as never:
                assert_never(never)

    def __bool__(self) -> bool:
        return bool(self.events or self.gaps or self.fresh or self.counts)


class Listening:
    """Yields batches, and passes changes of rooms on to `joining`, `private` and `invitations`."""

    def __init__(
        self,
        network: str,
        asking: Asking,
        rooms: Rooms,
        joining: Joining,
        private: Private,
        invitations: Invitations,
        carries: Callable[[Sender, Room], bool],
    ) -> None:
        self._network = network
        self._carries = carries
        self._asking = asking
        self._rooms = rooms
        self._joining = joining
        self._private = private
        self._invitations = invitations
        self._names: LruDict[tuple[str, str], str] = LruDict(_NAMES)

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """See `bridge.network.Network.events`."""
        if cursor is None:
            cursor = (await self._first()).dump()
            yield Batch((), cursor, changes=self._invitations.changes())
            for joined in self._rooms:
                if joined.stage is Stage.NEW:
                    await self._joining.heard(joined)
        since = stored = SyncPosition.parse(cursor)
        while True:
            try:
                answer = await self._asking.sync(since.token)
            except PositionLost as error:
                gaps, since = await self._lost(since, error)
                stored, cursor = since, since.dump()
                yield Batch((), cursor, gaps, changes=self._invitations.changes())
                continue
            told = _Told()
            async with aclosing(self._news(answer, since)) as all_news:
                async for news in all_news:
                    told.add(news)
                    if len(told.events) >= _BATCH:
                        yield Batch(tuple(told.events), cursor)
                        told.events.clear()
            since = answer.position
            if told or since.at - stored.at >= _IDLE:
                stored, cursor = since, since.dump()
                yield told.batch(cursor, self._invitations.changes())
            for joined in told.fresh:
                await self._joining.heard(joined)

    async def _first(self) -> SyncPosition:
        """The current position. What was said before it is skipped."""
        answer = await self._asking.sync(None)
        self._invitations.note(answer.sync.invited)
        for news in answer.sync.joined:
            if (joined := self._rooms.by_id(news.id)) is not None:
                await self._changes(joined, news.state)
        return answer.position

    async def _lost(self, since: SyncPosition, error: PositionLost) -> tuple[tuple[Gap, ...], SyncPosition]:
        """The gaps left because the homeserver has forgotten `since`, and the current position."""
        hint = "the homeserver does not know where we stopped; messages sent since then are lost, new ones are carried"
        log.error("position_lost", network=self._network, reason=str(error), hint=hint)
        for joined in self._rooms:
            joined.forget()
        now = await self._first()
        return tuple(_gap(joined, since, now.at) for joined in self._rooms if joined.heard), now

    async def _news(self, answer: Answer, since: SyncPosition) -> AsyncGenerator[_News, None]:
        for news in answer.sync.joined:
            if (joined := await self._ready(news.id, inside=True)) is not None:
                if joined.stage is Stage.NEW:
                    yield _Fresh(joined)
                async for told in self._room(joined, news, answer, since):
                    yield told
        for news in answer.sync.left:
            invited = self._rooms.by_id(news.id)
            if invited is not None and invited.private and invited.stage is Stage.ARRIVING:
                self._rooms.remove(invited)  # an invitation was withdrawn: do not wait for its room
            elif (joined := await self._ready(news.id, inside=False)) is not None:
                async for told in self._room(joined, news, answer, since):
                    yield told
                await self._removed(joined, news.timeline)
        self._invitations.note(answer.sync.invited)

    async def _ready(self, room_id: str, *, inside: bool) -> JoinedRoom | None:
        """The room, once it is known which messages are new there; None if it is not ours. `inside`: whether the
        homeserver says that we are in it."""
        joined = self._rooms.by_id(room_id)
        if joined is not None:
            await self._joining.settle(joined, inside=inside)
        return None if joined is None or joined.closed else joined

    async def _room(
        self, joined: JoinedRoom, news: RoomNews, answer: Answer, since: SyncPosition
    ) -> AsyncGenerator[Event | Gap | Count, None]:
        await self._changes(joined, news.state)
        if joined.names is None and not joined.private and (news.before or _is_spoken_in(news.timeline)):
            joined.names = await self._asking.names(joined.id, since.token if joined.heard else None)
        if news.before:
            async for told in self._missed(joined, news, answer, since):
                yield told
        async for event in self._events(joined, news.timeline, answer):
            yield event

    async def _missed(
        self, joined: JoinedRoom, news: RoomNews, answer: Answer, since: SyncPosition
    ) -> AsyncGenerator[Event | Gap | Count, None]:
        """What the sync left out, and a gap if the homeserver does not show all of it."""
        missed = self._asking.missed(joined, since.token if joined.heard else None, news.before)
        shown = answer.at
        try:
            async for page in missed.pages():
                shown = min([shown, *map(convert.said_at, page)])
                async for event in self._events(joined, sync.entries(page), answer):
                    yield event
        except (ApiError, NotShown) as error:
            hint = "some messages sent there while the bridge was away are lost; new ones are carried"
            log.error("gap_not_filled", network=self._network, room=str(joined.room), reason=str(error), hint=hint)
            joined.forget()
            yield _gap(joined, since, min(shown, news.begins))

    async def _events(
        self, joined: JoinedRoom, entries: Iterable[Entry], answer: Answer
    ) -> AsyncGenerator[Event | Count, None]:
        us = self._asking.us
        for entry in entries:
            if joined.closed:
                return
            if isinstance(entry, Uncarried):
                if entry.user != us.user and entry.id not in joined.past and not joined.private:
                    yield Count(joined.room, Tally.REFUSED, entry.reason)
            elif not isinstance(entry, Said):
                await self._change(joined, entry)
            elif entry.user != us.user and entry.id not in joined.past:
                if joined.power is None and not joined.private and entry.needs_power:
                    joined.power = await self._asking.power(joined.id, entry.id)
                who = await self._sender(joined, entry.user)
                private, replayed = joined.private, answer.replayed
                said = entry.event
                if convert.is_long(said) and not self._carries(who, joined.room):
                    said = convert.beginning(said)
                event = convert.message(said, joined.room, who, us, private=private, replayed=replayed)
                if event is not None:
                    yield event

    async def _sender(self, joined: JoinedRoom, user: str) -> Sender:
        """The person `user`, by the name that they had when the event that we hear now was said."""
        known = joined.names.of(user) if joined.names is not None else None
        name = known if known is not None else await self._name(joined, user)
        who = convert.sender(self._network, user, name)
        ambiguous = joined.names is not None and joined.names.is_ambiguous(user, name)
        return convert.with_id(who) if ambiguous else who

    async def _name(self, joined: JoinedRoom, user: str) -> str:
        name = self._names.get((joined.id, user))
        if name is None:
            name = self._names[joined.id, user] = await self._asking.displayname(joined.id, user)
        return name

    async def _changes(self, joined: JoinedRoom, state: Iterable[Entry]) -> None:
        for entry in state:
            if not isinstance(entry, Said | Uncarried):
                await self._change(joined, entry)

    async def _change(
        self, joined: JoinedRoom, entry: Membership | Encryption | Replacement | PowerLevels | Undecryptable
    ) -> None:
        match entry:
            case Membership():
                await self._member(joined, entry)
            case Encryption():
                joined.encrypted = True
                if joined.private:
                    await self._private.close(
                        joined, "the conversation is encrypted now, and encryption is not supported yet"
                    )
            case Replacement():
                if not joined.private:
                    self._joining.replaced(joined, entry)
            case PowerLevels(levels):
                if joined.power is not None:
                    joined.power = joined.power.with_levels(levels)
            case Undecryptable():
                if joined.warns_of("encrypted"):
                    hint = "encrypted messages are not carried: encryption is not supported yet"
                    log.warning("encrypted", network=self._network, room=str(joined.room), hint=hint)
            case _ as never:
                assert_never(never)

    async def _member(self, joined: JoinedRoom, member: Membership) -> None:
        if member.membership == "join":
            self._names[joined.id, member.user] = member.name
        if joined.names is not None:
            joined.names.change(member.user, member.name if member.stays else None)
        if not joined.private or joined.closed or member.user == self._asking.us.user:
            return
        if member.stays and member.user != joined.peer:
            await self._private.close(joined, f"a third person is in it: {member.user}")
        elif not member.stays and member.user == joined.peer:
            await self._private.close(joined, f"{member.user} has left")

    async def _removed(self, joined: JoinedRoom, timeline: Iterable[Entry]) -> None:
        if joined.closed or await self._asking.is_inside(joined.id):
            return  # we have joined it again, after the sync
        reason = "the bridge is no longer in the room"
        for entry in timeline:
            if isinstance(entry, Membership) and entry.user == self._asking.us.user and not entry.stays:
                verb = "banned" if entry.membership == "ban" else "removed"
                why = f": {entry.reason}" if entry.reason else ""
                reason = f"{verb} by {entry.sender}{why}"
        if joined.private:
            await self._private.close(joined, reason)
        else:
            await self._joining.left(joined, reason)


def _is_spoken_in(entries: Iterable[Entry]) -> bool:
    return any(isinstance(entry, Said) for entry in entries)


def _gap(joined: JoinedRoom, since: SyncPosition, until: float) -> Gap:
    """A gap, which never ends before it begins, whatever times others claim."""
    until = max(since.at, until)
    return Gap(joined.room, since.at or until, until)
