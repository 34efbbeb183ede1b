"""Seals what we say in rooms, with keys that none but the devices there get."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from bridge.matrix.crypto.signatures import Pair
from bridge.matrix.dialect.fields import Json
from bridge.matrix.rooms.encrypted import Period


class Outbound:
    """`us` is our own device; `olm` nio's machine. No key is stored: after a restart each room gets a new one."""

    def __init__(self, us: Pair, olm: Any) -> None:
        self._us = us
        self._olm = olm
        self._begun: dict[str, float] = {}

    def begin(self, room_id: str, pairs: Iterable[Pair], period: Period, now: float) -> list[Pair]:
        """Make sure that there is a key for what we say in that room, which nobody has but the devices `pairs`. Returns
        those that do not have it yet. `now`: in seconds. No key outlives a restart, so that none seals two messages."""
        wanted = {*pairs} - {self._us}
        session = self._olm.outbound_group_sessions.get(room_id)
        if session is not None:
            used_up = session.message_count >= period.messages or not 0 <= now - self._begun[room_id] < period.seconds
            if used_up or not session.users_shared_with <= wanted:
                session = None
        if session is None:
            self._olm.create_outbound_group_session(room_id)
            session = self._olm.outbound_group_sessions[room_id]
            session.max_messages, session.max_age = sys.maxsize, timedelta.max  # nio knows no period of a room
            self._begun[room_id] = now
        return sorted(wanted - session.users_shared_with)

    def session_of(self, room_id: str) -> str:
        """The id of the key with which we say the next thing in a room."""
        return str(self._olm.outbound_group_sessions[room_id].id)

    def share(self, room_id: str, users: Iterable[str]) -> Iterator[tuple[set[Pair], Json]]:
        """Bodies of /sendToDevice that give the key of the room to those devices of `users` that do not have it and
        with which there is a session. What was sent is told to `shared`."""
        self._olm.outbound_group_sessions[room_id].shared = False
        yield from self._olm.share_group_session_parallel(room_id, [*users], ignore_unverified_devices=True)

    def shared(self, room_id: str, pairs: set[Pair]) -> None:
        """These devices have the key of the room."""
        self._olm.outbound_group_sessions[room_id].users_shared_with |= pairs

    def seal(self, room_id: str, kind: str, content: Mapping[str, object]) -> dict[str, object]:
        """The content of an `m.room.encrypted` event with an event of that `kind` in it. What it relates to stays
        visible outside, where homeservers look for it."""
        self._olm.outbound_group_sessions[room_id].shared = True
        sealed: dict[str, object] = self._olm.group_encrypt(room_id, {"type": kind, "content": dict(content)})
        return sealed | ({"m.relates_to": content["m.relates_to"]} if "m.relates_to" in content else {})
