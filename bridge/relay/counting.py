"""Counts the deliveries of one network: when all posts of one are sent, how long it took, and what failed."""

from collections.abc import Callable, Iterable, Sequence

from bridge.lib.lru import LruDict
from bridge.model.counters import Counters, DeliveryOutcome
from bridge.model.event import Message, Room
from bridge.model.outbox import Owed, Post

_MOST = 10_000
"""Deliveries that are followed at a time: more than can be on their way."""


class DeliveryCounting:
    """`link_of` names the link of a room, '' if it is in none. `clock`: seconds since the epoch."""

    def __init__(
        self, network: str, counters: Counters, clock: Callable[[], float], link_of: Callable[[Room], str]
    ) -> None:
        self._network = network
        self._counters = counters
        self._clock = clock
        self._link_of = link_of
        self._said: LruDict[str, float] = LruDict(_MOST)  # messages: when they were said
        self._left: LruDict[str, set[str]] = LruDict(_MOST)  # the posts of each delivery that are not sent yet

    def note_owed(self, owed: Iterable[Owed]) -> None:
        """These are about to be sent. The time of messages counts from when they were said, as far as is known."""
        for item in owed:
            if isinstance(item.event.body, Message):
                self._said[item.delivery] = item.said

    def note_posts(self, posts: Sequence[Post]) -> None:
        """`posts` are what is left to be sent of their deliveries."""
        left: dict[str, set[str]] = {}
        for post in posts:
            for delivery in post.deliveries:
                left.setdefault(delivery, set()).add(post.id)
        for delivery, ids in left.items():
            self._left[delivery] = ids

    def count_sent(self, post: Post) -> None:
        """The network has acknowledged `post`. Counts the deliveries that are complete now."""
        for delivery in post.deliveries:
            left = self._left.peek(delivery)
            if left is None:
                continue
            left.discard(post.id)
            if left:
                continue
            self._left.pop(delivery)
            self._count(post.room, DeliveryOutcome.SENT)
            if (said := self._said.pop(delivery)) is not None:
                self._counters.durations[self._network].add(max(0.0, self._clock() - said))

    def count_retried(self, post: Post) -> None:
        """A try to send `post` failed; it is repeated."""
        self._count(post.room, DeliveryOutcome.RETRIED, len(post.deliveries))

    def count_unknown(self, post: Post) -> None:
        """Unknown whether `post` arrived."""
        self._count(post.room, DeliveryOutcome.UNKNOWN, len(post.deliveries))

    def count_dead(self, room: Room, number: int) -> None:
        """So many deliveries to `room` are dead."""
        self._count(room, DeliveryOutcome.DEAD, number)

    def count_given_up(self, number: int) -> None:
        """So many deliveries have waited for too long."""
        self._counters.given_up[self._network] += number

    def _count(self, room: Room, outcome: DeliveryOutcome, number: int = 1) -> None:
        self._counters.deliveries[self._network, self._link_of(room), outcome] += number
