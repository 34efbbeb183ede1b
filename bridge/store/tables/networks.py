"""What is stored for each network: its worker, its cursor and its memory."""

import sqlite3
from collections.abc import Mapping

from bridge.model.event import BOTS, VOICES
from bridge.store.contract import LeaseLost, Owner, Rewound

REPORT = "report"
"""The key in a network's memory of what its worker reports of it."""


def waiting(sql: sqlite3.Connection) -> Mapping[str, int]:
    """The networks in the store but the bots', each with how many deliveries wait for it."""
    rows = sql.execute(
        "SELECT name, (SELECT count(*) FROM deliveries WHERE state = 'queued' AND network = name) FROM"
        " (SELECT name FROM networks UNION SELECT network FROM deliveries WHERE state IN ('queued', 'dead')) AS known"
        " WHERE name != ? AND name NOT LIKE ? ORDER BY name",
        (BOTS, f"{VOICES}%"),
    )
    return dict(rows.fetchall())


class Networks:
    """The tables of networks and of their memory. Begins and ends no transaction."""

    @property
    def held(self) -> str:
        """SQL: what else is true of a lease that has not run out."""
        return ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def acquire(self, network: str, token: str, worker: str) -> bool:
        """Make `token` the network's lease, even if another token held it; `worker` runs it. Always True: who can ask
        has the store for itself."""
        self._sql.execute(
            "INSERT INTO networks (name, token, worker) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET token = excluded.token, worker = excluded.worker",
            (network, token, worker),
        )
        return True

    def keep(self, network: str, token: str) -> None:
        """Keep the lease for longer. Raises LeaseLost."""
        self.cursor(network, token)

    def owners(self) -> Mapping[str, Owner]:
        """Who runs each network."""
        query = (
            "SELECT name, worker, coalesce(value, '') FROM networks LEFT JOIN memory ON memory.network = name"
            " AND memory.key = ? WHERE token IS NOT NULL AND worker IS NOT NULL"
        )
        rows = self._sql.execute(query + self.held, (REPORT,))
        return {name: Owner(worker, report) for name, worker, report in rows.fetchall()}

    def agree(self, name: str, value: str) -> str:
        """What is kept under `name` for all networks: `value`, if nothing was kept before."""
        self._sql.execute(
            "INSERT INTO memory (network, key, value) VALUES (?, ?, ?) ON CONFLICT (network, key) DO NOTHING",
            (BOTS, name, value),
        )
        found = self._sql.execute("SELECT value FROM memory WHERE network = ? AND key = ?", (BOTS, name)).fetchone()
        return str(found[0])

    def of_worker_of(self, network: str) -> frozenset[str]:
        """The networks that are run by the same worker as `network`."""
        rows = self._sql.execute(
            "SELECT name FROM networks WHERE token IS NOT NULL"
            " AND worker = (SELECT worker FROM networks WHERE name = ?)",
            (network,),
        )
        return frozenset(name for (name,) in rows)

    def release(self, network: str, token: str) -> None:
        self._sql.execute("UPDATE networks SET token = NULL WHERE name = ? AND token = ?", (network, token))

    def cursor(self, network: str, token: str) -> str | None:
        """The stored cursor. Raises LeaseLost if `token` is not the network's lease."""
        row = self._sql.execute("SELECT token, cursor FROM networks WHERE name = ?", (network,)).fetchone()
        if row is None or row[0] != token:
            raise LeaseLost(f"another process runs the network {network!r}")
        cursor: str | None = row[1]
        return cursor

    def expect(self, network: str, token: str, cursor: str | None, *, after: str | None) -> bool:
        """True if the stored cursor is `cursor`, False if it is `after`: then the batch is stored already. Raises
        Rewound if it is neither."""
        stored = self.cursor(network, token)
        if stored not in (cursor, after):
            raise Rewound(f"{network}: the stored cursor is {stored!r}, not {cursor!r}")
        return stored == cursor

    def advance(self, network: str, cursor: str) -> None:
        self._sql.execute("UPDATE networks SET cursor = ? WHERE name = ?", (cursor, network))

    def recall(self, network: str) -> Mapping[str, str]:
        return dict(self._sql.execute("SELECT key, value FROM memory WHERE network = ?", (network,)).fetchall())

    def remember(self, network: str, changes: Mapping[str, str | None]) -> None:
        for key, value in changes.items():
            if value is None:
                self._sql.execute("DELETE FROM memory WHERE network = ? AND key = ?", (network, key))
            else:
                self._sql.execute(
                    "INSERT INTO memory (network, key, value) VALUES (?, ?, ?)"
                    " ON CONFLICT (network, key) DO UPDATE SET value = excluded.value",
                    (network, key, value),
                )
