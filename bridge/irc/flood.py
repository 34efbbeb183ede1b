"""How fast we may write: one token bucket per connection, handed out to the rooms in turn."""

import math
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from bridge.lib.bucket import TokenBucket

_Ticket = TypeVar("_Ticket", bound=Hashable)
_LATELY = 10.0
"""Seconds over which lines are counted: most servers look back about as far."""
_COUNTED = 1000
_SLOWEST = 0.25
"""Lines per second: no budget is lowered further."""
_RECOVERS = 3600.0
"""Seconds after which a lowered budget doubles, again and again, up to the configured one."""


class Pace:
    """The flood budget on one network: as configured, or less after the server has cut us off for flooding. So a budget
    that is too high for a server costs a few connections, not an endless series of them."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._most = self._now = (max(1, burst), per_second)
        self._lowered_at = 0.0

    def slow_down(self, lines: int, now: float) -> None:
        """Lower the budget: `lines` in the last ten seconds were too many."""
        burst, per_second = self.budget(now)
        lowered = min(burst, lines) // 2, min(per_second, lines / _LATELY) / 2
        self._now = max(1, lowered[0]), max(_SLOWEST, lowered[1])
        self._lowered_at = now

    def budget(self, now: float) -> tuple[int, float]:
        """The current budget: lines at once, then lines per second."""
        times = 2 ** min(int((now - self._lowered_at) / _RECOVERS), 20)
        return min(self._most[0], self._now[0] * times), min(self._most[1], self._now[1] * times)


class Flood(Generic[_Ticket]):
    """Sans I/O; times are seconds of any clock that does not go back.

    To write a line, queue a ticket under its room. `grant` names the tickets whose turn it is: the rooms take turns,
    each with its own tickets in order, so that a long text in one room never holds up another.
    """

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = max(1, burst)
        self._bucket = TokenBucket(self._burst, max(per_second, 0.001))
        self._waiting: dict[Hashable, deque[_Ticket]] = {}
        self._written: deque[float] = deque(maxlen=_COUNTED)
        self._pause = 2 / max(per_second, 0.001)
        self._aside_at = -math.inf
        self.is_safe = False
        """Whether the server says that it disconnects nobody for writing too fast
        (https://codeberg.org/emersion/soju/src/branch/master/doc/ext/saferate.md): then nothing waits."""

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
        """Count a line that could not wait (an answer to the server); later lines wait longer for it."""
        self._bucket.spend(now, debt=self._burst)
        self._written.append(now)

    def spare(self, now: float) -> bool:
        """Whether a line of no importance may go out: nothing waits, and all of a burst of messages could still follow
        but for one. Call `charge` if it is written."""
        return not self._waiting and (self.is_safe or (self._burst > 1 and self._bucket.is_full(now)))

    def may_go_aside(self, now: float) -> bool:
        """Whether a line that is no message, and has time (a JOIN), may be written now. Messages that wait go first,
        but hold it up for no longer than two of them take. Call `charge` if it is written."""
        is_its_turn = now - self._aside_at >= self._pause
        if self.is_safe or is_its_turn or (not self._waiting and self._bucket.has_token(now)):
            self._aside_at = now
            return True
        return False

    def grant(self, now: float) -> list[_Ticket]:
        """Remove and return the tickets that may write now, in order."""
        granted: list[_Ticket] = []
        while self._waiting and (self.is_safe or self._bucket.has_token(now)):
            room = next(iter(self._waiting))
            waiting = self._waiting.pop(room)
            granted.append(waiting.popleft())
            self._bucket.spend(now)
            self._written.append(now)
            if waiting:
                self._waiting[room] = waiting
        return granted

    def wait(self, now: float) -> float | None:
        """Seconds until the next ticket can be granted; None if no ticket waits."""
        return self._bucket.wait_s(now) if self._waiting else None

    def lately(self, now: float) -> int:
        """The number of lines written in the last ten seconds."""
        return sum(now - time <= _LATELY for time in self._written)

    def drain(self) -> list[_Ticket]:
        """Remove and return all tickets that were not granted."""
        tickets = [ticket for waiting in self._waiting.values() for ticket in waiting]
        self._waiting.clear()
        return tickets
