"""Tells a post that its room will never take (a word filter, an event that breaks the server) from a room that takes
nothing for now."""

from dataclasses import dataclass

from bridge.lib.lru import LruDict, LruSet
from bridge.model.event import Room
from bridge.model.outbox import Post

_ROOMS = 10_000
_DELIVERIES = 10_000
_TWICE = 2


@dataclass(slots=True)
class _Suspect:
    refusals: int = 0
    others_pass: bool = False


class Suspects:
    """The posts that were refused. One is guilty if it was refused, then another went through to the same room, and
    then it was refused again. Pure."""

    def __init__(self) -> None:
        self._of = LruDict[Room, dict[str, _Suspect]](_ROOMS)
        self._alone = LruSet[str](_DELIVERIES)

    def refused(self, post: Post) -> None:
        """The network has answered to `post` that it does not take it."""
        of_room = self._of.get(post.room) or {}
        of_room.setdefault(post.id, _Suspect()).refusals += 1
        self._of[post.room] = of_room

    def went_through(self, post: Post) -> None:
        """`post` was taken: what its room has refused may be guilty."""
        if self._of.get(post.room) is None:
            return
        self.settled(post)
        for suspect in (self._of.get(post.room) or {}).values():
            suspect.others_pass = True

    def settled(self, post: Post) -> None:
        """The fate of `post` is known."""
        of_room = self._of.get(post.room) or {}
        of_room.pop(post.id, None)
        if not of_room:
            self._of.pop(post.room)

    def is_guilty(self, post: Post) -> bool:
        """Whether the room takes others, but not `post`."""
        suspect = self._suspect(post)
        return suspect.others_pass and suspect.refusals >= _TWICE

    def wants_a_trial(self, post: Post) -> bool:
        """Whether it is time to see if another post goes through."""
        suspect = self._suspect(post)
        return not suspect.others_pass and suspect.refusals >= _TWICE

    def render_alone(self, post: Post) -> None:
        """One of the deliveries in `post` may be guilty: each gets a post of its own."""
        self.settled(post)
        for delivery in post.deliveries:
            self._alone.add(delivery)

    def is_alone(self, delivery: str) -> bool:
        """Whether `delivery` is to have a post of its own."""
        return delivery in self._alone

    def _suspect(self, post: Post) -> _Suspect:
        return (self._of.get(post.room) or {}).get(post.id) or _Suspect()
