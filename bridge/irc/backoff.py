"""How long to wait before the next connection to the server."""

import random
from dataclasses import dataclass

from bridge.lib.backoff import Backoff

_FIRST_S, _LONGEST_S = 1.0, 10.0
"""Seconds. Short enough to notice soon that a server is back; a server that is away is not bothered by the tries."""
_LONGEST_TURNED_AWAY_S, _LONGEST_REFUSED_S = 60.0, 3600.0
_LONGEST_TIMES = 12.0
"""A pause that a server has asked for, or that its error needs, becomes so many times as long at most: the five minutes
of a ban an hour, the two of a throttle 24 minutes."""
STABLE_S, _WORTH = 60.0, 4.0
"""A connection resets the pause if it lasted `STABLE_S` seconds, or `_WORTH` times the pause before it: a network that
loses us every ten seconds is tried again soon, one that throws us out at once is not."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended. `pause`: seconds to wait before the server takes us again; `rejected`: it does not accept
    what the configuration says; `turned_away`: it said that it does not want us now; `online_for`: seconds that we were
    logged in; `flooded`: lines that we wrote lately, if they were too many, else 0; `by_server`: the
    server ended it, or the network in between. `everywhere`: the other servers of the network will not take us either.
    `upgrade`: the port on which the server wants us to use TLS, at once. `key` is what the server does not accept (as
    `Refused.key`)."""

    reason: str
    pause: float | None = None
    rejected: bool = False
    turned_away: bool = False
    online_for: float = 0.0
    flooded: int = 0
    by_server: bool = False
    everywhere: bool = False
    upgrade: int | None = None
    key: tuple[str, ...] = ()


class ReconnectPause:
    """Exponential pause with jitter: 1 s doubling to 10 s, to a minute for a server that turned us away, or lets us in
    and soon closes on us, to an hour for one that refuses us or has banned us. Reset after a connection that lasted."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        self._paused = _FIRST_S

    def after(self, ending: Ending) -> float:
        """Seconds to wait after a connection that ended like this."""
        if ending.online_for >= min(STABLE_S, _WORTH * self._paused):
            self._failures = 0
        self._paused = _backoff(ending).after(self._failures, self._rng)
        self._failures += 1
        return self._paused


def _backoff(ending: Ending) -> Backoff:
    if ending.rejected:
        return Backoff(ending.pause or _LONGEST_TURNED_AWAY_S, _LONGEST_REFUSED_S)
    if ending.pause is not None:
        return Backoff(ending.pause, min(_LONGEST_TIMES * ending.pause, _LONGEST_REFUSED_S))
    closes_on_us = ending.turned_away or (ending.by_server and ending.online_for > 0)
    return Backoff(_FIRST_S, _LONGEST_TURNED_AWAY_S if closes_on_us else _LONGEST_S)
