"""Requests for listening: one sync after the other, and what a sync left out."""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bridge.matrix.account import Account
from bridge.matrix.dialect import sync
from bridge.matrix.dialect.convert import Us
from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.dialect.polls import PollVotes
from bridge.matrix.dialect.sync import Sync
from bridge.matrix.hearing.gap import Missed
from bridge.matrix.hearing.position import SyncPosition
from bridge.matrix.http import filters, look, votes
from bridge.matrix.http.homeserver import ApiError, Homeserver, TooLarge, TooSlow, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.matrix.rooms.names import MOST, Names
from bridge.matrix.rooms.power import Power

_POLL = 30.0
_MARGIN = 15.0
_LONGEST = 600.0
"""Most seconds to wait for an answer, once one took longer than expected: a first sync may take minutes."""
_AT_ONCE = 500
"""Names to compare before others get a turn: it takes some milliseconds."""
_SOON = 10.0
"""Most seconds for counting the votes of a poll."""
_NO_POLLS = 300.0
"""Seconds for which no votes are asked for, once they took too long."""
_REFUSED = (400, 404)
_AWAY = 60.0
"""Seconds without an answer after which the events of a sync count as said while we were away."""


class PositionLost(Exception):
    """The homeserver does not know the token from which we want to resume."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A sync. `at`: when it came, in seconds since the epoch; `replayed`: whether we were away before it."""

    sync: Sync
    at: float
    replayed: bool

    @property
    def position(self) -> SyncPosition:
        return SyncPosition(self.sync.next_batch, self.at)


class Asking:
    """`online` is set while the homeserver answers; when it stops, all `rooms` count as unchecked. `opened`: what is in
    an event of a room, sealed or not; None if it cannot be opened."""

    def __init__(
        self,
        homeserver: Homeserver,
        account: Account,
        patience: Patience,
        rooms: Rooms,
        online: asyncio.Event,
        clock: Callable[[], float],
    ) -> None:
        self.opened: votes.Opened = lambda _, event: event
        self._homeserver = homeserver
        self._account = account
        self._patience = patience
        self._rooms = rooms
        self._online = online
        self._clock = clock
        self._filters: dict[bool, str] = {}
        self._answered = -math.inf
        self.heard: float | None = None
        """When a sync was answered last (seconds since the epoch)."""
        self._no_polls_until = -math.inf

    @property
    def us(self) -> Us:
        return self._account.us

    async def sync(self, since: str | None, *, typing: bool = False, poll_s: float = _POLL) -> Answer:
        """What came after the token `since` (None: the current position), however long the homeserver is away; also who
        is `typing`, if asked for. Waits for news for `poll_s` seconds at most. Raises PositionLost if the homeserver
        does not know the token."""
        limit, refused, within = filters.TIMELINE, 0, _POLL + _MARGIN
        while True:
            try:
                found = await self._once(since, limit, within, typing=typing, poll_s=poll_s)
            except (ApiError, Unreachable) as error:
                if isinstance(error, Unreachable) or error.status >= 500:
                    if not (isinstance(error, TooSlow) and self._is_alive()):
                        self._online.clear()
                    self._rooms.doubt()
                if isinstance(error, TooLarge):
                    limit = filters.FEW
                if isinstance(error, TooSlow):
                    within = min(2 * within, _LONGEST)
                self._filters.clear()  # it may be the filter that the homeserver has forgotten
                refused = refused + 1 if isinstance(error, ApiError) and _is_about_us(error) else 0
                if refused > 1 and since is not None:
                    raise PositionLost(str(error)) from None
                await self._patience.bear(error)
            else:
                if limit != filters.TIMELINE:
                    self._filters.clear()
                return self._answer(found)

    def missed(self, joined: JoinedRoom, since: str | None, before: str) -> Missed:
        """The events of a room between two tokens; see `Missed`."""
        return Missed(self._homeserver, self._patience, self.us.user, joined, since, before)

    async def displayname(self, room_id: str, user: str) -> str:
        """The name of `user` in that room."""
        return await self._patience.ask(partial(look.displayname, self._homeserver, room_id, user))

    async def is_inside(self, room_id: str) -> bool:
        """Whether we are in that room now."""
        return await self._patience.ask(partial(look.is_member, self._homeserver, room_id, self.us.user))

    async def names(self, room_id: str, at: str | None) -> Names:
        """What the people in that room were called at the token `at` (None: now), as far as the homeserver tells."""
        people = await self._patience.ask(partial(look.names, self._homeserver, room_id, at, MOST))
        found = Names(self.us.user, self.us.names, are_known=people is not None)
        for number, (user, name) in enumerate((people or {}).items()):
            if not self._rooms.is_ghost(user):
                found.change(user, name)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return found

    async def power(self, room_id: str, event_id: str) -> Power:
        """Who had which power in that room when that event was sent."""
        return await self._patience.ask(partial(look.power, self._homeserver, room_id, event_id))

    async def poll(self, room_id: str, end: Json, may_remove: Callable[[str], bool]) -> PollVotes | None:
        """The poll that the event `end` ends, and what people answered; None if the homeserver does not tell soon:
        nothing else is heard meanwhile. `may_remove`: whether a user may remove what others said."""
        clock = asyncio.get_running_loop().time
        if clock() < self._no_polls_until:
            return None
        try:
            async with asyncio.timeout(_SOON):
                return await votes.of(self._homeserver, room_id, end, may_remove, self.opened)
        except (ApiError, Unreachable):
            return None
        except TimeoutError:
            self._no_polls_until = clock() + _NO_POLLS
            return None

    async def _once(self, since: str | None, limit: int, within: float, *, typing: bool, poll_s: float) -> Json:
        # No long poll until a sync was answered: sending waits to know that the homeserver is there
        poll = min(poll_s, _POLL) if since is not None and self._online.is_set() else 0.0
        query = {"timeout": str(int(poll * 1000))}
        if since is None:
            query["filter"] = json.dumps(filters.first(self.us.user))
        else:
            query |= {"since": since, "filter": await self._filter_id(limit, typing=typing)}
        found = await self._homeserver.get("sync", query=query, within=within)
        if not word(found, "next_batch"):
            raise Unreachable("the homeserver's answer to a sync has no next_batch")
        return found

    def _is_alive(self) -> bool:
        """Whether the homeserver answers other requests: then one that is slow does not mean that it is away."""
        return asyncio.get_running_loop().time() - self._homeserver.answered_at < _MARGIN

    def _answer(self, found: Json) -> Answer:
        now = self._clock()
        replayed, self._answered = now - self._answered > _AWAY, now
        self._patience.succeeded()
        self.heard = now
        self._online.set()
        return Answer(sync.read(found, self.us.user), now, replayed)

    async def _filter_id(self, limit: int, *, typing: bool) -> str:
        """The homeserver's id of our filter, so that a sync need not repeat the filter."""
        if typing not in self._filters:
            wanted = filters.sync(self.us.user, limit, typing=typing)
            answer = await self._homeserver.post("user", self.us.user, "filter", body=wanted)
            self._filters[typing] = word(answer, "filter_id") or json.dumps(wanted)
        return self._filters[typing]


def _is_about_us(error: ApiError) -> bool:
    """Whether our request is at fault. Synapse says M_UNKNOWN of its own trouble too, but with another status."""
    return error.status in _REFUSED and bool(error.code)
