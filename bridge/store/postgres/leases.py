"""Leases with a time: who runs a network, and until when."""

from bridge.model.event import VOICES
from bridge.store.contract import LEASE_S
from bridge.store.tables.networks import Networks

_FORGOTTEN_S = 86_400.0
"""Seconds after which the voice of a worker that was killed is forgotten."""
_NOW = "extract(epoch FROM clock_timestamp())::double precision"
"""The server's clock, the only one that all workers share."""


class TimedLeases(Networks):
    """The tables of networks on PostgreSQL. A lease that ran out is still its worker's until another takes it."""

    held = f" AND until > {_NOW}"

    def acquire(self, network: str, token: str, worker: str) -> bool:
        """Whether `token` is the network's lease now: nobody had it, or it had run out."""
        taken = self._sql.execute(
            f"INSERT INTO networks (name, token, worker, until) VALUES (?1, ?2, ?3, {_NOW} + ?4)"  # noqa: S608
            " ON CONFLICT (name) DO UPDATE SET token = excluded.token, worker = excluded.worker,"
            f" until = excluded.until WHERE networks.token IS NULL OR networks.until <= {_NOW}"
            " OR networks.token = excluded.token",
            (network, token, worker, LEASE_S),
        )
        self._sql.execute(
            f"DELETE FROM networks WHERE name LIKE ? AND until < {_NOW} - ?",  # noqa: S608
            (f"{VOICES}%", _FORGOTTEN_S),
        )
        return taken.rowcount == 1

    def release(self, network: str, token: str) -> None:
        super().release(network, token)
        if network.startswith(VOICES):
            self._sql.execute("DELETE FROM networks WHERE name = ? AND token IS NULL", (network,))
            self._sql.execute("DELETE FROM memory WHERE network = ?", (network,))

    def keep(self, network: str, token: str) -> None:
        super().keep(network, token)
        self._sql.execute(f"UPDATE networks SET until = {_NOW} + ?2 WHERE name = ?1", (network, LEASE_S))  # noqa: S608
