"""What is remembered of each ghost, so that nothing is done twice after a restart. No I/O."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.fields import Json, number, table, word
from bridge.matrix.dialect.ghost_ids import ghost_id
from bridge.model.casemap import Casemapping
from bridge.model.people import Identity, Proof, Sender

KEY = "ghost "
"""How the keys of the network's memory begin that each keep a ghost."""
MOST = 2_000
"""Most ghosts that are in rooms at once. For those who come later the mark speaks, until others were idle for long."""
KNOWN = 20_000
"""Most ghosts that are remembered, some 20 MB: one that was forgotten could be taken for somebody else's."""
_OWNERS = 9
"""Most people who had one nick, and are told apart."""
_HELD = 1_000
"""Most people who go by another nick than their ghost."""
_ROOMS = 50
"""Most rooms of one ghost."""


_PERSON = ("network", "nick", "account", "member", "mask")


class Place(StrEnum):
    """Where a ghost stands with a room. One that is not noted is one where it has never been, or which it has left."""

    IN = "in"
    KICKED = "kicked"
    BANNED = "banned"
    GONE = "gone"
    """It has left by itself, as its person has on IRC."""
    FREE = "free"
    """It was removed, and may come back now."""


@dataclass(slots=True)
class Ghost:
    """The account of one person. `owner`: as in `Face`; `shown`, `picture`: its name and the `mxc://` URI of its
    picture, '' if it has none yet; `rooms`: where it stands, by room ids; `why`: who has removed it from rooms, in
    words; `day`: when it spoke last, in days since the epoch. `made`: the homeserver has the account. `network`,
    `nick`, `account`, `member`, `mask`: its person, as in `Face`, when they were last heard; '' if that is not known.
    """

    user: str
    owner: str = ""
    shown: str = ""
    picture: str = ""
    made: bool = False
    rooms: dict[str, Place] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    day: int = 0
    network: str = ""
    nick: str = ""
    account: str = ""
    member: str = ""
    mask: str = ""

    def learn(self, face: Face) -> bool:
        """Note who its person is now. Returns whether that is news."""
        found = (face.network, face.nick, face.account, face.member, face.mask)
        if not face.nick or found == (self.network, self.nick, self.account, self.member, self.mask):
            return False
        self.network, self.nick, self.account, self.member, self.mask = found
        return True

    @property
    def localpart(self) -> str:
        return self.user[1:].partition(":")[0]

    def inside(self, room_id: str) -> bool:
        return self.rooms.get(room_id) is Place.IN

    def removed(self, room_id: str) -> str:
        """Why it stays out of the room; '' if it does not."""
        return self.why.get(room_id, "") if self.rooms.get(room_id) in (Place.KICKED, Place.BANNED) else ""

    def enter(self, room_id: str) -> None:
        self.why.pop(room_id, None)
        self.rooms[room_id] = Place.IN
        while len(self.rooms) > _ROOMS:
            del self.rooms[next(iter(self.rooms))]

    def leave(self, room_id: str) -> None:
        self.rooms.pop(room_id, None)
        self.why.pop(room_id, None)

    def go(self, room_id: str) -> None:
        """It has left by itself."""
        self.leave(room_id)
        self.rooms[room_id] = Place.GONE

    def free(self, room_id: str) -> None:
        """It may come back: the ban is lifted, or somebody wants it there."""
        self.leave(room_id)
        self.rooms[room_id] = Place.FREE

    def remove(self, room_id: str, how: Place, why: str) -> None:
        """Somebody has removed it from the room."""
        self.rooms[room_id], self.why[room_id] = how, why

    def person(self) -> Sender | None:
        """Whom it is the ghost of, by what was seen of them last; None if nothing was."""
        if not self.network:
            return None
        proofs = (Identity(Proof.IRC, self.network, self.account),) if self.account else ()
        shown, member = self.shown or self.nick, self.member or None
        return Sender(self.network, self.nick, shown, proofs, Casemapping.RFC1459, mask=self.mask, user=member)

    def dump(self) -> str:
        fields = {"owner": self.owner, "shown": self.shown, "picture": self.picture, "made": self.made}
        fields |= {"rooms": self.rooms, "why": self.why, "day": self.day}
        fields |= {key: getattr(self, key) for key in _PERSON}
        return json.dumps({key: value for key, value in fields.items() if value}, separators=(",", ":"))

    @classmethod
    def parse(cls, user: str, text: str) -> "Ghost":
        """What `dump` gave; of anything else, what can be read."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = {}
        fields: Json = found if isinstance(found, dict) else {}
        stands = table(fields, "rooms")
        rooms = {room: Place(how) for room in stands if (how := word(stands, room)) in tuple(Place)}
        why = {room: word(table(fields, "why"), room) for room in table(fields, "why")}
        owner, shown, picture = (word(fields, key) for key in ("owner", "shown", "picture"))
        made, day = fields.get("made") is True, number(fields, "day") or 0
        return cls(user, owner, shown, picture, made, rooms, why, day, *(word(fields, key) for key in _PERSON))


class Ghosts:
    """The ghosts on the homeserver `server`, by their Matrix ids."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._ghosts: dict[str, Ghost] = {}
        self._held: dict[str, tuple[str, str, str]] = {}  # of people who go by another nick: network, nick and owner

    def recall(self, kept: Mapping[str, str]) -> None:
        """Load those that an earlier run has kept."""
        for key, text in kept.items():
            if key.startswith(KEY):
                user = key.removeprefix(KEY)
                self._ghosts[user] = Ghost.parse(user, text)

    def by_id(self, user: str) -> Ghost | None:
        return self._ghosts.get(user)

    def of(self, face: Face) -> Ghost | None:
        """The ghost of who has that face; None if they have none yet."""
        return self._ghosts.get(self._id(face))

    def by_nick(self, network: str, nick: str) -> Ghost | None:
        """The ghost whose person had that folded nick when it spoke last; None if there is none."""
        found = (ghost for ghost in self._ghosts.values() if (ghost.network, ghost.nick) == (network, nick))
        return max(found, key=lambda ghost: ghost.day, default=None)

    def add(self, face: Face, today: int) -> Ghost | None:
        """The ghost of who has that face, a new one if need be. None if there are too many."""
        user = self._id(face)
        if not user or user in self._ghosts or len(self._ghosts) >= KNOWN:
            return self._ghosts.get(user)
        ghost = self._ghosts[user] = Ghost(user, face.owner, day=today)
        ghost.learn(face)
        return ghost

    def replaced(self, face: Face, nick: str) -> Ghost | None:
        """Who has that face is called `nick` now: their ghost, which is given to nobody else while they are there, not
        even to somebody of the same user and host who takes the old nick. Safe to repeat."""
        before, now = (face.network, face.nick, face.owner), (face.network, nick, face.owner)
        for user, holder in [*self._held.items()]:
            ghost = self._ghosts.get(user)
            if holder == now and ghost is not None and ghost.nick == face.nick:
                return ghost
            if holder == before:
                self._held[user] = now
            if holder == before and ghost is not None and ghost.nick == nick:
                del self._held[user]
        ghost = self.of(face)
        if ghost is not None and face.owner and len(self._held) < _HELD:
            self._held[ghost.user] = now
        return ghost

    def left(self, face: Face) -> Ghost | None:
        """Who has that face is gone: their ghost. Others that were theirs may be given again."""
        holder = (face.network, face.nick, face.owner)
        self._held = {user: each for user, each in self._held.items() if each != holder}
        return self.of(face)

    def is_full(self) -> bool:
        """Whether so many are in rooms that no other may come into one."""
        return len(self._ghosts) >= MOST and sum(Place.IN in ghost.rooms.values() for ghost in self) >= MOST

    def _id(self, face: Face) -> str:
        """The id of the ghost of who has that face, or that they would get; '' if they can have none. Who has a nick
        that somebody else had gets another one."""
        try:
            ids = [
                ghost_id(face.network, face.name, tail, self._server)
                for tail in (range(1, _OWNERS + 1) if face.owner else (0,))
            ]
        except ValueError:
            return ""
        known = (user for user in ids if user in self._ghosts and user not in self._held)
        theirs = (user for user in known if self._ghosts[user].owner == face.owner)
        free = (user for user in ids if user not in self._ghosts)
        return next(theirs, "") or next(free, "")

    def __iter__(self) -> Iterator[Ghost]:
        return iter([*self._ghosts.values()])

    def __len__(self) -> int:
        return len(self._ghosts)
