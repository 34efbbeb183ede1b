"""A process that is killed and started again, on a store that has bad days: what worlds with faces have in common."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial

from bridge.network import Network
from bridge.relay.intake import Relay
from bridge.store import Commit, Lease
from bridge.users import User
from tests.fakes.users import MemoryUsers
from tests.simulation.matrix import Homeserver
from tests.simulation.store import Disk, SimulatedStore
from tests.simulation.weather import Weather
from tests.simulation.world import expect_lease_lost, identity, patient

TROUBLE_S = 30.0
"""Seconds in which people talk, and things go wrong."""
_SETTLES_S = 900.0
"""Seconds after the last trouble in which everything has to arrive."""
_QUIET_S = 25.0
"""Seconds in which nothing more may come."""
MEMBERS = (("home", "alice"), ("home", "carol"), ("home", "dora"), ("libera", "bob"), ("libera", "dave"))

Fault = Callable[[], Awaitable[None]]


class Troubled(ABC):
    """One simulation. Subclasses say what the process is, who talks, and what else goes wrong."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.weather = Weather(self.rng)
        self.home = Homeserver(self.weather)
        self.disk = Disk(self.rng)
        self.users = MemoryUsers()
        self.users.add(*(User(name, identities=(identity(network, name),)) for network, name in MEMBERS))
        self.starts = 0
        self._process: asyncio.Task[None] | None = None
        self._store: SimulatedStore | None = None

    async def run(self) -> None:
        """Run everything; check the world afterwards. TimeoutError if it never comes to rest."""
        async with asyncio.TaskGroup() as group:
            self.begin()
            people = [group.create_task(each) for each in self.talk()]
            supervisor = group.create_task(self._supervise())
            nemesis = group.create_task(self._harm())
            await asyncio.wait({*people, nemesis})
            self.calm()
            await self._settle()
            supervisor.cancel()

    @abstractmethod
    def begin(self) -> None:
        """Make what needs the loop."""

    @abstractmethod
    def talk(self) -> Sequence[Coroutine[None, None, None]]:
        """What people do."""

    @abstractmethod
    def faults(self) -> Sequence[Fault]:
        """What may go wrong besides the process and its store."""

    @abstractmethod
    def networks(self, home: Lease, libera: Lease) -> tuple[Sequence[Network], Relay]:
        """A process of the bridge, which has just been started."""

    @abstractmethod
    def die(self) -> None:
        """The process is gone, and with it its connections."""

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.weather.note("calm")
        self.weather.rough = self.disk.loses = 0.0
        self.disk.available = self.home.online = True

    # The process

    async def _supervise(self) -> None:
        """Start the process, and start it again when it is gone, as its service manager would."""
        while True:
            self._process = asyncio.create_task(self._serve())
            try:
                await asyncio.wait({self._process})
            finally:
                self._process.cancel()
                await asyncio.wait({self._process})
            if not self._process.cancelled() and (error := self._process.exception()) is not None:
                expect_lease_lost(error)
                self.weather.note("lease lost")
            await asyncio.sleep(self.rng.uniform(0.2, 3.0))

    async def _serve(self) -> None:
        self.starts += 1
        self._store = store = SimulatedStore(self.disk, self.weather.clock)
        try:
            home, libera = [await patient(partial(_begun, store, name)) for name in ("home", "libera")]
            networks, relay = self.networks(home, libera)
            async with asyncio.TaskGroup() as group:
                for network, lease in zip(networks, (home, libera), strict=True):
                    group.create_task(relay.accept(network, lease))
                    group.create_task(relay.deliver(network, lease, asyncio.Event()))
        finally:
            await store.aclose()
            self.die()

    # The nemesis

    async def _harm(self) -> None:
        own: Sequence[Fault] = (self._crash, self._crash_at_commit, self._pause, self._no_homeserver, self._no_store)
        faults = [*own, self._forgetful, *self.faults()]
        await asyncio.sleep(6.0)
        while asyncio.get_running_loop().time() < TROUBLE_S + 6.0:
            await asyncio.sleep(self.rng.uniform(0.0, 4.0))
            await self.rng.choice(faults)()

    async def _crash(self) -> None:
        """Kill the process wherever it is; its memory is lost."""
        if self._process is not None and self._store is not None:
            self.weather.note("crash")
            await self._store.aclose()
            self.die()
            self._process.cancel()
            await asyncio.wait({self._process})
            self.disk.crash()

    async def _crash_at_commit(self) -> None:
        """The process is gone between a transaction and its answer."""
        self.disk.countdown = self.rng.randint(1, 8)
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await self.disk.struck.wait()
            await self._crash()
        self.disk.countdown = 0

    async def _pause(self) -> None:
        self.weather.note("pause")
        self.weather.paused_until = asyncio.get_running_loop().time() + self.rng.uniform(0.5, 10.0)

    async def _no_homeserver(self) -> None:
        self.home.online = False
        await asyncio.sleep(self.rng.uniform(0.1, 6.0))
        self.home.online = True
        self.home.stir.ring()

    async def _no_store(self) -> None:
        self.disk.available = False
        await asyncio.sleep(self.rng.uniform(0.1, 4.0))
        self.disk.available = True

    async def _forgetful(self) -> None:
        """Answers are lost for a while, the store's and the homeserver's."""
        self.disk.loses = self.weather.rough = 0.2
        await asyncio.sleep(self.rng.uniform(1.0, 6.0))
        self.disk.loses = self.weather.rough = 0.0

    # The end

    async def _settle(self) -> None:
        async with asyncio.timeout(_SETTLES_S):
            while True:
                await asyncio.sleep(_QUIET_S)
                if not self.queued():
                    return

    def queued(self) -> int:
        """How many deliveries are not done."""
        count: int = self.disk.sql.execute("SELECT count(*) FROM deliveries WHERE state = 'queued'").fetchone()[0]
        return count


async def _begun(store: SimulatedStore, network: str) -> Lease:
    """A lease, for which the process waits its turn."""
    lease = await store.acquire(network, "")
    assert lease is not None
    if network == "home" and await lease.cursor() is None:
        await lease.commit(Commit(None, "0"))
    return lease
