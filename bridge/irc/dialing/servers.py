"""Which of a network's servers is tried next, and after which pause. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.irc.backoff import STABLE_S, Ending, ReconnectPause


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and how we speak to it."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Servers:
    """Goes through the servers in their order. A server that does not let us in is followed by the next one at once;
    after the last there is a pause, as long as the worst of them asks for. A connection that lasted makes the first
    server the next one again."""

    def __init__(self, addresses: Sequence[Address], pause: ReconnectPause) -> None:
        self._addresses = tuple(addresses)
        self._pause = pause
        self._index = 0
        self._upgraded: Address | None = None
        self._worst: Ending | None = None

    @property
    def several(self) -> bool:
        return len(self._addresses) > 1

    @property
    def current(self) -> Address:
        """The server to connect to."""
        return self._upgraded or self._addresses[self._index]

    def after(self, ending: Ending) -> float:
        """Seconds to wait after a connection to `current`, or an attempt, that ended like this; moves on."""
        if ending.upgrade is not None:
            self._upgraded = replace(self.current, port=ending.upgrade, tls=True)
            return 0.0
        self._upgraded = None
        worst = ending if self._worst is None else max(self._worst, ending, key=_weight)
        if ending.online_for >= STABLE_S:
            self._index = -1
            waits = True
        else:
            waits = ending.everywhere or ending.rejected or ending.online_for > 0 or self._index == self._last
        self._index = (self._index + 1) % len(self._addresses)
        self._worst = None if waits else worst
        return self._pause.after(worst) if waits else 0.0

    @property
    def _last(self) -> int:
        return len(self._addresses) - 1


def _weight(ending: Ending) -> tuple[bool, float, bool]:
    return ending.rejected, ending.pause or 0.0, ending.turned_away
