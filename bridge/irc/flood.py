"""How fast we may write: one token bucket per connection, handed out to the rooms in turn."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from bridge.lib.bucket import TokenBucket

_Ticket = TypeVar("_Ticket", bound=Hashable)
_LATELY = 10.0
"""Seconds: most servers look back about as far."""
_COUNTED = 1000
_SLOWEST = 0.25
"""Lines a second."""
_RECOVERS = 3600.0
"""Seconds after which a lowered budget is doubled again, until it is what is configured."""


class Pace:
    """The budget on one network: what is configured, or less where the server has cut us off for it. So a budget that
    is too high for a server costs some connections, not an endless circle of them."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._most = self._now = (max(1, burst), per_second)
        self._lowered_at = 0.0

    def slow_down(self, lines: int, now: float) -> None:
        """`lines` in the last ten seconds were too many."""
        burst, per_second = self.budget(now)
        lowered = min(burst, lines) // 2, min(per_second, lines / _LATELY) / 2
        self._now = max(1, lowered[0]), max(_SLOWEST, lowered[1])
        self._lowered_at = now

    def budget(self, now: float) -> tuple[int, float]:
        """Lines at once, and then a second."""
        times = 2 ** min(int((now - self._lowered_at) / _RECOVERS), 20)
        return min(self._most[0], self._now[0] * times), min(self._most[1], self._now[1] * times)


class Flood(Generic[_Ticket]):
    """Sans I/O; times are seconds of any clock that does not go back.

    Who wants to write a line queues a ticket under its room. `grant` names the tickets whose turn it is: the rooms take
    turns, each with its own tickets in order, so that a long text in one room never holds up another.
    """

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = max(1, burst)
        self._bucket = TokenBucket(self._burst, max(per_second, 0.001))
        self._waiting: dict[Hashable, deque[_Ticket]] = {}
        self._written: deque[float] = deque(maxlen=_COUNTED)

    def queue(self, room: Hashable, ticket: _Ticket) -> None:
        self._waiting.setdefault(room, deque()).append(ticket)

    def withdraw(self, room: Hashable, ticket: _Ticket) -> None:
        """Forget a ticket that was not granted yet."""
        waiting = self._waiting.get(room)
        if waiting and ticket in waiting:
            waiting.remove(ticket)
            if not waiting:
                del self._waiting[room]

    def charge(self, now: float) -> None:
        """A line went out that could not wait (an answer to the server): the next ones wait for it instead."""
        self._bucket.spend(now, debt=self._burst)
        self._written.append(now)

    def grant(self, now: float) -> list[_Ticket]:
        """The tickets that may write now, in that order."""
        granted: list[_Ticket] = []
        while self._waiting and self._bucket.has_token(now):
            room = next(iter(self._waiting))
            waiting = self._waiting.pop(room)
            granted.append(waiting.popleft())
            self._bucket.spend(now)
            self._written.append(now)
            if waiting:
                self._waiting[room] = waiting
        return granted

    def wait(self, now: float) -> float | None:
        """Seconds until the next ticket can be granted; None where nobody waits."""
        return self._bucket.wait_s(now) if self._waiting else None

    def lately(self, now: float) -> int:
        """Lines of the last ten seconds."""
        return sum(now - time <= _LATELY for time in self._written)

    def drain(self) -> list[_Ticket]:
        """Forget, and return, all tickets that were not granted."""
        tickets = [ticket for waiting in self._waiting.values() for ticket in waiting]
        self._waiting.clear()
        return tickets
