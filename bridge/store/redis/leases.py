"""What this process believes of its leases: whose time is up is found out without asking the server."""

from collections.abc import Callable

from bridge.store.contract import BELIEVED_S


class Beliefs:
    """The leases of this process. `steady` is a clock in seconds that is never set, and goes on while the machine
    sleeps."""

    def __init__(self, steady: Callable[[], float]) -> None:
        self.steady = steady
        self._held: dict[str, tuple[str, float]] = {}

    def gain(self, network: str, token: str, asked: float) -> None:
        """The server has granted the lease, or renewed it, to who asked at `asked`: the time of the answer would be too
        late, as the lease began somewhere between the two."""
        self._held[network] = (token, asked + BELIEVED_S)

    def renew(self, network: str, token: str, asked: float) -> None:
        """The same, unless the lease was let go meanwhile."""
        if self._token(network) == token:
            self.gain(network, token, asked)

    def holds(self, network: str, token: str) -> bool:
        """Whether the lease is certainly ours now."""
        mine, until = self._held.get(network, ("", 0.0))
        return mine == token and self.steady() < until

    def lose(self, network: str, token: str) -> None:
        if self._token(network) == token:
            del self._held[network]

    def clear(self) -> None:
        self._held.clear()

    def _token(self, network: str) -> str:
        return self._held.get(network, ("", 0.0))[0]
