"""What a sync left out of a room: fetched back to the last event that was heard, and told oldest first."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence

from bridge.matrix import filters
from bridge.matrix.fields import Json, tables, word
from bridge.matrix.homeserver import Homeserver
from bridge.matrix.patience import Patience
from bridge.matrix.rooms import Place

_KEPT = 10
"""Pages that are held while older ones are looked for; what does not fit is fetched a second time."""


class Gap:
    """The events of `place` between the tokens `since` (None: where `place.past` begins) and `before`."""

    def __init__(
        self, homeserver: Homeserver, patience: Patience, us: str, place: Place, since: str | None, before: str
    ) -> None:
        self._homeserver = homeserver
        self._patience = patience
        self._place = place
        self._before = before
        self._query = {"dir": "b", "limit": str(filters.PAGE), "filter": filters.page(us)}
        if since is not None:
            self._query["to"] = since

    async def pages(self) -> AsyncGenerator[Sequence[Json], None]:
        """The events, oldest first, some at a time. ApiError where the homeserver does not show them."""
        tokens = [self._before]
        kept: deque[tuple[str, list[Json]]] = deque(maxlen=_KEPT)
        while True:
            page = await self._page(tokens[-1])
            events = [*tables(page, "chunk")]
            kept.append((tokens[-1], events))
            end = word(page, "end")
            if not end or end in tokens[-2:] or self._is_past(events):
                break
            tokens.append(end)
        while tokens:
            token = tokens.pop()
            events = kept.pop()[1] if kept and kept[-1][0] == token else [*tables(await self._page(token), "chunk")]
            yield events[::-1]

    async def _page(self, token: str) -> Json:
        query = self._query | {"from": token}
        return await self._patience.ask(lambda: self._homeserver.get("rooms", self._place.id, "messages", query=query))

    def _is_past(self, events: Sequence[Json]) -> bool:
        return any(word(event, "event_id") in self._place.past for event in events)
