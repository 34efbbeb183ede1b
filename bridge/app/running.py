"""Starts and stops networks while others go on; each has a task that hears and one that delivers."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from bridge.network import KnowsPresence, Network, Refused
from bridge.relay.intake import Relay
from bridge.relay.watch import Lookout
from bridge.store import Lease, LeaseLost, Unavailable

log = structlog.get_logger()

DRAIN = 3.0
"""Seconds in which posts on their way may arrive. With `LEAVE`, less than the 5 s that a stop may take."""
_LOOK = 1.0
"""Seconds between looks for rooms that are away."""
LEAVE = 1.0
"""Seconds to say goodbye to a network, and to store what it still says."""
_CUT_OFF = 0.5
"""Seconds to close a connection without a goodbye."""


@dataclass(slots=True)
class _Runner:
    network: Network
    lease: Lease
    accepting: asyncio.Task[None]
    delivering: asyncio.Task[None]
    stopping: asyncio.Event


class Running:
    """The running networks. `group` has their tasks: an unexpected error in one ends them all."""

    def __init__(self, group: asyncio.TaskGroup, relay: Relay, lookout: Lookout, *, shared: bool = False) -> None:
        """`shared`: other workers may take a network over; else, losing a lease is an error."""
        self._shared = shared
        self._lost: set[str] = set()
        self._group = group
        self._relay = relay
        self._lookout = lookout
        self._runners: dict[str, _Runner] = {}
        self.networks: dict[str, Network] = {}
        """The running networks by name. Others may read it."""

    async def start(self, network: Network, lease: Lease, *, needed: bool) -> None:
        """Run `network`. If it refuses our configuration, only this network ends: a logout in one place must not
        silence the others. But if it is `needed` and was never ready, `Refused` ends everything."""
        await self._lookout.resume(lease)
        stopping = asyncio.Event()
        accept = self._unless_lost(lease, self._accept(network, lease, needed=needed))
        deliver = self._unless_lost(lease, self._relay.deliver(network, lease, stopping))
        self._runners[network.name] = _Runner(
            network,
            lease,
            self._group.create_task(accept, name=f"accept {network.name}"),
            self._group.create_task(deliver, name=f"deliver {network.name}"),
            stopping,
        )
        self.networks[network.name] = network

    async def stop(self, names: Iterable[str]) -> None:
        """Stop these networks: posts on their way arrive, then the networks are left politely. Nothing that waits is
        lost. Safe to call again after cancellation."""
        runners = [self._runners[name] for name in names if name in self._runners]
        for runner in runners:
            self.networks.pop(runner.network.name, None)
            runner.stopping.set()
        await end([runner.delivering for runner in runners], DRAIN)
        await end([runner.accepting for runner in runners if runner.network.leave()], LEAVE, 0)
        await end([runner.accepting for runner in runners], 0, _CUT_OFF)
        for runner in runners:
            self._runners.pop(runner.network.name, None)
            with suppress(Unavailable):  # a shared store that is away: the lease runs out by itself
                await runner.lease.release()

    async def stop_all(self) -> None:
        await self.stop([*self._runners])

    @property
    def leases(self) -> Mapping[str, Lease]:
        """The leases of the running networks."""
        return {name: runner.lease for name, runner in self._runners.items()}

    def take_lost(self) -> Sequence[str]:
        """The networks that another worker has taken since the last call; they have to be stopped here."""
        lost, self._lost = [name for name in self._lost if name in self._runners], set()
        return lost

    @property
    def refused(self) -> Sequence[str]:
        """The networks that ended by themselves: what they refused may be mended by now."""
        return [name for name, runner in self._runners.items() if runner.accepting.done()]

    async def is_away(self, user: str) -> bool | None:
        """Whether a person is away, as the first network says that knows; None if none does."""
        for network in [*self.networks.values()]:
            if isinstance(network, KnowsPresence) and (away := await network.is_away(user)) is not None:
                return away
        return None

    async def look_out(self) -> None:
        """Tell people which rooms are away, and which are back, for ever."""
        while True:
            await asyncio.sleep(_LOOK)
            await self._lookout.look(self.networks, self.leases)

    async def ready(self) -> None:
        """Return when each network that runs now has joined its rooms once."""
        await asyncio.gather(*(network.ready() for network in self.networks.values()))

    async def _unless_lost(self, lease: Lease, work: Coroutine[None, None, None]) -> None:
        """Do `work` until the lease is lost."""
        try:
            await work
        except* LeaseLost:
            if not self._shared:
                raise
            self._lost.add(lease.network)

    async def _accept(self, network: Network, lease: Lease, *, needed: bool) -> None:
        up = self._group.create_task(network.ready(), name=f"up {network.name}")
        try:
            await self._relay.accept(network, lease)
        except Refused as error:
            if needed and not up.done():
                raise
            hint = "correct the configuration and send SIGHUP; messages for this network wait, other networks go on"
            log.error("network_refused", network=network.name, reason=str(error), key=".".join(error.key), hint=hint)
        finally:
            up.cancel()


async def end(tasks: Iterable[asyncio.Task[None]], by_themselves: float, cancelled: float = LEAVE) -> None:
    """Wait `by_themselves` seconds for `tasks` to end, then cancel what is left and wait `cancelled` seconds more."""
    left = {*tasks}
    if left:
        _, left = await asyncio.wait(left, timeout=by_themselves)
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=cancelled)


def changed(
    before: Mapping[str, object], after: Mapping[str, object], *, again: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """The names to stop and the names to start, to get from `before` to `after`. `again`: names to stop and start even
    if unchanged, since they have ended."""
    stop = [name for name, settings in before.items() if after.get(name) != settings or name in again]
    start = [name for name, settings in after.items() if before.get(name) != settings or name in again]
    return stop, start
