"""Two workers with one store: each runs some networks; they are killed, stopped and cut off, one at a time."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.network import Network
from bridge.relay.intake import Relay
from bridge.relay.notices import Notices
from bridge.relay.shared import Shared
from bridge.store import Commit, Lease, LeaseLost, StoreError
from bridge.store.contract import RENEW_S
from bridge.store.core import Core
from bridge.store.shared import SharedStore
from bridge.store.tables.leases import TimedLeases
from bridge.users.sessions import Sessions
from tests.simulation.irc import IrcNetwork
from tests.simulation.matrix import MatrixNetwork
from tests.simulation.store import Disk, SimulatedWriter
from tests.simulation.weather import EPOCH, Weather
from tests.simulation.world import Program, World

_NETWORKS = ("home", "libera")


class Leases(TimedLeases):
    """By the clock of the store's own server."""

    @property
    def now(self) -> str:
        try:
            return repr(EPOCH + asyncio.get_running_loop().time())
        except RuntimeError:  # the world has ended, and is checked
            return repr(EPOCH)


class SharedCore(Core):
    leases = Leases


class SharedSimulatedStore(SharedStore):
    """The store as one worker sees it."""

    def __init__(self, disk: Disk, clock: Callable[[], float], program: Program) -> None:
        def token() -> str:
            return f"{disk.rng.getrandbits(64):x}"

        super().__init__(clock, asyncio.get_running_loop().time, token)
        core = program.core if issubclass(program.core, SharedCore) else SharedCore
        self.writer: SimulatedWriter = SimulatedWriter(disk, core, clock)
        self._lease = program.lease

    async def acquire(self, network: str, worker: str) -> Lease | None:
        lease = await super().acquire(network, worker)
        return None if lease is None else self._lease(self, *lease.own)


class WorkerWeather(Weather):
    """One worker's: it may be stopped alone."""

    def __init__(self, world: Weather) -> None:
        super().__init__(world.rng)
        self._world = world
        self.trace = world.trace
        self._asleep: list[asyncio.Future[None]] = []

    async def awake(self) -> None:
        """Wait while this worker is stopped. Who came first goes on first, as in a process that was stopped."""
        if self._asleep or self.paused_until > asyncio.get_running_loop().time():
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._asleep.append(future)
            self._wake()
            await future

    def _wake(self) -> None:
        loop = asyncio.get_running_loop()
        if self.paused_until > loop.time():
            loop.call_at(self.paused_until, self._wake)
            return
        asleep, self._asleep = self._asleep, []
        for future in asleep:
            if not future.done():
                future.set_result(None)

    def strikes(self) -> bool:
        return self._world.strikes()


@dataclass
class Worker:
    name: str
    weather: WorkerWeather
    store: SharedSimulatedStore | None = None
    process: asyncio.Task[None] | None = field(default=None, repr=False)


class TwoWorkers(World):
    """See `World`."""

    def __init__(self, seed: int, program: Program) -> None:
        super().__init__(seed, program)
        self.disk = Disk(random.Random(seed), shared=True)
        self.workers = [Worker(name, WorkerWeather(self.weather)) for name in ("one", "two")]

    async def _supervise(self) -> None:
        async with asyncio.TaskGroup() as group:
            for worker in self.workers:
                group.create_task(self._supervise_one(worker))

    async def _supervise_one(self, worker: Worker) -> None:
        while True:
            worker.process = asyncio.create_task(self._work(worker))
            try:
                await asyncio.wait({worker.process})
            finally:
                worker.process.cancel()
                await asyncio.wait({worker.process})
            if not worker.process.cancelled() and (error := worker.process.exception()) is not None:
                raise error
            await asyncio.sleep(self.weather.rng.uniform(0.2, 3.0))

    async def _work(self, worker: Worker) -> None:
        weather, program = worker.weather, self.program
        self.starts += 1
        worker.store = store = SharedSimulatedStore(self.disk, weather.clock, program)
        try:
            gate = program.gate(self._users, Sessions(self._users, weather.clock, 1.0), self.links, clock=weather.clock)
            shared = Shared(weather.clock, weather.rng, Notices(weather.clock))
            shared.link_to, shared.link_to_text = self.link_to, self._link_to_text
            relay = Relay(gate, shared)
            async with asyncio.TaskGroup() as group:
                for name in _NETWORKS:
                    group.create_task(self._run_network(worker, store, relay, name))
        finally:
            await store.aclose()

    async def _run_network(self, worker: Worker, store: SharedSimulatedStore, relay: Relay, name: str) -> None:
        """Run a network whenever this worker has its lease."""
        while True:
            lease = await self._leased(worker, store, name)
            self.weather.note(f"{worker.name} runs {name}")
            try:
                await self._run_leased(worker, relay, self._network(worker, name), lease)
            except* LeaseLost:
                self.weather.note(f"{worker.name} has lost {name}")

    def _network(self, worker: Worker, name: str) -> Network:
        if name == "home":
            return MatrixNetwork(name, self.home, worker.weather, merges=self.merges)
        return IrcNetwork(name, self.libera, worker.weather, settles=self.program.settles)

    async def _leased(self, worker: Worker, store: SharedSimulatedStore, name: str) -> Lease:
        while True:
            await worker.weather.awake()
            try:
                lease = await store.acquire(name, worker.name)
                if lease is not None:
                    if await lease.cursor() is None:
                        await lease.commit(Commit(None, "0"))
                    return lease
            except StoreError:
                pass
            await asyncio.sleep(1.0)

    async def _run_leased(self, worker: Worker, relay: Relay, network: Network, lease: Lease) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.accept(network, lease))
            group.create_task(relay.deliver(network, lease, asyncio.Event()))
            group.create_task(self._keep(worker, lease))

    async def _keep(self, worker: Worker, lease: Lease) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await worker.weather.awake()
            try:
                await lease.keep()
            except LeaseLost:
                raise
            except StoreError:
                pass

    # The nemesis

    async def _crash(self) -> None:
        await self._kill(self.weather.rng.choice(self.workers))

    async def _kill(self, worker: Worker) -> None:
        if worker.process is not None and worker.store is not None:
            self.weather.note(f"{worker.name} is killed")
            await worker.store.aclose()
            worker.process.cancel()
            await asyncio.wait({worker.process})
            if not any(each.store is not None and each is not worker for each in self.workers):
                self.disk.crash()

    async def _crash_at_commit(self) -> None:
        """One worker is killed, whatever its transaction was doing."""
        await asyncio.sleep(self.weather.rng.uniform(0.0, 2.0))
        await self._crash()

    async def _pause(self) -> None:
        """One worker is stopped, for longer than its leases last or not, and goes on where it was."""
        worker, seconds = self.weather.rng.choice(self.workers), self.weather.rng.uniform(0.5, 25.0)
        self.weather.note(f"{worker.name} is stopped for {seconds:.1f} s")
        worker.weather.paused_until = asyncio.get_running_loop().time() + seconds

    async def _no_store(self) -> None:
        """All lose the store, or one of them."""
        if self.weather.rng.random() < 0.4:
            await super()._no_store()
            return
        worker = self.weather.rng.choice(self.workers)
        if worker.store is not None:
            store = worker.store
            store.writer.reached = False
            await asyncio.sleep(self.weather.rng.uniform(0.1, 20.0))
            store.writer.reached = True

    async def _settle(self) -> None:
        for worker in self.workers:
            worker.weather.paused_until = 0.0
        await super()._settle()
