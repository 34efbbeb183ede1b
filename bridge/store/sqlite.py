"""The store on SQLite: one file, which one daemon owns, and beside which the command line works."""

import asyncio
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any, Protocol, Self

from bridge.lib.files import make_folders
from bridge.lib.waiting import is_set_within
from bridge.store.contract import Full, Lease, Store, Unusable
from bridge.store.core import EXCERPT, Core
from bridge.store.reserve import Reserve
from bridge.store.schema import BUSY_S, connect
from bridge.store.steps import Steps
from bridge.store.writer import Ring, Writer

_LOOK_S = 1.0  # between looks for what another process has changed
_TRIES, _PAUSE = 4, 0.05  # how often the lock is tried, and seconds between: before anything runs


def _random_token() -> str:
    return secrets.token_hex(16)


class Asked(Protocol):
    """Runs verbs of `Core`, each whole or not at all; see `bridge.store.writer.Writer`."""

    async def read(self, verb: Callable[[Core], Any]) -> Any: ...

    async def write(self, verb: Callable[[Core], Any], ring: Ring) -> Any: ...

    async def take_in(self, verb: Callable[[Core], Any], ring: Ring) -> Any: ...

    async def aclose(self) -> None: ...


class SqliteStore(Store):
    """The Store contract on a file. `open` is for the daemon, `attach` for the command line beside it."""

    def __init__(
        self,
        writer: Asked,
        clock: Callable[[], float],
        token: Callable[[], str] = _random_token,
        *,
        owns: bool = False,
        lock: int | None = None,
    ) -> None:
        """`owns`: this process may write for the networks, and gives leases. `lock` is the descriptor that holds the
        file for it."""
        super().__init__(self)
        self.clock = clock
        self.writer = writer
        self._owns = owns
        self._lock = lock
        self._token = token
        self._tokens: dict[str, str] = {}
        self._bells: dict[str, asyncio.Event] = {}
        self._version: int | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Callable[[], float],
        token: Callable[[], str] = _random_token,
        steady: Callable[[], float] | None = None,
        excerpt: int = EXCERPT,
        busy_s: float = BUSY_S,
    ) -> Self:
        """Open or create the store at `path`, and bring it to the version of this program.

        While it is open no other daemon can open it: the lock goes with the process, however that ends. `Unusable`
        where another daemon has it, where it is damaged, or of a newer version; the file is then as it was. `Full`
        where the disk is, and nothing was reserved. `token` names a lease; no two may be alike. By `steady` it sees
        that `clock` was set. `excerpt` is how many characters of each carried message are kept.
        `busy_s` are the seconds that it waits while another program has the file locked.
        """
        try:
            make_folders(path.parent)
            held = lock(path)
        except OSError as error:
            raise Unusable(f"{path}: the store cannot be opened ({error})") from error
        reserve = None
        try:
            with suppress(OSError):  # it goes without
                reserve = Reserve(path)
            steps = Steps(clock, steady) if steady is not None else None
            core = partial(Core, clock=clock, excerpt=excerpt)
            writer = Writer(_connected(path, reserve, busy_s), core, reserve, steps)
        except BaseException:
            if reserve is not None:
                reserve.close()
            os.close(held)
            raise
        return cls(writer, clock, token, owns=True, lock=held)

    @classmethod
    def attach(cls, path: Path, clock: Callable[[], float]) -> Self:
        """Open an existing store beside a daemon that may be running. It gives no leases. `Unusable` as in `open`, and
        where there is no store, or one of an older version, which the daemon will upgrade."""
        if not path.exists():
            raise Unusable(f"{path}: there is no store yet: the daemon makes it when it first runs")
        return cls(Writer(connect(path, upgrade=False), partial(Core, clock=clock)), clock)

    async def acquire(self, network: str, worker: str) -> Lease | None:
        """The lock on the file is the proof that nobody else has the lease."""
        if not self._owns:
            return None
        token = self._token()
        await self.write("acquire", network, token, worker)
        self._tokens[network] = token
        return Lease(self, network, token)

    async def aclose(self) -> None:
        self._tokens.clear()
        await self.writer.aclose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # The engine

    async def read(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self.writer.read(methodcaller(verb, *args, **named))

    async def write(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self.writer.write(methodcaller(verb, *args, **named), self._ring)

    async def take_in(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self.writer.take_in(methodcaller(verb, *args, **named), self._ring)

    def holds(self, network: str, token: str) -> bool:
        return self._tokens.get(network) == token

    def let_go(self, network: str, token: str) -> None:
        if self.holds(network, token):
            del self._tokens[network]

    async def wait(self, network: str, until: float) -> None:
        bell = self._bells.setdefault(network, asyncio.Event())
        while not await is_set_within(bell, min(_LOOK_S, until - self.clock())):
            if self.clock() >= until:
                return
            await self._look()
        bell.clear()

    def _ring(self, networks: Collection[str]) -> None:
        for network in networks:
            self._bells.setdefault(network, asyncio.Event()).set()

    async def _look(self) -> None:
        """Ring every bell where another process has changed something since the last look."""
        version = await self.writer.read(Core.changes_of_others)
        if version != self._version:
            self._version = version
            self._ring([*self._bells])


def _connected(path: Path, reserve: Reserve | None, busy_s: float) -> sqlite3.Connection:
    """SQLite needs some room to open a store, too."""
    try:
        return connect(path, upgrade=True, busy_s=busy_s)
    except Full:
        if reserve is None or not reserve.give():
            raise
    return connect(path, upgrade=True, busy_s=busy_s)


def lock(path: Path) -> int:
    """Lock the store at `path` for this process; the file descriptor holds it. `Unusable` while another has it."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        _take(descriptor)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise Unusable(f"{path}: another quackbridge is running on this store; stop it first") from error
    return descriptor


def _take(descriptor: int) -> None:
    """The lock; a program that only looks whether a daemon runs has it for an instant. BlockingIOError where another
    keeps it."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_PAUSE)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
