"""The only thread that uses a worker's connection to PostgreSQL. Commits verbs that wait at the same time together."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import structlog

from bridge.store.contract import Full, Unavailable
from bridge.store.core import Core
from bridge.store.postgres.sql import Sql, connect, one_line
from bridge.store.writer import Call, CallKind, Writer

log = structlog.get_logger()

CHANNEL = "quackbridge"
"""Where workers tell each other which network has new work."""
_WRITING = 7_245_127
"""The number of the lock that whoever writes has: any number that nobody else uses."""


class PostgresWriter(Writer):
    """Runs verbs of `Core`, each atomically, and answers once they are on the server's disk.

    One worker writes at a time, as on SQLite: what is proved of the verbs there is true here. Readers see one state of
    the store, and wait for nobody. `Unavailable`: the server was not reached, or its answer was lost.
    """

    def __init__(
        self,
        url: str,
        connection: psycopg.Connection[tuple[Any, ...]],
        core: Callable[[Any], Core],
        is_ours: Callable[[str], bool],
    ) -> None:
        """`is_ours`: whether this worker runs a network; for others, it rings at the server."""
        self._url = url
        self._make = core
        self._is_ours = is_ours
        self._there: Sql | None = Sql(connection)
        super().__init__(self._there, core)

    # In the thread

    def _close(self) -> None:
        self._leave()

    def _serve(self, calls: Sequence[Call]) -> None:
        try:
            self._transact_there(self._connected(), calls)
        except psycopg.errors.DiskFull as error:
            self._refuse(calls, Full(f"the server of the store has no space left: {one_line(error)}"))
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._leave()
            self._refuse(calls, Unavailable(f"the server of the store does not answer ({one_line(error)})"))
        except psycopg.Error as error:
            self._leave()
            if len(calls) > 1:  # the fault of one of them
                for call in calls:
                    self._serve([call])
            else:
                self._refuse(calls, error)

    def _connected(self) -> Sql:
        if self._there is None:
            self._there = Sql(connect(self._url))
            self._core = self._make(self._there)
            log.info("store_reached")
        return self._there

    def _leave(self) -> None:
        if self._there is not None:
            with contextlib.suppress(psycopg.Error):
                self._there.close()
        self._there = None

    @staticmethod
    def _refuse(calls: Sequence[Call], error: Exception) -> None:
        for call in calls:
            call.error = error

    def _transact_there(self, sql: Sql, calls: Sequence[Call]) -> None:
        """Run the verbs in one transaction; a verb that raises is rolled back alone, and does not stop the others."""
        if any(call.kind is not CallKind.READ for call in calls):
            sql.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            sql.execute("SELECT pg_advisory_xact_lock(?)", (_WRITING,))
        else:
            sql.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        woken: set[str] = set()
        for call in calls:
            self._run_one(call, sql)
            woken |= call.woken
        for network in sorted(woken):
            if not self._is_ours(network):
                sql.execute("SELECT pg_notify(?, ?)", (CHANNEL, network))
        sql.execute("COMMIT")

    def _run_one(self, call: Call, sql: Sql) -> None:
        call.result = call.error = None
        call.woken = frozenset()
        self._core.woken.clear()
        sql.execute("SAVEPOINT verb")
        try:
            call.result = call.verb(self._core)
            call.woken = frozenset(self._core.woken)
        except psycopg.Error:
            raise
        except Exception as error:  # the caller's: it is raised there
            call.error = error
            sql.execute("ROLLBACK TO SAVEPOINT verb")
        sql.execute("RELEASE SAVEPOINT verb")
