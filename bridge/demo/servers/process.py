"""Runs a server in its own process group, on its own loopback port, with all its files in one folder."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

HOST = "127.0.0.1"

_STOPPED = 10.0  # seconds from SIGTERM to SIGKILL
_LOOK = 0.05  # seconds between looks at a port or a process
_TAIL = 4000  # characters of log in an error: a traceback fits

_PORTS = range(20000, 32000)  # below Linux's ephemeral range, so that no outgoing connection takes a port while its
# server is away (`kill`, then `restart`)


class ServerError(Exception):
    """A server did not start; the text holds the end of its log."""


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise ServerError("no free port on loopback")


class Process(ABC):
    """Controls one server program. Not bound to an event loop, so one instance serves the tests of many loops.

    A subclass writes its configuration in `prepare` and names its command line in `command`; `folder` is created.
    """

    program: ClassVar[str] = ""
    """The executable that must be installed; '' if the server comes with our own Python packages."""
    up_within_s: float = 60.0
    """Seconds until it must serve; Synapse takes 4 on an idle machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "output.log"
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def missing(cls) -> str | None:
        """Why this server cannot be started here, or None if it can."""
        return None if not cls.program or which(cls.program) else f"{cls.program} is not installed"

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration into `folder`, which exists. Called once, before the first start."""

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    async def is_up(self) -> bool:
        """Whether the server serves: it accepts a connection."""
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        return True

    @property
    def pid(self) -> int:
        """The process (and process group) id of the running server."""
        if self._child is None:
            raise ServerError(f"{type(self).__name__} is not running")
        return self._child.pid

    async def start(self) -> None:
        """Start the server and return when it serves. Raises ServerError, with the end of its log, if it fails."""
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
        if not self.log.exists():
            self.prepare()
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(  # noqa: ASYNC220  (asyncio's would belong to one loop)
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            await self._wait_until_up(self._child)
        except BaseException:
            await self.kill()
            raise

    async def _wait_until_up(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.up_within_s
        while not await self.is_up():
            if child.poll() is not None:
                raise ServerError(f"{type(self).__name__} ended with status {child.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{type(self).__name__} does not answer on port {self.port}:\n{self.tail()}")
            await asyncio.sleep(_LOOK)

    async def ended(self) -> int:
        """Return its exit status when the server has ended by itself."""
        while self._child is not None and self._child.poll() is None:  # noqa: ASYNC110  (a process is no event)
            await asyncio.sleep(_LOOK)
        return self._child.returncode if self._child is not None else 0

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL for what is left of the process group."""
        if self._child is None:
            return
        _signal(self._child.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOPPED
        try:
            while self._child.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110  (a process is no event)
                await asyncio.sleep(_LOOK)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL to the whole process group, like a power cut."""
        if self._child is None:
            return
        _signal(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._child = None

    async def restart(self) -> None:
        """Stop the server if it runs, and start it on the same port and data."""
        await self.stop()
        await self.start()

    def tail(self) -> str:
        """The end of what the server has printed."""
        return self.log.read_text(errors="replace")[-_TAIL:] if self.log.exists() else ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def which(program: str) -> str | None:
    """The path of `program`; Debian keeps daemons where an ordinary PATH does not look."""
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin")


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
