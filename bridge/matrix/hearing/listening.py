"""Hearing: one sync after the other, each turned into messages, with the cursor moved by who stores them."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

import structlog

from bridge.matrix.account import Account
from bridge.matrix.dialect import convert
from bridge.matrix.hearing.gap import Missed, NotShown
from bridge.matrix.hearing.position import SyncPosition
from bridge.matrix.http import filters, look
from bridge.matrix.http.fields import Json, table, tables, word
from bridge.matrix.http.homeserver import ApiError, Homeserver, TooLarge, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.known import Names, Place, Rooms
from bridge.matrix.rooms.private import Private
from bridge.model.event import Event
from bridge.network import Batch, Gap

log = structlog.get_logger()

_POLL = 30.0
_MARGIN = 15.0
_IDLE = 60.0
"""Seconds after which the cursor moves though nothing was said: until then a sync would only repeat what is no news."""
_BAD_REQUEST = 400
_NO_TOKEN = ("M_UNKNOWN", "M_INVALID_PARAM")
_AWAY = 60.0
"""Seconds without an answer after which what a sync tells was said while we were away."""
_BATCH = 200
"""Messages that are held at most before they are stored."""


class _NotUnderstood(Exception):
    """The homeserver does not know where we want to resume."""


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A room was heard for the first time since we came."""

    place: Place


_News = Event | Gap | _Fresh
"""What a sync tells, in the order of each room."""


@dataclass(slots=True)
class _Told:
    """What a sync has told so far and is not stored yet."""

    events: list[Event] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    fresh: list[Place] = field(default_factory=list)

    def add(self, news: _News) -> None:
        match news:
            case Event():
                self.events.append(news)
            case Gap():
                self.gaps.append(news)
            case _Fresh(place):
                self.fresh.append(place)
            case _ as never:
                assert_never(never)

    def __bool__(self) -> bool:
        return bool(self.events or self.gaps or self.fresh)


def _gap(place: Place, since: SyncPosition, until: float) -> Gap:
    """Whatever others say of the time, it does not end before it begins."""
    until = max(since.at, until)
    return Gap(place.room, since.at or until, until)


def _is_about_us(error: ApiError) -> bool:
    """Not about a homeserver that is ill: Synapse calls its own trouble M_UNKNOWN, too, but not with this status."""
    return error.status == _BAD_REQUEST and error.code in _NO_TOKEN


