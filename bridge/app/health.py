"""Keeps the health of the running daemon up to date."""

import asyncio
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bridge.app.claims import Claims
from bridge.app.liveness import Liveness
from bridge.model.elsewhere import Elsewhere, heard, told
from bridge.model.event import Room
from bridge.model.health import Health
from bridge.network import Network
from bridge.relay.health import Around, Board
from bridge.relay.shared import Shared
from bridge.rules.gate import Gate
from bridge.store import Lease, Store, StoreError
from bridge.store.steps import since_boot

_LOOK_S, _LOOK_MOST_S = 1.0, 5.0
"""Least and most seconds between looks at the networks: no I/O."""
_ROOMS_A_SECOND = 400
_FRESH_S = 0.2
"""Seconds for which a look answers whoever asks."""
_COUNT_S = 5.0
"""Seconds between looks at the outbox and the disk."""


class HealthWatch:
    """`networks` are those that run, `types` all that the config names, each with its type. `path` is the store's. A
    reload sets `board.ready_max_age`."""

    def __init__(
        self,
        store: Store,
        path: Path,
        gate: Gate,
        shared: Shared,
        networks: Callable[[], Mapping[str, Network]],
        types: Callable[[], Mapping[str, str]],
        claims: Claims,
    ) -> None:
        self._store = store
        self._path = path
        self._gate = gate
        self._shared = shared
        self._networks = networks
        self._types = types
        self._claims = claims
        self._reported: dict[str, tuple[Lease, str]] = {}
        self._around = Around()
        self._looked = -math.inf
        self.liveness = Liveness(store, shared.heartbeats)
        self.board = Board(gate, shared.outages, shared.lines, claims.worker, time.time, since_boot)

    def latest(self) -> Health:
        """The health at the last look, a second ago, five at most if there are many rooms."""
        return self.board.now

    def now(self) -> Health:
        """The health right now, for whoever asks whether all is well. Anybody may ask, as often as they like: it is
        looked at anew five times a second at most."""
        if asyncio.get_running_loop().time() - self._looked >= _FRESH_S:
            self.look()
        return self.board.now

    def wedged(self) -> str:
        """Why this process does not work any more; '' if it does."""
        return self.liveness.problem()

    async def begin(self) -> None:
        """Recall when the last lines were, and look once."""
        with suppress(StoreError):  # they are not known, then
            self._shared.lines.recall(await self._store.last_lines(self._rooms()))
        await self._count()
        self.look()

    async def keep(self) -> None:
        """Keep it up to date, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.liveness.keep(), name="liveness")
            group.create_task(self._keep_counting(), name="count what waits")
            if self._store.shared:
                group.create_task(self._keep_reporting(), name="report to other workers")
            while True:
                self.look()
                self._shared.counters.count_connects(self.board.now)
                self._shared.heartbeats.beat("watch health")
                await asyncio.sleep(pause(len(self.board.now.rooms)))

    def look(self) -> None:
        """Look at once, as after a reload."""
        self._looked = asyncio.get_running_loop().time()
        around = replace(
            self._around,
            full=self.liveness.full,
            away=self.liveness.away,
            lag=self.liveness.lag,
            elsewhere=self._elsewhere(),
        )
        self.board.look(self._networks(), self._types(), around)

    def _elsewhere(self) -> Mapping[str, Elsewhere] | None:
        if not self._store.shared:
            return None
        others = ((name, owner) for name, owner in self._claims.owners.items() if owner.worker != self._claims.worker)
        return {name: heard(owner.worker, owner.report) for name, owner in others}

    async def _keep_reporting(self) -> None:
        """Tell other workers how the networks of this one are, for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for name, lease in self._claims.leases.items():
                if name not in self.board.now.networks:
                    continue
                report = lease, told(self.board.now, name)
                if self._reported.get(name) != report:
                    with suppress(StoreError):  # tried again in a second
                        await lease.report(report[1])
                        self._reported[name] = report

    async def _keep_counting(self) -> None:
        while True:
            await self._count()
            await asyncio.sleep(_COUNT_S)

    async def _count(self) -> None:
        free = await asyncio.to_thread(_free, self._path)
        with suppress(StoreError):  # told by the liveness; what was counted last holds until then
            self._around = replace(self._around, queues=await self._store.queues())
        self._around = replace(self._around, free=free)
        self._shared.lines.keep(self._rooms())

    def _rooms(self) -> frozenset[Room]:
        return frozenset(room for link in self._gate.links for room in link.rooms)


def pause(rooms: int) -> float:
    """Seconds until the next look at so many `rooms`: a look at 2,000 takes ten milliseconds, in which nothing else is
    done. Who asks for the health is always told of a fresh look."""
    return min(_LOOK_MOST_S, max(_LOOK_S, rooms / _ROOMS_A_SECOND))


def _free(path: Path) -> int | None:
    """The bytes that are free for us on the disk of `path`; None if nobody knows."""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
