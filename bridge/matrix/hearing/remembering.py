"""What the parts of the adapter want to have remembered in the transaction that moves the position."""

from collections.abc import Mapping

from bridge.matrix.crypto.rows import Rows
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import Rooms


class Remembering:
    """Each `take` is followed by `stored` or `give_back`. Without `rows`, encryption is off."""

    def __init__(self, invitations: Invitations, rooms: Rooms, rows: Rows | None = None) -> None:
        self._invitations = invitations
        self._encrypted = rooms.encrypted
        self._rows = rows
        self._taken: Mapping[str, str] = {}

    @property
    def is_due(self) -> bool:
        """Whether the position may not move without it: what the homeserver sends to a device it sends once."""
        return self._rows is not None and self._rows.has_changed

    async def take(self) -> Mapping[str, str | None]:
        """What has changed, for the batch that comes next."""
        rows = await self._rows.take() if self._rows is not None else {}
        self._taken = self._encrypted.changes()
        return {**self._invitations.changes(), **self._taken, **rows}

    def stored(self) -> None:
        """The batch is stored; nothing happens if it had no changes."""
        self._encrypted.stored(self._taken)
        self._taken = {}
        if self._rows is not None:
            self._rows.stored()

    def give_back(self) -> None:
        """The batch may not be stored."""
        if self._rows is not None:
            self._rows.give_back()
