"""What the parts of the adapter want to have remembered in the transaction that moves the position."""

from collections.abc import Mapping

from bridge.matrix.crypto.rows import NEWS, Rows
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import Rooms
from bridge.network import News

_MOST = 50
"""Most news that wait for admins."""


class Remembering:
    """Each `take` is followed by `stored` or `give_back`. Without `rows`, encryption is off."""

    def __init__(self, invitations: Invitations, rooms: Rooms, rows: Rows | None = None) -> None:
        self._invitations = invitations
        self._encrypted = rooms.encrypted
        self._rows = rows
        self._taken: Mapping[str, str] = {}
        self._told: tuple[News, ...] = ()

    @property
    def is_due(self) -> bool:
        """Whether a batch is due for it alone: what the homeserver sends to a device it sends once, and admins are not
        to wait for others to say something."""
        return self._rows is not None and (self._rows.has_changed or bool(self._rows.of(NEWS)))

    def tell(self, news: News) -> None:
        """Have admins told with the next batch. It waits in the rows."""
        if self._rows is not None and len(self._rows.of(NEWS)) < _MOST:
            self._rows.put(NEWS, news.id, news.text)

    def news(self) -> tuple[News, ...]:
        """What admins are told with the batch that comes next; before its `take`."""
        if self._rows is not None:
            self._told = tuple(News(id_, text) for id_, text in self._rows.of(NEWS).items())
            for news in self._told:
                self._rows.put(NEWS, news.id, None)
        return self._told

    async def take(self) -> Mapping[str, str | None]:
        """What has changed, for the batch that comes next."""
        rows = await self._rows.take() if self._rows is not None else {}
        self._taken = self._encrypted.changes()
        return {**self._invitations.changes(), **self._taken, **rows}

    def stored(self) -> None:
        """The batch is stored; nothing happens if it had no changes."""
        self._encrypted.stored(self._taken)
        self._taken, self._told = {}, ()
        if self._rows is not None:
            self._rows.stored()

    def give_back(self) -> None:
        """The batch may not be stored."""
        if self._rows is not None:
            self._rows.give_back()
            for news in self._told:
                self._rows.put(NEWS, news.id, news.text)
            self._told = ()
