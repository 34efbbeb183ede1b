"""The Matrix rooms that we are in or want to be in, and the stage of each. No I/O."""

from collections.abc import Callable, Iterator
from enum import Enum, auto

from bridge.lib.waiting import Flag
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.sync import Replacement
from bridge.matrix.rooms.encrypted import Encrypted
from bridge.matrix.rooms.names import Names
from bridge.matrix.rooms.power import Power
from bridge.model.event import Room

_NONE: frozenset[str] = frozenset()
"""One for all rooms: an empty set of their own would take 216 bytes."""


class Stage(Enum):
    """The stage of a room: ARRIVING, NEW, HEARD when we join; RECALLED, HEARD after a restart."""

    ARRIVING = auto()
    """We are joining. The sync waits until we know which messages are older than our arrival."""
    AWAY = auto()
    """We are not in it: we were refused, or removed."""
    RECALLED = auto()
    """We were in it before the restart. Whether we still are is not known yet. It is heard meanwhile."""
    NEW = auto()
    """We are in it. The messages in `past` were there before us."""
    HEARD = auto()
    """We are in it. The sync position tells which messages are new."""
    CLOSED = auto()
    """It was taken out of the configuration, or the private conversation is over."""


class JoinedRoom:
    """One room. `id`: the homeserver's; `peer`: the other person of a private conversation; `absence`: why we are
    not in it; `checked`: we cannot have missed that it was encrypted or that a third person came; `members`: who is
    there or invited, None if not asked for yet; `comings`: how often somebody came or went; `names`: what people
    there were called at the last event that we heard, None if not asked for yet; `power`: who had which power then,
    None if not asked for yet, and in private; `voice`: the types of messages that we may send there now, None if
    not known; `replacement`: the room that people go on in, once it was upgraded; `refused`: one that claims to be
    that, and is not; `moved`: why we go on in this room instead of another, empty if we do not."""

    __slots__ = (
        "_settled",
        "_warned",
        "absence",
        "checked",
        "comings",
        "encrypted",
        "id",
        "members",
        "moved",
        "names",
        "past",
        "peer",
        "power",
        "refused",
        "replacement",
        "room",
        "stage",
        "voice",
    )

    def __init__(self, room_id: str, room: Room, peer: str | None = None) -> None:
        self.id = room_id
        self.room = room
        self.peer = peer
        self.stage = Stage.ARRIVING
        self.absence = "not joined yet"
        self.past = _NONE
        self.encrypted = False
        self.checked = False
        self.members: set[str] | None = None
        self.comings = 0
        self.names: Names | None = None
        self.power: Power | None = None
        self.voice: tuple[str, ...] | None = None
        self.moved = ""
        self.replacement: Replacement | None = None
        self.refused: Replacement | None = None
        self._warned = _NONE
        self._settled = Flag()

    @property
    def private(self) -> bool:
        return self.peer is not None

    @property
    def inside(self) -> bool:
        """Whether we are in it."""
        return self.stage in (Stage.NEW, Stage.HEARD)

    @property
    def heard(self) -> bool:
        """Whether the sync position tells which messages are new there."""
        return self.stage in (Stage.RECALLED, Stage.HEARD)

    @property
    def closed(self) -> bool:
        return self.stage is Stage.CLOSED

    async def settled(self) -> None:
        """Return once the room is not ARRIVING."""
        await self._settled.wait()

    def arrive(self) -> None:
        """It is being joined."""
        if self.stage is Stage.AWAY:
            self._become(Stage.ARRIVING)

    def enter(self, past: frozenset[str] = _NONE) -> None:
        """We are in it, and have just checked it. `past`: ids from before we came, if it was not heard before."""
        self.checked = True
        if self.stage in (Stage.ARRIVING, Stage.AWAY):
            self.past = past
            self._become(Stage.NEW)
        elif self.stage is Stage.RECALLED:
            self._become(Stage.HEARD)

    def recall(self) -> None:
        """We were in it in an earlier run."""
        self._become(Stage.RECALLED)

    def resume(self) -> None:
        """We are still in it, as in an earlier run; what has changed since is not checked yet."""
        if self.stage is Stage.RECALLED:
            self._become(Stage.HEARD)

    def hear(self) -> None:
        """What was said since we came is stored."""
        self.past = _NONE
        self._become(Stage.HEARD)

    def refuse(self) -> None:
        """We were not let in. A room that was heard stays heard: perhaps only its alias is gone."""
        if self.stage is Stage.ARRIVING:
            self._become(Stage.AWAY)

    def leave(self, reason: str) -> None:
        """We were removed."""
        self.absence = reason
        self.forget()
        self._become(Stage.AWAY)

    def forget(self) -> None:
        """Forget people, names and power: some may have changed unheard."""
        self.members = None
        self.names = None
        self.power = None

    def doubt(self) -> None:
        """Some may change unheard."""
        self.checked = False
        self.members = None

    def move(self, user: str, *, stays: bool) -> None:
        """`user` is there or invited from now on, or not any more."""
        self.comings += 1
        if self.members is not None:
            (self.members.add if stays else self.members.discard)(user)

    def close(self) -> None:
        self._become(Stage.CLOSED)

    def warns_of(self, trouble: str) -> bool:
        """Whether to warn of `trouble`: true once, until `is_over`."""
        if trouble in self._warned:
            return False
        self._warned |= {trouble}
        return True

    def is_over(self, trouble: str) -> None:
        """`trouble` is over: if it comes again, it is warned of again."""
        if trouble in self._warned:
            self._warned -= {trouble}

    def _become(self, stage: Stage) -> None:
        if self.closed:
            return
        self.stage = stage
        if stage is Stage.ARRIVING:
            self._settled.clear()
        else:
            self._settled.set()


