"""What is remembered of the rooms of two, and what is still to be done there. No I/O."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from bridge.lib.lru import LruSet
from bridge.matrix.dialect.fields import Json, word
from bridge.network import Memory

KEY = "ghost-room "
"""How the keys of the network's memory begin that each keep a room."""
ERRAND = "ghost-errand "
"""How the keys begin that each keep what is still to be done in a room."""
MOST = 10_000
"""Most rooms: each takes a kilobyte at most, and members may begin as many as there are ghosts."""
_EVENTS = 10_000


@dataclass(slots=True)
class TalkRoom:
    """A room of the ghost and the member with these Matrix ids. `removed`: by whom the ghost was removed from there, in
    words; '' if it is there. `last`: the id of what was heard there last, and `at` its time (milliseconds since the
    epoch). `name`: what the member is called there, None if nobody has asked yet. `checked`: we cannot have missed that
    somebody came or went; `is_sure`: nor that anything was said."""

    id: str
    member: str
    ghost: str
    removed: str = ""
    last: str = ""
    at: int = 0
    name: str | None = None
    checked: bool = False
    is_sure: bool = False

    def dump(self) -> str:
        return json.dumps([self.member, self.ghost, self.removed, self.last, self.at])

    @classmethod
    def parse(cls, room_id: str, text: str) -> Self | None:
        """What `dump` gave; None for anything else."""
        match _parsed(text):
            case [str(member), str(ghost), str(removed), str(last), int(at)]:
                return cls(room_id, member, ghost, removed, last, at)
        return None


class TalkRooms:
    """The rooms, by their ids, and by who talks there: two people have one room. `heard` are the ids of what was heard
    in this run; the store knows those of earlier ones."""

    def __init__(self) -> None:
        self.heard = LruSet[str](_EVENTS)
        self._rooms: dict[str, TalkRoom] = {}
        self._pairs: dict[tuple[str, str], TalkRoom] = {}

    def recall(self, kept: Mapping[str, str]) -> None:
        """Have the rooms that were kept, and no others."""
        self._rooms.clear()
        self._pairs.clear()
        for key, text in kept.items():
            if key.startswith(KEY) and (room := TalkRoom.parse(key.removeprefix(KEY), text)) is not None:
                self.add(room)

    def by_id(self, room_id: str) -> TalkRoom | None:
        """The room, if the ghost is there."""
        room = self._rooms.get(room_id)
        return room if room is not None and not room.removed else None

    def of(self, member: str, ghost: str) -> TalkRoom | None:
        """The room of these two, also one from which the ghost was removed."""
        return self._pairs.get((member, ghost))

    def add(self, room: TalkRoom) -> None:
        self._rooms[room.id] = self._pairs[room.member, room.ghost] = room

    def drop(self, room: TalkRoom) -> None:
        """Have it no more. If the two have another one, they keep that."""
        self._rooms.pop(room.id, None)
        now = self._pairs.get((room.member, room.ghost))
        if now is not None and now.id == room.id:
            del self._pairs[room.member, room.ghost]

    def doubt(self) -> None:
        """Something may have happened unheard in each of them."""
        for room in self._rooms.values():
            room.checked = room.is_sure = False

    def unsure(self, most: int) -> Sequence[TalkRoom]:
        """Those where something may have been said unheard: at most so many, where people have talked last."""
        found = [room for room in self._rooms.values() if not (room.is_sure or room.removed)]
        return sorted(found, key=lambda room: room.at, reverse=True)[:most]

    def __len__(self) -> int:
        return len(self._rooms)


class Do(StrEnum):
    """What is to be done in a room: answer an invitation, or say a sentence, if there is one, and leave."""

    ANSWER = "answer"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Errand:
    """What `ghost` is to do in `room`. `member`: who has invited it; `direct`, `encrypted`: see `Invitation`; `text`:
    what it says before it leaves."""

    room: str
    ghost: str
    do: Do
    member: str = ""
    direct: bool = False
    encrypted: bool = False
    text: str = ""

    @property
    def key(self) -> str:
        return ERRAND + self.room

    def dump(self) -> str:
        fields = {"ghost": self.ghost, "do": self.do, "member": self.member, "text": self.text}
        return json.dumps(fields | {"direct": self.direct, "encrypted": self.encrypted})

    @classmethod
    def parse(cls, room: str, text: str) -> Self | None:
        """What `dump` gave; None for anything else."""
        found = _parsed(text)
        fields: Json = found if isinstance(found, dict) else {}
        ghost, do, member, said = (word(fields, key) for key in ("ghost", "do", "member", "text"))
        if not ghost or do not in tuple(Do):
            return None
        direct, encrypted = (fields.get(key) is True for key in ("direct", "encrypted"))
        return cls(room, ghost, Do(do), member, direct, encrypted, said)


async def keep(memory: Memory, room: TalkRoom) -> None:
    await memory.remember({KEY + room.id: room.dump()})


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
