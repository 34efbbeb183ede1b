"""Listening: turns each sync into events and gaps, and moves the cursor once they are stored."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import structlog

from bridge.matrix.crypto.verification.verifying import Verifying
from bridge.matrix.dialect import content, convert, polls, sync
from bridge.matrix.dialect.sync import (
    Entry,
    Membership,
    RoomNews,
    Said,
    Sealed,
    Uncarried,
)
from bridge.matrix.dialect.verification import Verification
from bridge.matrix.ghosts.records import Ghost
from bridge.matrix.hearing.asking import Answer, Asking, PositionLost
from bridge.matrix.hearing.changing import Changing
from bridge.matrix.hearing.ended_polls import EndedPolls
from bridge.matrix.hearing.gap import NotShown
from bridge.matrix.hearing.moderation import moderated
from bridge.matrix.hearing.pending import Fresh, News, Pending
from bridge.matrix.hearing.people import People
from bridge.matrix.hearing.position import SyncPosition
from bridge.matrix.hearing.remembering import Remembering
from bridge.matrix.hearing.typists import Typists
from bridge.matrix.hearing.unsealing import Unreadable, Unsealing
from bridge.matrix.http.homeserver import ApiError
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import JoinedRoom, Rooms, Stage
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.model.accounting import Count, Tally
from bridge.model.event import Event, Room
from bridge.model.people import Sender
from bridge.network import Batch, Gap, Unread

log = structlog.get_logger()

_IDLE = 60.0
"""Seconds after which the cursor moves though nothing was said; until then a restart repeats only empty syncs."""
_BATCH = 200
"""Most messages held before they are stored."""


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
        unsealing: Unsealing,
        remembering: Remembering,
        verifying: Verifying | None = None,
        power_changed: Callable[[JoinedRoom], None] = lambda _: None,
        ghost_moved: Callable[[JoinedRoom, Membership], None] = lambda *_: None,
        ghost_of: Callable[[str], Ghost | None] = lambda _: None,
    ) -> None:
        self._network = network
        self._carries = carries
        self._ghost_of = ghost_of
        self._asking = asking
        self._rooms = rooms
        self._joining = joining
        self._private = private
        self._invitations = invitations
        self._unsealing = unsealing
        self._remembering = remembering
        self._verifying = verifying
        self._people = People(network, asking)
        self._changing = Changing(asking, rooms, joining, private, self._people, unsealing, power_changed, ghost_moved)
        self._typists = Typists(network, rooms)
        self._ended_polls = EndedPolls(asking, carries)
        self.begun = asyncio.Event()
        """Set once it is stored from where we listen: nothing said from then on is missed."""

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """See `bridge.network.Network.events`."""
        try:
            async with aclosing(self._batches(cursor)) as batches:
                async for batch in batches:
                    yield batch
                    self._remembering.stored()
        finally:
            self._remembering.give_back()

    async def _batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        self.begun.clear()
        if cursor is None:
            cursor = (await self._first()).dump()
            yield Batch((), cursor, changes=await self._remembering.take())
            for joined in [*filter(_is_new, self._rooms)]:
                await self._joining.heard(joined)
        since = stored = SyncPosition.parse(cursor)
        self.begun.set()
        while True:
            try:
                typing, poll_s = self._typists.are_heard(since.at), self._typists.poll_s
                answer = await self._asking.sync(since.token, typing=typing, poll_s=poll_s)
            except PositionLost as error:
                gaps, since = await self._lost(since, error)
                stored, cursor = since, since.dump()
                yield Batch((), cursor, gaps, changes=await self._remembering.take(), signals=self._typists.stop())
                continue
            told = Pending()
            async with aclosing(self._news(answer, since)) as all_news:
                async for news in all_news:
                    told.add(news)
                    if len(told.events) >= _BATCH:
                        yield Batch(tuple(told.events), cursor)
                        told.events.clear()
            since, signals = answer.position, self._typists.hear(answer, self._asking.us.user)
            if told or since.at - stored.at >= _IDLE or self._remembering.is_due:
                stored, cursor = since, since.dump()
                for_admins = self._remembering.news()
                yield told.batch(cursor, signals, await self._remembering.take(), for_admins)
            elif signals:  # the cursor stays: it is not worth a transaction
                yield Batch((), cursor, signals=signals)
            for joined in told.fresh:
                await self._joining.heard(joined)

    async def _first(self) -> SyncPosition:
        """The current position. What was said before it is skipped."""
        answer = await self._asking.sync(None)
        await self._unsealing.hear(answer.sync.device)
        self._invitations.note(answer.sync.invited)
        for news in answer.sync.joined:
            if (joined := self._rooms.by_id(news.id)) is not None:
                await self._changing.all(joined, news.state)
        return answer.position

    async def _lost(self, since: SyncPosition, error: PositionLost) -> tuple[tuple[Gap, ...], SyncPosition]:
        """The gaps left because the homeserver has forgotten `since`, and the current position."""
        hint = "the homeserver does not know where we stopped; messages sent since then are lost, new ones are carried"
        log.error("position_lost", network=self._network, reason=str(error), hint=hint)
        for joined in self._rooms:
            joined.forget()
        now = await self._first()
        return tuple(_gap(joined, since, now.at) for joined in self._rooms if joined.heard), now

    async def _news(self, answer: Answer, since: SyncPosition) -> AsyncGenerator[News, None]:
        self._changing.note_encryption(answer.sync.joined)
        await self._unsealing.hear(answer.sync.device)
        async for waited in self._ripe(answer):
            yield waited
        for news in answer.sync.joined:
            if (joined := await self._ready(news.id, inside=True)) is not None:
                if joined.stage is Stage.NEW:
                    yield Fresh(joined)
                async for told in self._room(joined, news, answer, since):
                    yield told
        for news in answer.sync.left:
            invited = self._rooms.by_id(news.id)
            if invited is not None and invited.private and invited.stage is Stage.ARRIVING:
                self._rooms.remove(invited)  # an invitation was withdrawn: do not wait for its room
            elif (joined := await self._ready(news.id, inside=False)) is not None:
                async for told in self._room(joined, news, answer, since):
                    yield told
                await self._changing.removed(joined, news.timeline)
        self._invitations.note(answer.sync.invited)

    async def _ripe(self, answer: Answer) -> AsyncGenerator[Event | Count | Unread, None]:
        """What has waited for its key until now."""
        for room_id, entry in self._unsealing.ripe():
            await asyncio.sleep(0)  # there may be many, and large ones
            joined = self._rooms.by_id(room_id)
            if joined is None or joined.closed or not (joined.heard or joined.inside):
                self._unsealing.forget(entry)
            elif (told := await self._heard(joined, entry, answer)) is not None:
                yield replace(told, overtaken=True) if isinstance(told, Event) else told

    async def _ready(self, room_id: str, *, inside: bool) -> JoinedRoom | None:
        """The room, once it is known which messages are new there; None if it is not ours. `inside`: whether the
        homeserver says that we are in it."""
        joined = self._rooms.by_id(room_id)
        if joined is not None:
            await self._joining.settle(joined, inside=inside)
        return None if joined is None or joined.closed else joined

    async def _room(
        self, joined: JoinedRoom, news: RoomNews, answer: Answer, since: SyncPosition
    ) -> AsyncGenerator[Event | Gap | Count | Unread, None]:
        await self._changing.all(joined, news.state)
        if joined.names is None and not joined.private and (news.before or _shows_names(news.timeline)):
            joined.names = await self._asking.names(joined.id, since.token if joined.heard else None)
        if news.before:
            async for told in self._missed(joined, news, answer, since):
                yield told
        async for event in self._events(joined, news.timeline, answer):
            yield event

    async def _missed(
        self, joined: JoinedRoom, news: RoomNews, answer: Answer, since: SyncPosition
    ) -> AsyncGenerator[Event | Gap | Count | Unread, None]:
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
    ) -> AsyncGenerator[Event | Count | Unread, None]:
        for entry in entries:
            if joined.closed:
                return
            heard = await self._heard(joined, entry, answer)
            if heard is not None:
                yield heard
            if not isinstance(entry, Said | Uncarried | Sealed | Verification):
                await self._changing.one(joined, entry)

    async def _heard(self, joined: JoinedRoom, entry: Entry, answer: Answer) -> Event | Count | Unread | None:
        """What is told of `entry`, which has not changed yet what we know of the room. Nothing of what we did."""
        us = self._asking.us.user
        match entry:
            case Membership() if self._rooms.is_ghost(entry.user) and entry.id not in joined.past:
                return await self._of_a_ghost(joined, entry, answer)
            case Said() | Membership() | Uncarried() | Sealed() | Verification() if (
                entry.id in joined.past or us == entry.user or self._rooms.is_ghost(entry.user)
            ):
                return None
            case Verification():
                if self._verifying is not None:
                    self._verifying.hear_room(joined, entry.event)
                return None
            case Said():
                return await self._said(joined, entry, answer)
            case Membership() if not joined.private:
                return await self._people.moved(joined, entry, replayed=answer.replayed)
            case Uncarried(reason=reason) if not joined.private:
                return Count(joined.room, Tally.REFUSED, reason)
            case Sealed():
                opened = await self._unsealing.open(joined, entry)
                if isinstance(opened, Said | Verification | Uncarried):
                    return await self._heard(joined, opened, answer)
                return await self._unread(joined, opened) if isinstance(opened, Unreadable) else opened
            case _:
                return None

    async def _of_a_ghost(self, joined: JoinedRoom, member: Membership, answer: Answer) -> Event | None:
        """What somebody else does to a ghost."""
        is_ours = member.sender == self._asking.us.user or self._rooms.is_ghost(member.sender)
        if is_ours or joined.private or not member.id:
            return None
        who = await self._people.sender(joined, member.sender)
        return moderated(joined, member, self._ghost_of(member.user), who, replayed=answer.replayed)

    async def _unread(self, joined: JoinedRoom, found: Unreadable) -> Unread:
        who = await self._people.sender(joined, found.user)
        return Unread(joined.room, who.name, found.reason, joined.private, found.told)

    async def _said(self, joined: JoinedRoom, entry: Said, answer: Answer) -> Event | None:
        room, private = joined.room, joined.private
        if joined.power is None and not private and entry.needs_power:
            joined.power = await self._asking.power(joined.id, entry.id)
        who, said = await self._people.sender(joined, entry.user), entry.event
        if content.is_long(said) and not self._carries(who, room):
            said = content.beginning(said)
        if polls.is_end(said):
            may_remove = partial(_may_remove, joined)
            return await self._ended_polls.ended(joined, said, who, may_remove, replayed=answer.replayed)
        moderated = partial(_may_remove, joined, entry.user)
        us, replayed = self._asking.us, answer.replayed
        return convert.event(said, room, who, us, private=private, replayed=replayed, moderated=moderated)


def _may_remove(joined: JoinedRoom, user: str) -> bool:
    """Whether `user` may remove what others said there; False if that is not known."""
    return joined.power is not None and joined.power.may_redact(user)


def _is_new(joined: JoinedRoom) -> bool:
    return joined.stage is Stage.NEW


def _shows_names(entries: Iterable[Entry]) -> bool:
    """Whether anybody spoke, came or went."""
    return any(isinstance(entry, Said | Membership | Sealed) for entry in entries)


def _gap(joined: JoinedRoom, since: SyncPosition, until: float) -> Gap:
    """A gap, which never ends before it begins, whatever times others claim."""
    until = max(since.at, until)
    return Gap(joined.room, since.at or until, until)
