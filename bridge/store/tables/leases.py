"""Leases with a time: who runs a network, and until when. For stores that several workers share."""

from bridge.model.event import VOICES
from bridge.store.contract import LEASE_S
from bridge.store.tables.networks import Networks

FORGOTTEN_S = 86_400.0
"""Seconds after which the voice of a worker that was killed is forgotten."""


class TimedLeases(Networks):
    """The tables of networks, with the column `until`. A lease that ran out is still its worker's until another takes
    it. A subclass says in `now` what the store's clock is in SQL, the only one that all workers share."""

    @property
    def now(self) -> str:
        """SQL: seconds since the epoch."""
        raise NotImplementedError

    @property
    def held(self) -> str:
        return f" AND until > {self.now}"

    def acquire(self, network: str, token: str, worker: str) -> bool:
        """Whether `token` is the network's lease now: nobody had it, or it had run out."""
        taken = self._sql.execute(
            f"INSERT INTO networks (name, token, worker, until) VALUES (?1, ?2, ?3, {self.now} + ?4)"  # noqa: S608
            " ON CONFLICT (name) DO UPDATE SET token = excluded.token, worker = excluded.worker,"
            f" until = excluded.until WHERE networks.token IS NULL OR networks.until <= {self.now}"
            " OR networks.token = excluded.token",
            (network, token, worker, LEASE_S),
        )
        gone = self._sql.execute(
            f"DELETE FROM networks WHERE name LIKE ? AND until < {self.now} - ? RETURNING name",  # noqa: S608
            (f"{VOICES}%", FORGOTTEN_S),
        ).fetchall()
        self._sql.executemany("DELETE FROM memory WHERE network = ?", gone)
        return taken.rowcount == 1

    def release(self, network: str, token: str) -> None:
        super().release(network, token)
        if network.startswith(VOICES):
            self._sql.execute("DELETE FROM networks WHERE name = ? AND token IS NULL", (network,))
            self._sql.execute("DELETE FROM memory WHERE network = ?", (network,))

    def keep(self, network: str, token: str) -> None:
        """Keep the lease for another `LEASE_S`. Raises LeaseLost."""
        super().keep(network, token)
        self._sql.execute(f"UPDATE networks SET until = {self.now} + ?2 WHERE name = ?1", (network, LEASE_S))  # noqa: S608
