"""Fetches what a sync left out of a room, back to the last event that was heard; yields it oldest first."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.http import filters
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable, chunk
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import JoinedRoom

_KEPT = 10
"""Pages kept while older ones are fetched; those that do not fit are fetched a second time."""

_GIVEN_UP = 600.0
"""Seconds until we give up on a page of a room while the homeserver answers everything else."""
_TOO_MANY = 429


class NotShown(Exception):
    """The homeserver answers, but has not shown us a page of this room for a long time."""


class Missed:
    """The events of a room between the tokens `since` (None: back to `joined.past`) and `before`."""

    def __init__(
        self, homeserver: Homeserver, patience: Patience, us: str, joined: JoinedRoom, since: str | None, before: str
    ) -> None:
        self._homeserver = homeserver
        self._patience = patience
        self._joined = joined
        self._before = before
        self._query = {"dir": "b", "limit": str(filters.PAGE), "filter": filters.page(us)}
        if since is not None:
            self._query["to"] = since

    async def pages(self) -> AsyncGenerator[Sequence[Json], None]:
        """The events, oldest first, a page at a time. If the homeserver does not show all of them, raises ApiError or
        NotShown after those that it does show."""
        trouble: ApiError | NotShown | None = None
        tokens = [self._before]
        kept: deque[tuple[str, list[Json]]] = deque(maxlen=_KEPT)
        while True:
            try:
                page = await self._page(tokens[-1])
            except (ApiError, NotShown) as error:
                trouble = error
                tokens.pop()
                break
            events = chunk(page)
            kept.append((tokens[-1], events))
            end = word(page, "end")
            if not end or end in tokens[-2:] or self._is_past(events):
                break
            tokens.append(end)
        while tokens:
            token = tokens.pop()
            events = kept.pop()[1] if kept and kept[-1][0] == token else chunk(await self._page(token))
            yield events[::-1]
        if trouble is not None:
            raise trouble

    async def _page(self, token: str) -> Json:
        query = self._query | {"from": token}
        clock = asyncio.get_running_loop().time
        begun = clock()

        async def request() -> Json:
            try:
                found = await self._homeserver.get("rooms", self._joined.id, "messages", query=query)
                chunk(found)
            except (ApiError, Unreachable) as error:
                limited = isinstance(error, ApiError) and error.status == _TOO_MANY
                if clock() - begun >= _GIVEN_UP and not limited and await self._is_well():
                    raise NotShown(
                        f"the homeserver did not show the room's history within {_GIVEN_UP:.0f} s: {error}"
                    ) from None
                raise
            return found

        return await self._patience.ask(request)

    async def _is_well(self) -> bool:
        """Whether the homeserver answers other requests. If not, it is away, and the page can be fetched later."""
        try:
            await self._homeserver.get("account", "whoami")
        except (ApiError, Unreachable):
            return False
        return True

    def _is_past(self, events: Sequence[Json]) -> bool:
        return any(word(event, "event_id") in self._joined.past for event in events)
