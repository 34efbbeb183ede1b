"""Tells a post that its room will never take (a word filter, an event that breaks the server) from a room that takes
nothing for now."""

from dataclasses import dataclass

from bridge.lib.lru import LruDict, LruSet
from bridge.model.event import Room
from bridge.model.outbox import Post

_ROOMS = 10_000
_DELIVERIES = 10_000
_AT_ONCE_S = 2.0
"""Seconds after another post went through in which a refusal is about the post and not about the room."""


@dataclass(slots=True)
class _Suspect:
    refusals: int = 0
    rounds: int = 0


@dataclass(slots=True)
class _Scene:
    suspects: dict[str, _Suspect]
    passed_at: float | None = None


class Suspects:
    """The posts that were refused. What tells against one is a round: another post goes through to the same room, and
    at once the suspect is refused again. Pure; times are seconds of a clock that does not go back."""

    def __init__(self) -> None:
        self._scenes = LruDict[Room, _Scene](_ROOMS)
        self._alone = LruSet[str](_DELIVERIES)
        self._apart = LruSet[str](_DELIVERIES)

    def refused(self, post: Post, now: float) -> None:
        """The network has answered to `post` that it does not take it."""
        scene = self._scenes.get(post.room) or _Scene({})
        suspect = scene.suspects.setdefault(post.id, _Suspect())
        suspect.refusals += 1
        if scene.passed_at is not None and now - scene.passed_at <= _AT_ONCE_S and suspect.refusals > 1:
            suspect.rounds += 1
            scene.passed_at = None  # one that went through tells once
        self._scenes[post.room] = scene

    def went_through(self, post: Post, now: float) -> None:
        """`post` was taken."""
        if (scene := self._scenes.get(post.room)) is not None:
            scene.passed_at = now
            self.settled(post)

    def just_passed(self, room: Room, now: float) -> bool:
        """Whether a post has just gone through to `room`, where another was refused."""
        scene = self._scenes.get(room)
        return scene is not None and scene.passed_at is not None and now - scene.passed_at <= _AT_ONCE_S

    def settled(self, post: Post) -> None:
        """The fate of `post` is known."""
        scene = self._scenes.get(post.room)
        if scene is not None:
            scene.suspects.pop(post.id, None)
            if not scene.suspects:
                self._scenes.pop(post.room)

    def refusals(self, post: Post) -> int:
        """How often `post` was refused."""
        return self._suspect(post).refusals

    def rounds(self, post: Post) -> int:
        """How often `post` was refused just after another had gone through."""
        return self._suspect(post).rounds

    def render_alone(self, post: Post) -> None:
        """One of the deliveries in `post` may be guilty: each gets a post of its own."""
        self.settled(post)
        for delivery in post.deliveries:
            self._alone.add(delivery)
        self._apart.add(post.id)

    def is_of_one(self, post: Post) -> bool:
        """Whether `post` came out the same when it was rendered alone: a message and its edits."""
        return post.id in self._apart

    def is_alone(self, delivery: str) -> bool:
        """Whether `delivery` is to have a post of its own."""
        return delivery in self._alone

    def _suspect(self, post: Post) -> _Suspect:
        scene = self._scenes.get(post.room)
        return (scene.suspects.get(post.id) if scene is not None else None) or _Suspect()