class Listening:
    """`online` is set while the homeserver answers."""

    def __init__(
        self,
        rooms: Rooms,
        homeserver: Homeserver,
        account: Account,
        joining: Joining,
        private: Private,
        invitations: Invitations,
        patience: Patience,
        clock: Callable[[], float],
        online: asyncio.Event,
        network: str,
    ) -> None:
        self._rooms = rooms
        self._names = Names()
        self._homeserver = homeserver
        self._account = account
        self._joining = joining
        self._private = private
        self._invitations = invitations
        self._patience = patience
        self._clock = clock
        self._online = online
        self._network = network
        self._filter = ""
        self._answered = -math.inf
        self._replayed = True

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """See `bridge.network.Network.events`."""
        if cursor is None:
            cursor = (await self._first()).dump()
            yield Batch((), cursor)
            for place in self._rooms:
                if place.joined and not place.heard:
                    await self._joining.heard(place)
        since, moved = SyncPosition.parse(cursor), self._clock()
        while True:
            try:
                found = await self._sync(since.token)
            except _NotUnderstood as error:
                hint = "is it of another account? What was said since is not carried; what is said from now on is"
                log.error("position_lost", network=self._network, reason=str(error), hint=hint)
                lost, since = since, await self._first()
                cursor = since.dump()
                yield Batch((), cursor, tuple(_gap(place, lost, since.at) for place in self._rooms if place.heard))
                continue
            told = _Told()
            async with aclosing(self._news(found, since)) as all_news:
                async for news in all_news:
                    told.add(news)
                    if len(told.events) >= _BATCH:
                        yield Batch(tuple(told.events), cursor)
                        told.events.clear()
            since = self._behind(found)
            if told or self._clock() - moved >= _IDLE:
                cursor, moved = since.dump(), self._clock()
                yield Batch(tuple(told.events), cursor, tuple(told.gaps))
            for place in told.fresh:
                await self._joining.heard(place)

    def _behind(self, found: Json) -> SyncPosition:
        return SyncPosition(word(found, "next_batch"), self._answered)

    async def _first(self) -> SyncPosition:
        """Where we are now. What was said until then is not heard."""
        found = await self._sync(None)
        self._invitations.note(found)
        for room_id in table(found, "rooms", "join"):
            if (place := self._rooms.place(room_id)) is not None:
                await self._changes(place, table(found, "rooms", "join", room_id))
        return self._behind(found)

    async def _sync(self, since: str | None) -> Json:
        us = self._account.us.user
        query = {"filter": json.dumps(filters.first(us))} if since is None else {"since": since}
        refused, limit = 0, filters.TIMELINE
        while True:
            # Until one has answered, none may wait for news: sending waits to know that the homeserver is there
            poll = _POLL if since is not None and self._online.is_set() else 0.0
            query["timeout"] = str(int(poll * 1000))
            try:
                if since is not None:
                    query["filter"] = await self._filter_id(us, limit)
                found = await self._homeserver.get("sync", query=query, within=_POLL + _MARGIN)
                if not word(found, "next_batch"):
                    raise Unreachable("the answer to a sync does not say where it ends")
            except (ApiError, Unreachable) as error:
                if isinstance(error, Unreachable) or error.status >= 500:
                    self._online.clear()
                    self._rooms.doubt()
                if isinstance(error, TooLarge):
                    limit = filters.FEW
                self._filter = ""  # it may be the filter that the homeserver has forgotten
                refused = refused + 1 if isinstance(error, ApiError) and _is_about_us(error) else 0
                if refused > 1 and since is not None:
                    raise _NotUnderstood(str(error)) from None
                await self._patience.bear(error)
            else:
                now = self._clock()
                self._replayed = now - self._answered > _AWAY
                self._answered = now
                self._patience.succeeded()
                self._online.set()
                if limit != filters.TIMELINE:
                    self._filter = ""
                return found

    async def _filter_id(self, us: str, limit: int) -> str:
        """The homeserver's name for our filter, so that not every sync has to spell it out."""
        if not self._filter:
            wanted = filters.sync(us, limit)
            answer = await self._homeserver.post("user", us, "filter", body=wanted)
            self._filter = word(answer, "filter_id") or json.dumps(wanted)
        return self._filter

    async def _news(self, found: Json, since: SyncPosition) -> AsyncGenerator[_News, None]:
        """What a sync tells."""
        for room_id in table(found, "rooms", "join"):
            if (place := await self._settled(room_id)) is not None:
                if not place.heard and place.joined:
                    yield _Fresh(place)
                async for news in self._room(place, table(found, "rooms", "join", room_id), since):
                    yield news
        for room_id in table(found, "rooms", "leave"):
            expected = self._rooms.place(room_id)
            if expected is not None and expected.private and not expected.settled.is_set():
                self._rooms.remove(expected)  # an invitation withdrawn: its room may be slow to answer
            elif (place := await self._settled(room_id)) is not None:
                last = table(found, "rooms", "leave", room_id)
                async for news in self._room(place, last, since):
                    yield news
                await self._removed(place, last)
        self._invitations.note(found)

    async def _settled(self, room_id: str) -> Place | None:
        place = self._rooms.place(room_id)
        if place is not None:
            await place.settled.wait()
        return None if place is None or place.closed else place

    async def _room(self, place: Place, found: Json, since: SyncPosition) -> AsyncGenerator[_News, None]:
        await self._changes(place, found)
        timeline = table(found, "timeline")
        before = word(timeline, "prev_batch")
        if timeline.get("limited") is True and before:
            token = since.token if place.heard else None
            missed = Missed(self._homeserver, self._patience, self._account.us.user, place, token, before)
            shown = self._clock()
            try:
                async for page in missed.pages():
                    shown = min([shown, *(convert.said_at(event) for event in page)])
                    async for message in self._messages(place, page):
                        yield message
            except (ApiError, NotShown) as error:
                hint = "what was said there while we were away is not known in full; what is said now is carried"
                log.error("gap_not_filled", network=self._network, room=str(place.room), reason=str(error), hint=hint)
                shown = min([shown, *(convert.said_at(event) for event in tables(timeline, "events"))])
                yield _gap(place, since, shown)
        async for message in self._messages(place, tables(timeline, "events")):
            yield message

    async def _messages(self, place: Place, events: Iterable[Json]) -> AsyncGenerator[Event, None]:
        for event in events:
            if place.closed:
                return
            if word(event, "type") not in ("m.room.message", "m.sticker"):
                await self._change(place, event)
                continue
            user, event_id = word(event, "sender"), word(event, "event_id")
            if not user or not event_id or user == self._account.us.user or event_id in place.past:
                continue
            who = convert.sender(self._network, user, await self._name(place, user))
            message = convert.message(
                event, place.room, who, self._account.us, private=place.private, replayed=self._replayed
            )
            if message is not None:
                yield message

    async def _name(self, place: Place, user: str) -> str:
        name = self._names.of(place.id, user)
        if name is None:
            name = await self._patience.ask(partial(look.displayname, self._homeserver, place.id, user))
            self._names.learn(place.id, user, name)
        return name

    async def _changes(self, place: Place, news: Json) -> None:
        for event in tables(news, "state", "events"):
            await self._change(place, event)

    async def _change(self, place: Place, event: Json) -> None:
        """Something other than a message."""
        match word(event, "type"):
            case "m.room.member":
                await self._member(place, word(event, "state_key"), table(event, "content"))
            case "m.room.encryption":
                place.encrypted = True
                if place.private:
                    await self._private.close(place, "it is encrypted now, and encryption is not supported yet")
            case "m.room.tombstone" if place.first("tombstone"):
                new = word(table(event, "content"), "replacement_room")
                hint = "the new room is not joined by itself: put it into the configuration"
                log.warning("room_replaced", network=self._network, room=str(place.room), new=new, hint=hint)
            case "m.room.encrypted" if place.first("encrypted"):
                hint = "encryption is not supported yet: what is said there is not carried"
                log.warning("encrypted", network=self._network, room=str(place.room), hint=hint)

    async def _member(self, place: Place, user: str, content: Json) -> None:
        membership = word(content, "membership")
        if membership == "join":
            self._names.learn(place.id, user, word(content, "displayname"))
        if not place.private or place.closed or user == self._account.us.user:
            return
        there = membership in ("join", "invite")
        if there and user != place.peer:
            await self._private.close(place, f"{user} is in it too")
        elif not there and user == place.peer:
            await self._private.close(place, f"{user} has left")

    async def _removed(self, place: Place, news: Json) -> None:
        if place.closed:
            return
        us, reason = self._account.us.user, "we are not in the room any more"
        for event in tables(news, "timeline", "events"):
            if word(event, "type") == "m.room.member" and word(event, "state_key") == us:
                content = table(event, "content")
                verb = "banned" if word(content, "membership") == "ban" else "removed"
                why = f" ({word(content, 'reason')})" if word(content, "reason") else ""
                reason = f"we were {verb} by {word(event, 'sender')}{why}"
        if place.private:
            await self._private.close(place, reason)
        else:
            await self._joining.left(place, reason)
