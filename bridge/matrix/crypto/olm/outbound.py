"""Seals what we say in rooms, with keys that none but the devices there get."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from bridge.matrix.crypto.olm.store import CryptoStore
from bridge.matrix.crypto.signatures import Pair
from bridge.matrix.dialect.fields import Json
from bridge.matrix.rooms.encrypted import Period


class Outbound:
    """`us` is our own device; `olm` nio's machine. No key is stored: after a restart each room gets a new one."""

    def __init__(self, us: Pair, olm: Any, store: CryptoStore) -> None:
        self._us = us
        self._olm = olm
        self._store = store
        self._begun: dict[str, float] = {}
        self._given: dict[str, set[Pair]] = {}  # devices that may have the key of a room

    def begin(self, room_id: str, pairs: Iterable[Pair], period: Period, now: float) -> list[Pair]:
        """Make sure that there is a key for what we say in that room, which nobody has but the devices `pairs`. Returns
        those that do not have it yet. `now`: in seconds. No key outlives a restart, so that none seals two messages."""
        wanted = {*pairs} - {self._us}
        session = self._olm.outbound_group_sessions.get(room_id)
        if session is not None:
            used_up = session.message_count >= period.messages or not 0 <= now - self._begun[room_id] < period.seconds
            if used_up or not self._given[room_id] <= wanted:
                session = None
        if session is None:
            self._olm.create_outbound_group_session(room_id)
            session = self._olm.outbound_group_sessions[room_id]
            session.max_messages, session.max_age = sys.maxsize, timedelta.max  # nio knows no period of a room
            self._begun[room_id], self._given[room_id] = now, set()
        return sorted(wanted - session.users_shared_with)

    def session_of(self, room_id: str) -> str:
        """The id of the key with which we say the next thing in a room."""
        return str(self._olm.outbound_group_sessions[room_id].id)

    def share(self, room_id: str, pairs: Iterable[Pair]) -> Iterator[tuple[set[Pair], Json]]:
        """Bodies of /sendToDevice that give the key of the room to those of these devices that do not have it and with
        which there is a session. What was sent is told to `shared`."""
        session = self._olm.outbound_group_sessions[room_id]
        session.shared = False
        session.users_ignored.clear()  # who did not get it before may get it now
        self._store.receivers = frozenset(pairs)
        users = sorted({user for user, _ in self._store.receivers})
        bodies = self._olm.share_group_session_parallel(room_id, users, ignore_unverified_devices=True)
        body = next(bodies, None)  # nio decides here, for all bodies, who gets it
        self._store.receivers = frozenset()
        while body is not None:
            self._given[room_id] |= body[0]
            yield body
            body = next(bodies, None)

    def shared(self, room_id: str, pairs: set[Pair]) -> None:
        """These devices have the key of the room."""
        self._olm.outbound_group_sessions[room_id].users_shared_with |= pairs

    def seal(self, room_id: str, kind: str, content: Mapping[str, object]) -> dict[str, object]:
        """The content of an `m.room.encrypted` event with an event of that `kind` in it. What it relates to stays
        visible outside, where homeservers look for it."""
        self._olm.outbound_group_sessions[room_id].shared = True
        sealed: dict[str, object] = self._olm.group_encrypt(room_id, {"type": kind, "content": dict(content)})
        return sealed | ({"m.relates_to": content["m.relates_to"]} if "m.relates_to" in content else {})