def _nobody(_user: str) -> bool:
    return False


class Rooms:
    """The rooms, by their ids on the homeserver. `is_ghost`: whether a user is a ghost of ours. What ghosts say and do
    comes from elsewhere, and nobody calls them by name."""

    def __init__(self, network: str) -> None:
        self._network = network
        self._joined: dict[str, JoinedRoom] = {}
        self._ids: dict[Room, str] = {}
        self.encrypted = Encrypted()
        self.is_ghost: Callable[[str], bool] = _nobody
        self.doubts = 0
        """How often we have heard nothing for a while."""

    def encrypt(self, joined: JoinedRoom, how: Json) -> None:
        """The room is encrypted from now on; `how` is the content of its `m.room.encryption`."""
        joined.encrypted = True
        self.encrypted.note(joined.id, how)

    def by_id(self, room_id: str) -> JoinedRoom | None:
        return self._joined.get(room_id)

    def of(self, room: Room) -> JoinedRoom | None:
        """A configured room by its configured name, a private one by the homeserver's id."""
        joined = self._joined.get(self._ids.get(room, room.id))
        return joined if joined is not None and joined.room == room else None  # it may have another name now

    def private_with(self, user: str) -> JoinedRoom | None:
        return next((joined for joined in self._joined.values() if joined.peer == user), None)

    def add(self, room_id: str, room: Room) -> JoinedRoom:
        """Add the configured `room`. Raises ValueError if another configured room is the same one."""
        joined = self._joined.get(room_id)
        if joined is None or joined.private:
            joined = self._new(room_id, room)
        if joined.room != room:
            raise ValueError(f"it is the same room as {joined.room.id}, which is configured too")
        self._ids[room] = room_id
        return joined

    def expect(self, room_id: str, room: Room, why: str = "") -> JoinedRoom:
        """Add a room that we are on our way to, to go on there instead of where `room` is now; `why`: see `moved`."""
        joined = self._joined.get(room_id)
        if joined is None or joined.private:
            joined = self._new(room_id, room)
        joined.moved = joined.moved or why
        return joined

    def add_private(self, room_id: str, peer: str) -> JoinedRoom:
        """Add a private conversation that we are joining."""
        return self._new(room_id, Room(self._network, room_id), peer)

    @property
    def conversations(self) -> int:
        """The number of private conversations."""
        return sum(joined.private for joined in self._joined.values())

    def doubt(self) -> None:
        """Mark all rooms as unchecked: we hear nothing now."""
        self.doubts += 1
        for joined in self:
            joined.doubt()

    def remove(self, joined: JoinedRoom) -> None:
        joined.close()
        if self._joined.get(joined.id) is joined:
            del self._joined[joined.id]

    def _new(self, room_id: str, room: Room, peer: str | None = None) -> JoinedRoom:
        joined = self._joined[room_id] = JoinedRoom(room_id, room, peer)
        joined.encrypted = room_id in self.encrypted
        return joined

    def __iter__(self) -> Iterator[JoinedRoom]:
        return iter([*self._joined.values()])
