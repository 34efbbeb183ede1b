"""How long to wait before the next connection to the server."""

import random
from dataclasses import dataclass

from bridge.lib.backoff import Backoff

_FIRST_S, _LONGEST_S = 1.0, 10.0
"""A server that comes back after an hour is noticed within these. One that is away is not bothered by the tries."""
_LONGEST_TURNED_AWAY_S, _LONGEST_REFUSED_S = 60.0, 3600.0
_STABLE_S, _WORTH = 60.0, 4.0
"""A connection resets the pause if it lasted so many seconds, or so many times longer than the pause before it: a
network that loses us every ten seconds is asked again soon, one that throws us out at once is not."""


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


class ReconnectPause:
    """Exponential pause with jitter: 1 s doubling to 10 s, to a minute for a server that turned us away, to an hour for
    one that refuses us. Reset after a connection that lasted."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        self._paused = _FIRST_S

    def after(self, ending: Ending) -> float:
        """Seconds to wait after a connection that ended like this."""
        if ending.online_for >= min(_STABLE_S, _WORTH * self._paused):
            self._failures = 0
        self._paused = _backoff(ending).after(self._failures, self._rng)
        self._failures += 1
        return self._paused


def _backoff(ending: Ending) -> Backoff:
    if ending.pause is not None or ending.rejected:
        return Backoff(ending.pause or _LONGEST_TURNED_AWAY_S, _LONGEST_REFUSED_S)
    return Backoff(_FIRST_S, _LONGEST_TURNED_AWAY_S if ending.turned_away else _LONGEST_S)
