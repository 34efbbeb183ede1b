"""What changes in our rooms: who is there, whether they are encrypted, where they go on, and who may do what."""

from collections.abc import Callable, Iterable
from typing import assert_never

from bridge.matrix.dialect.sync import (
    Encryption,
    Entry,
    Membership,
    PowerLevels,
    Replacement,
    RoomNews,
    Said,
    Sealed,
    Uncarried,
)
from bridge.matrix.dialect.verification import Verification
from bridge.matrix.hearing.asking import Asking
from bridge.matrix.hearing.people import People
from bridge.matrix.hearing.unsealing import Unsealing
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import UNREADABLE, Private


class Changing:
    """Passes changes on to the parts of the adapter that have to know them."""

    def __init__(
        self,
        asking: Asking,
        rooms: Rooms,
        joining: Joining,
        private: Private,
        people: People,
        unsealing: Unsealing,
        power_changed: Callable[[JoinedRoom], None],
        ghost_moved: Callable[[JoinedRoom, Membership], None],
    ) -> None:
        self._ghost_moved = ghost_moved
        self._power_changed = power_changed
        self._asking = asking
        self._rooms = rooms
        self._joining = joining
        self._private = private
        self._people = people
        self._unsealing = unsealing

    def note_encryption(self, rooms: Iterable[RoomNews]) -> None:
        """Say nothing in plain from now on where that has changed, before anything else is done with a sync."""
        for news in rooms:
            joined = self._rooms.by_id(news.id)
            if joined is None:
                continue
            joined.checked = joined.checked and not news.before  # it may be in what was left out
            for entry in (*news.state, *news.timeline):
                if isinstance(entry, Encryption):
                    self._rooms.encrypt(joined, entry.how)

    async def all(self, joined: JoinedRoom, state: Iterable[Entry]) -> None:
        for entry in state:
            if not isinstance(entry, Said | Uncarried | Sealed | Verification):
                await self.one(joined, entry)

    async def one(self, joined: JoinedRoom, entry: Membership | Encryption | Replacement | PowerLevels) -> None:
        match entry:
            case Membership():
                await self._member(joined, entry)
            case Encryption(how):
                self._rooms.encrypt(joined, how)
                if joined.private and not self._unsealing.works:
                    await self._private.close(joined, UNREADABLE)
            case Replacement():
                if not joined.private:
                    self._joining.replaced(joined, entry)
            case PowerLevels(levels):
                if joined.power is not None:
                    joined.power = joined.power.with_levels(levels)
                self._power_changed(joined)
            case _ as never:
                assert_never(never)

    async def _member(self, joined: JoinedRoom, member: Membership) -> None:
        if self._rooms.is_ghost(member.user):
            self._ghost_moved(joined, member)
            return
        if member.membership == "join":
            self._people.rename(joined, member.user, member.name)
        joined.move(member.user, stays=member.stays)
        if joined.names is not None:
            joined.names.change(member.user, member.name if member.stays else None)
        if not joined.private or joined.closed or member.user == self._asking.us.user:
            return
        if member.stays and member.user != joined.peer:
            await self._private.close(joined, f"a third person is in it: {member.user}")
        elif not member.stays and member.user == joined.peer:
            await self._private.close(joined, f"{member.user} has left")

    async def removed(self, joined: JoinedRoom, timeline: Iterable[Entry]) -> None:
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
