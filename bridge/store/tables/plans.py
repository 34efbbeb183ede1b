"""What is frozen: the posts that the head of each room became, until each is proven or let go."""

import itertools
import json
import sqlite3
from collections.abc import Sequence, Set

from bridge.model.event import Room
from bridge.model.outbox import Post, State


class Plans:
    """The table of frozen posts; it begins and ends no transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def frozen(self, room: Room) -> tuple[Post, ...]:
        rows = self._sql.execute(
            "SELECT id, deliveries, payload FROM posts WHERE network = ? AND room = ? ORDER BY part",
            (room.network, room.id),
        )
        return tuple(Post(post, room, tuple(json.loads(carried)), payload) for post, carried, payload in rows)

    def freeze(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        """What is frozen for `room`: `posts`, unless something was already."""
        if frozen := self.frozen(room):
            return frozen
        if not all(self._is_queued(delivery) for post in posts for delivery in post.deliveries):
            return ()  # one was dropped since it was rendered: render again
        first = max((self._next_part(delivery) for post in posts for delivery in post.deliveries), default=0)
        self._sql.executemany(
            "INSERT INTO posts (network, room, part, id, deliveries, payload) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (room.network, room.id, part, post.id, json.dumps(post.deliveries), post.payload)
                for part, post in enumerate(posts, first)
            ),
        )
        return tuple(posts)

    def take_up(self, room: Room, posts: Sequence[Post], new: Set[str]) -> bool:
        """Freeze `posts`, where they carry nothing but what is `new`, and that is all that `room` has to do."""
        carried = {each for post in posts for each in post.deliveries}
        queued = self._sql.execute(
            "SELECT id FROM deliveries WHERE state = 'queued' AND network = ? AND room = ? LIMIT ?",
            (room.network, room.id, len(carried) + 1),
        ).fetchall()
        if not carried <= new or {delivery for (delivery,) in queued} != carried:
            return False
        self.freeze(room, posts)
        return True

    def remove(self, post: Post) -> int:
        """Unfreeze `post`; which part of its deliveries it was."""
        (part,) = self._sql.execute(
            "DELETE FROM posts WHERE network = ? AND room = ? AND id = ? RETURNING part",
            (post.room.network, post.room.id, post.id),
        ).fetchone()
        return int(part)

    def let_go(self, delivery: str, room: Room) -> None:
        """Unfreeze what carries `delivery`, and forget that the room waits where nothing is left to wait for."""
        frozen = self.frozen(room)
        kept = _without(frozen, delivery)
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
        """Behind what was sent of `delivery` before it was rendered again."""
        part: int = self._sql.execute(
            "SELECT coalesce(max(part), -1) + 1 FROM sent WHERE delivery = (SELECT seq FROM deliveries WHERE id = ?)",
            (delivery,),
        ).fetchone()[0]
        return part

    def _is_queued(self, delivery: str) -> bool:
        row = self._sql.execute("SELECT state FROM deliveries WHERE id = ?", (delivery,)).fetchone()
        return row is not None and row[0] == State.QUEUED


def _without(plan: Sequence[Post], delivery: str) -> Sequence[Post]:
    """What stays frozen of `plan` without `delivery`.

    Where a post carries it alone, all others. What it shares a post with is rendered again, and so is what follows, to
    stay in order; what comes before that may be half sent, and stays as it was cut.
    """
    entangled = {delivery}
    for _ in plan:  # a delivery cut in two may lead to another post, and so on
        for post in plan:
            if not entangled.isdisjoint(post.deliveries):
                entangled.update(post.deliveries)
    if entangled == {delivery}:
        return [post for post in plan if delivery not in post.deliveries]
    return list(itertools.takewhile(lambda post: entangled.isdisjoint(post.deliveries), plan))
