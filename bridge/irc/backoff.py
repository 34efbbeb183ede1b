"""How long to wait before the next connection."""

import random
from dataclasses import dataclass

_FIRST = 1.0
_LONGEST = 10.0
"""Seconds: who comes back after an hour is noticed within these. To ask so often costs a server nothing that is not
there."""
_LONGEST_TURNED_AWAY, _LONGEST_REFUSED = 60.0, 3600.0
_STABLE, _WORTH = 60.0, 4.0
"""A connection was worth the wait that lasted so many seconds, or so many times longer than the wait: a network that
loses us each ten seconds is not left for a minute each time, and one that throws us out at once is."""
_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended. `pause`: seconds that the server needs before it takes us again; `rejected`: it does not
    accept what the configuration says; `turned_away`: it said that it does not want us now; `online_for`: seconds since
    we were let in; `flooded`: lines that we wrote lately, where these were too many."""

    reason: str
    pause: float | None = None
    rejected: bool = False
    turned_away: bool = False
    online_for: float = 0.0
    flooded: int = 0


class Backoff:
    """From a second, doubled each time, to ten; from the beginning again after a connection that was worth the wait.
    With jitter, so that not all clients of a server that was down come back at once. A server that turned us away is
    asked once a minute in the end, one that refuses us once an hour."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        self._paused = _FIRST

    def after(self, ending: Ending) -> float:
        """Seconds to wait."""
        if ending.online_for >= min(_STABLE, _WORTH * self._paused):
            self._failures = 0
        doubled = 2.0 ** min(self._failures, _DOUBLINGS)
        self._failures += 1
        if ending.pause is not None or ending.rejected:
            pause = min(_LONGEST_REFUSED, (ending.pause or _LONGEST_TURNED_AWAY) * doubled)
        else:
            pause = min(_LONGEST_TURNED_AWAY if ending.turned_away else _LONGEST, _FIRST * doubled)
        self._paused = pause * self._rng.uniform(0.5, 1.0)
        return self._paused
