"""Frozen posts: the head of each room as rendered, until each post is confirmed or let go."""

import itertools
import json
import sqlite3
from collections.abc import Sequence, Set

from bridge.model.event import Room
from bridge.model.outbox import Post, State
from bridge.store.contract import LONGEST_WAIT_S
from bridge.store.tables.queue import IS_DUE


class Plans:
    """The table of frozen posts. Begins and ends no transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def frozen(self, room: Room) -> tuple[Post, ...]:
        rows = self._sql.execute(
            "SELECT id, deliveries, payload FROM posts WHERE network = ? AND room = ? ORDER BY part",
            (room.network, room.id),
        )
        return tuple(Post(post, room, tuple(json.loads(carried)), payload) for post, carried, payload in rows)

    def freeze(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        """Freeze `posts` for `room`, unless posts are frozen there already; returns the frozen ones."""
        if frozen := self.frozen(room):
            return frozen
        return self._insert(room, posts, 0)

    def append(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        """Freeze `posts` after those that are frozen for `room`, unless these carry one of their deliveries."""
        frozen = {delivery for post in self.frozen(room) for delivery in post.deliveries}
        if not frozen.isdisjoint(delivery for post in posts for delivery in post.deliveries):
            return ()
        (last,) = self._sql.execute(
            "SELECT coalesce(max(part), -1) FROM posts WHERE network = ? AND room = ?", (room.network, room.id)
        ).fetchone()
        return self._insert(room, posts, last + 1)

    def thaw(self, room: Room) -> bool:
        """Unfreeze all posts of `room`, unless an earlier post of a delivery in them was sent."""
        frozen = self.frozen(room)
        if not frozen or any(self._next_part(delivery) for post in frozen for delivery in post.deliveries):
            return False
        self._sql.execute("DELETE FROM posts WHERE network = ? AND room = ?", (room.network, room.id))
        return True

    def _insert(self, room: Room, posts: Sequence[Post], least: int) -> Sequence[Post]:
        """Freeze `posts`, numbered from `least` or, if their deliveries are half sent, from a higher number."""
        if not all(self._is_queued(delivery) for post in posts for delivery in post.deliveries):
            return ()  # one was dropped since it was rendered: render again
        first = max(least, *(self._next_part(delivery) for post in posts for delivery in post.deliveries), 0)
        self._sql.executemany(
            "INSERT INTO posts (network, room, part, id, deliveries, payload) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (room.network, room.id, part, post.id, json.dumps(post.deliveries), post.payload)
                for part, post in enumerate(posts, first)
            ),
        )
        return tuple(posts)

    def take_up(self, room: Room, posts: Sequence[Post], new: Set[str], now: float) -> bool:
        """Freeze `posts` if they carry only deliveries in `new`, and exactly what is due in `room`."""
        carried = {each for post in posts for each in post.deliveries}
        queued = self._sql.execute(
            f"SELECT id FROM deliveries WHERE state = 'queued' AND network = :network AND room = :room AND {IS_DUE}"  # noqa: S608
            " LIMIT :most",
            {"network": room.network, "room": room.id, "now": now, "longest": LONGEST_WAIT_S, "most": len(carried) + 1},
        ).fetchall()
        if not carried <= new or {delivery for (delivery,) in queued} != carried:
            return False
        self.freeze(room, posts)
        return True

    def remove(self, post: Post) -> int:
        """Unfreeze `post`; returns its part number."""
        (part,) = self._sql.execute(
            "DELETE FROM posts WHERE network = ? AND room = ? AND id = ? RETURNING part",
            (post.room.network, post.room.id, post.id),
        ).fetchone()
        return int(part)

    def let_go(self, deliveries: Set[str], room: Room) -> None:
        """Unfreeze what carries one of `deliveries`, which end together. End the room's wait if nothing is queued there
        any more."""
        frozen = self.frozen(room)
        kept = _without(frozen, deliveries)
        self._sql.executemany(
            "DELETE FROM posts WHERE network = ? AND room = ? AND id = ?",
            [(room.network, room.id, post.id) for post in frozen if post not in kept],
        )
        self._sql.execute(
            "DELETE FROM rooms WHERE network = ?1 AND room = ?2 AND NOT EXISTS"
            " (SELECT 1 FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = ?2)",
            (room.network, room.id),
        )

    def _next_part(self, delivery: str) -> int:
        """The first part number after those of `delivery` that were sent before it was rendered again."""
        part: int = self._sql.execute(
            "SELECT coalesce(max(part), -1) + 1 FROM sent WHERE delivery = (SELECT seq FROM deliveries WHERE id = ?)",
            (delivery,),
        ).fetchone()[0]
        return part

    def _is_queued(self, delivery: str) -> bool:
        row = self._sql.execute("SELECT state FROM deliveries WHERE id = ?", (delivery,)).fetchone()
        return row is not None and row[0] == State.QUEUED


def _without(plan: Sequence[Post], deliveries: Set[str]) -> Sequence[Post]:
    """The posts of `plan` that stay frozen without `deliveries`.

    If their posts carry nothing else, all other posts stay. Otherwise the deliveries that share a post with them, and
    all that follow, are rendered again, to stay in order; earlier posts stay, since they may be half sent.
    """
    entangled = set(deliveries)
    for _ in plan:  # a delivery split over two posts entangles what these carry, and so on
        for post in plan:
            if not entangled.isdisjoint(post.deliveries):
                entangled.update(post.deliveries)
    if entangled == deliveries:
        return [post for post in plan if deliveries.isdisjoint(post.deliveries)]
    return list(itertools.takewhile(lambda post: entangled.isdisjoint(post.deliveries), plan))
