"""The store on SQLite: one file, owned by one daemon; the command line may use it at the same time."""

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

from bridge.lib.files import make_folders, open_private
from bridge.lib.waiting import is_set_within
from bridge.store.contract import Full, Lease, Store, Unusable
from bridge.store.core import EXCERPT, Core
from bridge.store.reserve import Reserve
from bridge.store.schema import BUSY_S, connect
from bridge.store.steps import Steps
from bridge.store.writer import Ring, Writer

_LOOK_S = 1.0  # seconds between checks for changes by other processes
_TRIES, _PAUSE = 4, 0.05  # attempts to lock, and seconds between them; blocks, so only before anything runs


def _random_token() -> str:
    return secrets.token_hex(16)


class Asked(Protocol):
    """Runs verbs of `Core`, each atomically; see `bridge.store.writer.Writer`."""

    async def read(self, verb: Callable[[Core], Any]) -> Any: ...

    async def write(self, verb: Callable[[Core], Any], ring: Ring) -> Any: ...

    async def take_in(self, verb: Callable[[Core], Any], ring: Ring) -> Any: ...

    async def note(self, verb: Callable[[Core], Any], ring: Ring) -> Any: ...

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
        """`owns`: this process may write for the networks, and grants leases. `lock`: the descriptor that keeps the
        file locked."""
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
        """Open or create the store at `path`, and migrate it to the current version.

        While it is open no other daemon can open it: the lock ends with the process, however that ends. Raises
        `Unusable`, with the file unchanged, if another daemon has it or it is damaged or of a newer version; `Full` if
        the disk is full and no space was reserved. `token` makes unique names for leases. `steady` is a clock that is
        never set, to notice that `clock` was. `excerpt` is how many characters of each carried message are kept.
        `busy_s`: seconds to wait while another program has the file locked.
        """
        try:
            make_folders(path.parent)
            held = lock(path)
        except OSError as error:
            raise Unusable(f"{path}: the store cannot be opened ({error})") from error
        reserve = None
        try:
            with suppress(OSError):  # works without one
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
        """Open an existing store while a daemon may be running. Grants no leases. Raises `Unusable` if the store is
        missing, damaged, of a newer version, or of an older one, which the daemon will upgrade."""
        if not path.exists():
            raise Unusable(f"{path}: there is no store yet: the daemon makes it when it first runs")
        return cls(Writer(connect(path, upgrade=False), partial(Core, clock=clock)), clock)

    async def acquire(self, network: str, worker: str) -> Lease | None:
        """Nobody else can have the lease: this process holds the file's lock."""
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

    async def note(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self.writer.note(methodcaller(verb, *args, **named), self._ring)

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
        for network in sorted(networks):
            self._bells.setdefault(network, asyncio.Event()).set()

    async def _look(self) -> None:
        """Ring every bell if another process has changed something since the last check."""
        version = await self.writer.read(Core.changes_of_others)
        if version != self._version:
            self._version = version
            self._ring([*self._bells])


def _connected(path: Path, reserve: Reserve | None, busy_s: float) -> sqlite3.Connection:
    """Open the store; if the disk is full, with space from the reserve: SQLite needs some to open it."""
    try:
        return connect(path, upgrade=True, busy_s=busy_s)
    except Full:
        if reserve is None or not reserve.give():
            raise
    return connect(path, upgrade=True, busy_s=busy_s)


def lock(path: Path) -> int:
    """Lock the store at `path`; returns the descriptor that holds the lock. Raises `Unusable` if another has it."""
    descriptor = open_private(Path(f"{path}.lock"), path)
    try:
        _take(descriptor)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise Unusable(f"{path}: another quackbridge is running on this store; stop it first") from error
    return descriptor


def _take(descriptor: int) -> None:
    """Take the lock. Retries, since `is_in_use` holds it for an instant. Raises BlockingIOError if another keeps it."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_PAUSE)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
