"""Who the people in our rooms are when something is heard: by the names that they had at that moment."""

from bridge.lib.lru import LruDict
from bridge.matrix.dialect import convert
from bridge.matrix.dialect.membership import seen
from bridge.matrix.dialect.sync import Membership
from bridge.matrix.hearing.asking import Asking
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model import event as bodies
from bridge.model.event import Change, Event
from bridge.model.people import Sender

_NAMES = 5000
"""Most display names remembered; the least recently used is dropped."""


class People:
    """The people of one network. Names of rooms whose names are not known are asked for one by one."""

    def __init__(self, network: str, asking: Asking) -> None:
        self._network = network
        self._asking = asking
        self._names: LruDict[tuple[str, str], str] = LruDict(_NAMES)

    async def sender(self, joined: JoinedRoom, user: str) -> Sender:
        """The person `user`, by the name that they had when the event that we hear now was said."""
        known = joined.names.of(user) if joined.names is not None else None
        return self._named(joined, user, known if known is not None else await self._name(joined, user))

    def rename(self, joined: JoinedRoom, user: str, name: str) -> None:
        """`user` has that display name in the room from now on."""
        self._names[joined.id, user] = name

    async def moved(self, joined: JoinedRoom, member: Membership, *, replayed: bool) -> Event | None:
        """What others see of a change of somebody's membership, by the names from before it. None if they see nothing,
        or if it is ours."""
        us, known = self._asking.us.user, joined.names
        if not member.id or us in (member.user, member.sender):
            return None
        found = seen(member, known.of(member.user) if known is not None else None)
        if found is None:
            return None
        person = self._named(joined, member.user, found.name)
        who = person if member.sender == member.user else await self.sender(joined, member.sender)
        detail = found.detail
        if found.change is Change.RENAMED:
            detail = self._named(joined, member.user, detail).name
        body = bodies.Membership(person, found.change, detail)
        return convert.enveloped(member.event, joined.room, who, body, replayed=replayed)

    def _named(self, joined: JoinedRoom, user: str, name: str) -> Sender:
        """The person `user`, if their display name is `name`."""
        who = convert.sender(self._network, user, name)
        ambiguous = joined.names is not None and joined.names.is_ambiguous(user, name)
        return convert.with_id(who) if ambiguous else who

    async def _name(self, joined: JoinedRoom, user: str) -> str:
        name = self._names.get((joined.id, user))
        if name is None:
            name = self._names[joined.id, user] = await self._asking.displayname(joined.id, user)
        return name
