"""Who has spoken lately in a room: of these it is told that they come and leave."""

from bridge.lib.lru import LruDict
from bridge.model.event import Room
from bridge.model.people import Sender

LATELY_S = 3600.0
_MOST = 10_000


class Speakers:
    """`now` is in seconds since the epoch."""

    def __init__(self) -> None:
        self._spoke: LruDict[tuple[Room, str], float] = LruDict(_MOST)

    def spoke(self, room: Room, sender: Sender, now: float) -> None:
        self._spoke[room, _who(sender)] = now

    def renamed(self, room: Room, sender: Sender, name: str) -> None:
        """`sender`, who has spoken in `room`, has that `name` from now on: on IRC that is their address."""
        fold = sender.casemapping.fold
        at = self._spoke.peek((room, _who(sender)))
        if at is not None and fold(sender.name) == fold(sender.address):
            self._spoke[room, fold(name)] = at

    def may_have_ghost(self, room: Room, sender: Sender) -> bool:
        """Whether `sender` has spoken in `room` since we run, however long ago."""
        return (room, _who(sender)) in self._spoke

    def has_spoken(self, room: Room, sender: Sender, now: float) -> bool:
        at = self._spoke.peek((room, _who(sender)))
        return at is not None and now - at <= LATELY_S


def _who(sender: Sender) -> str:
    """The user, whatever they are called right now; of guests, the address."""
    return f"user {sender.user}" if sender.user is not None else sender.casemapping.fold(sender.address)
