"""How fast we may write: one token bucket per connection, handed out to the rooms in turn."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

_Ticket = TypeVar("_Ticket", bound=Hashable)
_WHOLE = 1 - 1e-9  # a token, whatever the sum of its parts is rounded to


class Flood(Generic[_Ticket]):
    """Sans I/O; times are seconds of any clock that does not go back.

    Who wants to write a line queues a ticket under its room. `grant` names the tickets whose turn it is: the rooms take
    turns, each with its own tickets in order, so that a long text in one room never holds up another.
    """

    def __init__(self, burst: int, per_second: float, now: float) -> None:
        self._burst = float(max(1, burst))
        self._per_second = max(per_second, 0.001)
        self._tokens = self._burst
        self._at = now
        self._waiting: dict[Hashable, deque[_Ticket]] = {}

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
        self._refill(now)
        self._tokens = max(self._tokens - 1, -self._burst)

    def grant(self, now: float) -> list[_Ticket]:
        """The tickets that may write now, in that order."""
        self._refill(now)
        granted: list[_Ticket] = []
        while self._waiting and self._tokens >= _WHOLE:
            room = next(iter(self._waiting))
            waiting = self._waiting.pop(room)
            granted.append(waiting.popleft())
            self._tokens -= 1
            if waiting:
                self._waiting[room] = waiting
        return granted

    def wait(self, now: float) -> float | None:
        """Seconds until the next ticket can be granted; None where nobody waits."""
        if not self._waiting:
            return None
        self._refill(now)
        return max(0.0, (1 - self._tokens) / self._per_second)

    def drain(self) -> list[_Ticket]:
        """Forget, and return, all tickets that were not granted."""
        tickets = [ticket for waiting in self._waiting.values() for ticket in waiting]
        self._waiting.clear()
        return tickets

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
            self._at = now
