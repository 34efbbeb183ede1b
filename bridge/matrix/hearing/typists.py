"""Who types in our rooms, as signals; and how often we let ourselves be woken for that. No I/O."""

import math
from collections.abc import Iterable, Iterator

from bridge.lib.bucket import TokenBucket
from bridge.matrix.dialect import convert
from bridge.matrix.hearing.asking import Answer
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.network import Typing

_MOST = 10
"""People of a room whose typing is passed on at once: nobody wants to know of more."""
_BURST, _PER_SECOND = 60, 1.0
"""Syncs about nothing but typing. Each takes us about a millisecond; a dozen people who talk cause one in two
seconds."""


_AGAIN_S = 10.0
"""Seconds after which it is said again who still types: others forget it after half a minute, and the homeserver does
not repeat it."""


class Typists:
    """Who types on one network. While so many people type that we would be woken all the time, we do not ask for it,
    for a minute: it would cost the homeserver and us more than it is worth."""

    def __init__(self, network: str, rooms: Rooms) -> None:
        self._network = network
        self._rooms = rooms
        self._typing: dict[str, tuple[str, ...]] = {}
        self._bucket = TokenBucket(_BURST, _PER_SECOND)
        self._heard = True
        self._said_again = 0.0

    @property
    def poll_s(self) -> float:
        """Seconds that a sync may wait for news, at most."""
        return _AGAIN_S if self._typing else math.inf

    def are_heard(self, now: float) -> bool:
        """Whether to ask who types. `now` is in seconds of the clock of `Answer.at`."""
        self._heard = self._heard or self._bucket.is_full(now)
        return self._heard

    def hear(self, answer: Answer, us: str) -> tuple[Typing, ...]:
        """Who has begun to type, still types, or has stopped. After a time without answers, we do not know who still
        types."""
        return tuple(self._changes(answer, us))

    def stop(self) -> tuple[Typing, ...]:
        """We do not know any more who types: as far as others see, everybody stops."""
        return tuple(self._stops())

    def _changes(self, answer: Answer, us: str) -> Iterator[Typing]:
        if not self._typing:
            self._said_again = answer.at
        if answer.replayed:
            yield from self._stops()
        for news in answer.sync.joined:
            if news.typing is not None and self._heard:
                yield from self._change(news.id, (user for user in news.typing if user != us))
        for left in answer.sync.left:
            yield from self._change(left.id, ())
        if answer.sync.joined and all(news.is_about_typing for news in answer.sync.joined):
            self._bucket.spend(answer.at)
            self._heard = self._heard and self._bucket.has_token(answer.at)
            if not self._heard:
                yield from self._stops()
        if not 0 <= answer.at - self._said_again < _AGAIN_S:
            self._said_again = answer.at
            yield from self._still()

    def _still(self) -> Iterator[Typing]:
        for room_id, users in self._typing.items():
            if (joined := self._rooms.by_id(room_id)) is not None:
                yield from (self._signal(joined, user, active=True) for user in users)

    def _stops(self) -> Iterator[Typing]:
        for room_id in [*self._typing]:
            yield from self._change(room_id, ())

    def _change(self, room_id: str, users: Iterable[str]) -> Iterator[Typing]:
        """`users` and nobody else type in that room now. Stops come first. Who was shown before stays shown."""
        before = self._typing.pop(room_id, ())
        joined = self._rooms.by_id(room_id)
        if joined is None or joined.private or joined.closed:
            return
        now = dict.fromkeys(users)
        stay = [user for user in before if user in now]
        come = [user for user in now if user not in before][: _MOST - len(stay)]
        if stay or come:
            self._typing[room_id] = (*stay, *come)
        yield from (self._signal(joined, user, active=False) for user in before if user not in now)
        yield from (self._signal(joined, user, active=True) for user in come)

    def _signal(self, joined: JoinedRoom, user: str, *, active: bool) -> Typing:
        name = joined.names.of(user) if joined.names is not None else None
        return Typing(joined.room, convert.sender(self._network, user, name or ""), active)
