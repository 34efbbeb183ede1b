"""Watches the health of the bridge: asks the networks, and remembers since when each thing is as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bridge import __version__
from bridge.model.elsewhere import Elsewhere, RoomReport
from bridge.model.event import BOTS, Room
from bridge.model.health import Check, Health, NetworkHealth, Queue, RoomHealth
from bridge.network import EncryptionState, Encrypts, Network, Reports, Vitals
from bridge.relay import checks
from bridge.relay.lines import LastLines
from bridge.relay.outages import Outages
from bridge.rules.gate import Gate
from bridge.store.steps import Steps

MAX_AGE_S = 300.0
"""Seconds that a message may wait before the outbox is not well any more, unless the config says another."""

_UNREADABLE = "it is encrypted, and we cannot read it"
_OTHER_CHECKS = 4
"""Checks that are of no network and no room."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the board is told of, besides the networks. `queues`: of all networks. `free`: bytes on the disk of the
    store, None if unknown. `full`: why what is heard has to wait for disk space. `away`: why a shared store cannot be
    written. `lag`: how many seconds the event loop
    was late. `elsewhere`: the networks that other workers run; None where there are no others."""

    queues: Mapping[str, Queue] = field(default_factory=dict)
    free: int | None = None
    full: str = ""
    away: str = ""
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
        self._since: dict[str | Room, Check] = {}
        self._shown: dict[Room, RoomHealth] = {}
        started = clock()
        fine = Check(ok=True, since=started)
        self.ready_max_age = MAX_AGE_S
        self.now = Health(started, __version__, worker, started, {}, (), {}, fine, fine, fine, fine)

    def look(self, networks: Mapping[str, Network], types: Mapping[str, str], around: Around) -> None:
        """Look at the `networks` that run; `types` are all that the config names, each with its type. Call it about
        once a second."""
        self._notice_step()
        now = self._clock()
        elsewhere = {name: told for name, told in (around.elsewhere or {}).items() if name not in networks}
        nobody = Vitals("it does not run" if around.elsewhere is None else "no worker runs it yet")
        seen = {name: _Seen.of(networks.get(name), nobody) for name in types}
        found = {
            name: self._elsewhere(name, kind, elsewhere[name], now)
            if name in elsewhere
            else self._network(name, kind, seen[name].vitals, now)
            for name, kind in types.items()
        }
        rooms = tuple(
            self._room_elsewhere(room, link.name, elsewhere[room.network], now)
            if room.network in elsewhere
            else self._room(room, link.name, seen[room.network], found[room.network], now)
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
            outbox=self._check("outbox", around.away or checks.of_outbox(ours, now, self.ready_max_age), now),
            disk=self._check("disk", checks.of_disk(around.free, around.full), now),
            clock=self._check("clock", checks.of_clock(self._step), now),
            loop=self._check("loop", checks.of_loop(around.lag), now),
            free=around.free or 0,
            lag=around.lag,
        )
        if len(self._since) > len(found) + len(rooms) + _OTHER_CHECKS:
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
        check = self._check(room, its.reason, now)
        seen = {"joined": its.joined, "may_speak": its.may_speak, "encrypted": its.encrypted, "readable": its.readable}
        return RoomHealth(room, link, check, told.worker, **seen)

    def _network(self, name: str, kind: str, vitals: Vitals, now: float) -> NetworkHealth:
        check = self._check(f"network:{name}", vitals.problem, now)
        return NetworkHealth(check, kind, self.now.worker, vitals.heard, vitals.puppets, vitals.ghosts)

    def _room(self, room: Room, link: str, seen: "_Seen", its: NetworkHealth, now: float) -> RoomHealth:
        """How a room is: the value of the last look if nothing has changed, as for most of a thousand rooms."""
        network = seen.network
        absence = its.check.reason if network is None else network.absence(room) or ""
        silenced = self._outages.silenced_rooms().get(room, "")
        encrypted = room in seen.encrypted
        readable = not (encrypted and seen.unreadable)
        joined = seen.reports.joined(room) if seen.reports is not None else not absence
        may_speak = joined and not absence and not silenced and its.check.ok
        reason = its.check.reason or absence or silenced or ("" if joined else "not joined yet")
        check = self._check(room, reason or ("" if readable else _UNREADABLE), now)
        lines = self._lines.of(room)
        facts = (room, link, check, self.now.worker, joined, may_speak, encrypted, readable, lines.heard, lines.said)
        shown = self._shown.get(room)
        if shown is None or _facts(shown) != facts:
            shown = self._shown[room] = RoomHealth(*facts)
        return shown

    def _check(self, name: str | Room, reason: str, now: float) -> Check:
        """The check `name` with the time since when it is so."""
        reason = checks.told(reason) if reason else ""
        before = self._since.get(name)
        if before is not None and before.reason == reason:
            return before
        is_same = before is not None and before.ok is not bool(reason)
        self._since[name] = Check(not reason, before.since if before is not None and is_same else now, reason)
        return self._since[name]

    def _forget(self) -> None:
        """Forget checks of what the config does not name any more."""
        rooms = {each.room for each in self.now.rooms}
        kept = {*self.now.checks(), *rooms}
        self._since = {name: check for name, check in self._since.items() if name in kept}
        self._shown = {room: shown for room, shown in self._shown.items() if room in rooms}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is asked of a network once for all its rooms. `unreadable`: why we cannot read encrypted ones."""

    network: Network | None
    vitals: Vitals
    reports: Reports | None = None
    encrypted: frozenset[Room] = frozenset()
    unreadable: str = ""

    @classmethod
    def of(cls, network: Network | None, nobody: Vitals) -> "_Seen":
        if network is None:
            return cls(None, nobody)
        state = network.encryption() if isinstance(network, Encrypts) else EncryptionState("")
        reports = network if isinstance(network, Reports) else None
        vitals = reports.vitals() if reports is not None else Vitals()
        return cls(network, vitals, reports, frozenset(state.rooms), state.problem)


def _facts(shown: RoomHealth) -> tuple[object, ...]:
    return (
        *(shown.room, shown.link, shown.check, shown.worker, shown.joined, shown.may_speak),
        *(shown.encrypted, shown.readable, shown.heard, shown.said),
    )


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
