"""Watches the health of the bridge: asks the networks, and remembers since when each thing is as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bridge import __version__
from bridge.model.elsewhere import Elsewhere, RoomReport
from bridge.model.event import BOTS, Room
from bridge.model.health import Check, Health, NetworkHealth, Queue, RoomHealth
from bridge.network import Encrypts, Network, Reports, Vitals
from bridge.relay import checks
from bridge.relay.lines import LastLines
from bridge.relay.outages import Outages
from bridge.rules.gate import Gate
from bridge.store.steps import Steps

MAX_AGE_S = 300.0
"""Seconds that a message may wait before the outbox is not well any more, unless the config says another."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the board is told of, besides the networks. `queues`: of all networks. `free`: bytes on the disk of the
    store, None if unknown. `full`: why what is heard has to wait for disk space. `lag`: how many seconds the event loop
    was late. `elsewhere`: the networks that other workers run; None where there are no others."""

    queues: Mapping[str, Queue] = field(default_factory=dict)
    free: int | None = None
    full: str = ""
    lag: float = 0.0
    elsewhere: Mapping[str, Elsewhere] | None = None


class Board:
    """Keeps the health as it is now, in `now`. `worker` names this daemon; `clock` gives seconds since the epoch,
    `steady` seconds that nobody sets. A reload replaces `ready_max_age`: how many seconds a message may wait before the
    outbox is not well any more."""

    def __init__(
        self,
        gate: Gate,
        outages: Outages,
        lines: LastLines,
        worker: str,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._gate = gate
        self._outages = outages
        self._lines = lines
        self._clock = clock
        self._steady = steady
        self._steps = Steps(clock, steady)
        self._step, self._stepped = 0.0, 0.0
        self._since: dict[str, Check] = {}
        started = clock()
        fine = Check(ok=True, since=started)
        self.ready_max_age = MAX_AGE_S
        self.now = Health(started, __version__, worker, started, {}, (), {}, fine, fine, fine, fine)

    def look(self, networks: Mapping[str, Network], types: Mapping[str, str], around: Around) -> None:
        """Look at the `networks` that run; `types` are all that the config names, each with its type. Call it about
        once a second."""
        self._notice_step()
        now = self._clock()
        elsewhere = around.elsewhere or {}
        found = {
            name: self._elsewhere(name, kind, elsewhere[name], now)
            if name in elsewhere and name not in networks
            else self._network(name, kind, networks.get(name), now, alone=around.elsewhere is None)
            for name, kind in types.items()
        }
        rooms = tuple(
            self._room_elsewhere(room, link.name, elsewhere[room.network], now)
            if room.network in elsewhere and room.network not in networks
            else self._room(room, link.name, networks.get(room.network), found[room.network], now)
            for link in self._gate.links
            for room in link.rooms
            if room.network in found
        )
        ours = {name: queue for name, queue in around.queues.items() if name in types or name == BOTS}
        self.now = replace(
            self.now,
            now=now,
            networks=found,
            rooms=rooms,
            queues=around.queues,
            outbox=self._check("outbox", checks.of_outbox(ours, now, self.ready_max_age), now),
            disk=self._check("disk", checks.of_disk(around.free, around.full), now),
            clock=self._check("clock", checks.of_clock(self._step), now),
            loop=self._check("loop", checks.of_loop(around.lag), now),
            free=around.free or 0,
            lag=around.lag,
        )
        self._forget()

    def _notice_step(self) -> None:
        """Notice that the clock was set, and go on telling the right times."""
        if step := self._steps.step():
            self._steps.taken(step)
            self._step, self._stepped = step, self._steady()
            self._since = {name: replace(check, since=check.since + step) for name, check in self._since.items()}
            self.now = replace(self.now, started=self.now.started + step)
        elif self._step and self._steady() - self._stepped > checks.CLOCK_LATELY_S:
            self._step = 0.0

    def _elsewhere(self, name: str, kind: str, told: Elsewhere, now: float) -> NetworkHealth:
        return NetworkHealth(self._check(f"network:{name}", told.reason, now), kind, told.worker)

    def _room_elsewhere(self, room: Room, link: str, told: Elsewhere, now: float) -> RoomHealth:
        its = told.rooms.get(room.id, RoomReport())
        check = self._check(f"room:{room}", its.reason, now)
        seen = {"joined": its.joined, "may_speak": its.may_speak, "encrypted": its.encrypted, "readable": its.readable}
        return RoomHealth(room, link, check, told.worker, **seen)

    def _network(self, name: str, kind: str, network: Network | None, now: float, *, alone: bool) -> NetworkHealth:
        vitals = _vitals(network, alone=alone)
        check = self._check(f"network:{name}", vitals.problem, now)
        return NetworkHealth(check, kind, self.now.worker, vitals.heard)

    def _room(self, room: Room, link: str, network: Network | None, its: NetworkHealth, now: float) -> RoomHealth:
        absence = its.check.reason if network is None else network.absence(room) or ""
        silenced = self._outages.silenced_rooms().get(room, "")
        encrypted, readable = _sealed(network, room)
        unreadable = "" if readable else "it is encrypted, and we cannot read it"
        joined = network.joined(room) if isinstance(network, Reports) else not absence
        outside = "" if joined else "not joined yet"
        reason = its.check.reason or absence or silenced or outside or unreadable
        lines = self._lines.of(room)
        return RoomHealth(
            room,
            link,
            self._check(f"room:{room}", reason, now),
            self.now.worker,
            joined=joined,
            may_speak=joined and not absence and not silenced and its.check.ok,
            encrypted=encrypted,
            readable=readable,
            heard=lines.heard,
            said=lines.said,
        )

    def _check(self, name: str, reason: str, now: float) -> Check:
        """The check `name` with the time since when it is so."""
        reason = checks.told(reason)
        before = self._since.get(name)
        is_same = before is not None and before.ok is not bool(reason)
        self._since[name] = Check(not reason, before.since if before is not None and is_same else now, reason)
        return self._since[name]

    def _forget(self) -> None:
        """Forget checks of what the config does not name any more."""
        kept = self.now.checks()
        self._since = {name: check for name, check in self._since.items() if name in kept}


def _vitals(network: Network | None, *, alone: bool) -> Vitals:
    if network is None:
        return Vitals("it does not run" if alone else "no worker runs it yet")
    return network.vitals() if isinstance(network, Reports) else Vitals()


def _sealed(network: object, room: Room) -> tuple[bool, bool]:
    """Whether `room` is encrypted, and whether we can read it."""
    if not isinstance(network, Encrypts):
        return False, True
    state = network.encryption()
    return room in state.rooms, not (room in state.rooms and state.problem)


def summary(health: Health) -> str:
    """The health in one line, for systemd: `2/3 networks up, 4 links, outbox 12 (oldest 40 s)`."""
    up = sum(network.check.ok for network in health.networks.values())
    queued = sum(queue.queued for queue in health.queues.values())
    oldest = min((queue.oldest for queue in health.queues.values() if queue.oldest is not None), default=None)
    waits = f" (oldest {max(0, int(health.now - oldest))} s)" if oldest is not None else ""
    links = len(health.links())
    return (
        f"{up}/{len(health.networks)} networks up, {links} {'link' if links == 1 else 'links'}, outbox {queued}{waits}"
    )
