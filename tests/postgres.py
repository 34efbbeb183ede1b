"""A PostgreSQL server of the tests' own."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from bridge.demo.servers import Process
from bridge.demo.servers.process import HOST

_USER = "postgres"
"""Who runs it where the tests run as root, which PostgreSQL refuses to do."""
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join(map(str, reversed(_PROGRAMS)))) or shutil.which(name)


class Postgres(Process):
    """PostgreSQL 13 or newer, with one database and one role, both called `quackbridge`, and no password. `settings`
    are lines of its configuration. With `of`, a standby of that server."""

    program = "postgres"

    def __init__(self, *, settings: Sequence[str] = (), of: "Postgres | None" = None) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="postgres", ignore_cleanup_errors=True)
        super().__init__(Path(self._home.name))  # root's folders of tests are closed for others
        self._settings = settings
        self._of = of
        self._data = self.folder / "data"

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot be started here, or None."""
        return None if _program("initdb") else "PostgreSQL is not installed: Debian's package is `postgresql`"

    @property
    def url(self) -> str:
        return f"postgresql://quackbridge@{HOST}:{self.port}/quackbridge"

    def command(self) -> Sequence[str]:
        return (*_as_postgres(), _program("postgres") or "postgres", "-D", str(self._data))

    def prepare(self) -> None:
        if self._data.exists():
            return
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER, _USER)
        if self._of is None:
            self._run("initdb", "-D", str(self._data), "-U", "quackbridge", "-E", "UTF8", "--locale=C", "--no-sync")
        else:
            source = f"host={HOST} port={self._of.port} user=quackbridge application_name=standby"
            self._run(
                "pg_basebackup", "-D", str(self._data), "-d", source, "-R", "-c", "fast", "-X", "stream", "--no-sync"
            )
        lines = [
            f"port = {self.port}",
            f"listen_addresses = '{HOST}'",
            "unix_socket_directories = ''",
            "max_connections = 60",
            "shared_buffers = 16MB",
            *self._settings,
        ]
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {HOST}/32 trust\nhost replication all {HOST}/32 trust\n")

    async def is_up(self) -> bool:
        try:
            with psycopg.connect(self.url, dbname="postgres", autocommit=True) as sql:
                if (
                    self._of is None
                    and not sql.execute("SELECT 1 FROM pg_database WHERE datname = 'quackbridge'").fetchone()
                ):
                    sql.execute("CREATE DATABASE quackbridge")
        except psycopg.OperationalError:
            return False
        return True

    def empty(self) -> None:
        """Remove all that was stored."""
        self.execute("DROP SCHEMA IF EXISTS quackbridge CASCADE")

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement as somebody else would."""
        with psycopg.connect(self.url, autocommit=True, options="-c search_path=quackbridge") as sql:
            found = sql.execute(statement.encode(), values or None)
            return found.fetchall() if found.description else []

    def promote(self) -> None:
        """Make a standby the server that takes writes."""
        self._run("pg_ctl", "promote", "-D", str(self._data), "-w")

    async def stop(self) -> None:
        """End it without waiting for its clients: what it calls a fast shutdown."""
        if self._child is not None:
            self._child.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._child.wait, 10)
        await super().stop()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*_as_postgres(), _program(program) or program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
            cwd="/",
        )


def _as_postgres() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups")
