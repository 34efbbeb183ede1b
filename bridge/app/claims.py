"""Which networks this worker runs, where several workers share a store: each is run by one, and taken over in time."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from bridge.app.running import Running
from bridge.lib.heartbeats import Heartbeats
from bridge.model.event import VOICES
from bridge.store import Lease, Owner, Store, StoreError, Unusable, stored
from bridge.store.contract import RENEW_S

log = structlog.get_logger()

_LOOK_S = 1.0
"""Seconds between looks for networks that nobody runs."""
_GATHER_S = 2.0
"""Seconds in which workers that are started together see each other, before the first takes a network."""
_TRIES, _AGAIN_S = 8, 0.25
"""How often a worker looks when it is started, and the seconds in between."""
_PATIENCE = 3
"""Looks after which a worker takes more than its share of what nobody runs: the others had their time."""


class Claims:
    """Takes networks that nobody runs, and keeps the leases of those that this worker runs.

    Each worker has a voice, a network of its own by which its desk and its bots answer; by these, workers know how many
    they are. `wanted` are the names of all networks, `start` runs one, `stop` leaves it.
    """

    def __init__(
        self,
        store: Store,
        worker: str,
        running: Running,
        wanted: Callable[[], Sequence[str]],
        start: Callable[[str, Lease], Awaitable[None]],
        stop: Callable[[str], Awaitable[None]],
        heartbeats: Heartbeats,
        rng: random.Random,
    ) -> None:
        self._store = store
        self.worker = worker
        self.voice = f"{VOICES}{worker}"
        self._running = running
        self._wanted = wanted
        self._start = start
        self._stop = stop
        self._heartbeats = heartbeats
        self._rng = rng
        self._free: dict[str, int] = {}
        """For how many looks nobody has run each network."""
        self.owners: Mapping[str, Owner] = {}
        """Who ran each network at the last look."""

    @property
    def leases(self) -> Mapping[str, Lease]:
        """The leases of this worker."""
        return self._running.leases

    async def speak(self) -> Lease:
        """The lease of this worker's voice. Raises `Unusable` if another worker has the same name."""
        lease = await stored(self._store.acquire, self.voice, self.worker)
        if lease is None:
            raise Unusable(f"another worker calls itself {self.worker}: give this machine another host name")
        return lease

    async def begin(self) -> None:
        """Wait until all that are started together are there, and take this worker's share. Two may want the same
        network, and leave another: so look again while one is left."""
        await asyncio.sleep(_GATHER_S)
        for _ in range(_TRIES):
            await self.look()
            if not self._free:
                return
            await asyncio.sleep(_AGAIN_S)

    async def run(self) -> None:
        """Take what nobody runs, and leave what others have taken, for ever."""
        while True:
            self._heartbeats.beat("claim networks")
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def keep(self) -> None:
        """Renew the leases, for ever."""
        while True:
            await asyncio.sleep(RENEW_S)
            self._heartbeats.beat("keep leases")
            await asyncio.gather(*(self._keep(lease) for lease in self._running.leases.values()))

    async def look(self) -> None:
        """Leave the networks that others have taken; take those that nobody runs, up to this worker's share."""
        for name in self._running.take_lost():
            log.warning("network_lost", network=name, hint="another worker runs it now")
            await self._stop(name)
            if name == self.voice:  # after a day without the store
                await self._start(name, await self.speak())
        try:
            self.owners = await self._store.owners()
            for name in self._due():
                await self._claim(name)
        except StoreError:  # told where messages wait for it
            return

    def _due(self) -> Sequence[str]:
        """The networks to ask for now."""
        wanted = self._wanted()
        free = [name for name in wanted if name not in self.owners and name not in self._running.leases]
        self._free = {name: self._free.get(name, 0) + 1 for name in free}
        workers = len({owner.worker for owner in self.owners.values()} | {self.worker})
        held = sum(name in self._running.leases for name in wanted)
        share = -(-len(wanted) // workers) - held
        self._rng.shuffle(free)
        return [name for place, name in enumerate(free) if place < share or self._free[name] > _PATIENCE]

    async def _claim(self, name: str) -> None:
        lease = await self._store.acquire(name, self.worker)
        if lease is not None:
            log.info("network_taken", network=name, worker=self.worker)
            await self._start(name, lease)

    async def _keep(self, lease: Lease) -> None:
        try:
            await lease.keep()
        except StoreError as error:  # if it is lost, its tasks find out, too
            log.debug("lease_not_kept", network=lease.network, reason=str(error))
