"""Watches the health of the bridge: asks the networks, and remembers since when each thing is as it is."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bridge import __version__
from bridge.model.event import Room
from bridge.model.health import Check, Health, NetworkHealth, RoomHealth
from bridge.network import Encrypts, Network, Reports, Vitals
from bridge.relay.outages import Outages
from bridge.rules.gate import Gate

_MOST_REASON = 300
"""Characters of a reason: a server may have written it."""


class Board:
    """Keeps the health as it is now, in `now`. `worker` names this daemon. A reload replaces `ready_max_age`: how many
    seconds a message may wait before the outbox is not well any more."""

    def __init__(self, gate: Gate, outages: Outages, clock: Callable[[], float], worker: str) -> None:
        self._gate = gate
        self._outages = outages
        self._clock = clock
        self._since: dict[str, Check] = {}
        started = clock()
        fine = Check(ok=True, since=started)
        self.ready_max_age = 300.0
        self.now = Health(started, __version__, worker, started, {}, (), {}, fine, fine, fine, fine)

    def look(self, networks: Mapping[str, Network], types: Mapping[str, str]) -> None:
        """Look at the `networks` that run; `types` are all that the config names, each with its type. Call it about
        once a second."""
        now = self._clock()
        silenced = self._outages.silenced_rooms()
        found = {name: self._network(name, kind, networks.get(name), now) for name, kind in types.items()}
        rooms = tuple(
            self._room(room, link.name, networks.get(room.network), found[room.network], silenced, now)
            for link in self._gate.links
            for room in link.rooms
            if room.network in found
        )
        self.now = replace(self.now, now=now, networks=found, rooms=rooms)
        self._forget()

    def _network(self, name: str, kind: str, network: Network | None, now: float) -> NetworkHealth:
        vitals = _vitals(network)
        check = self._check(f"network:{name}", vitals.problem, now)
        return NetworkHealth(check, kind, self.now.worker, vitals.heard)

    def _room(
        self,
        room: Room,
        link: str,
        network: Network | None,
        its: NetworkHealth,
        silenced: Mapping[Room, str],
        now: float,
    ) -> RoomHealth:
        absence = network.absence(room) if network is not None else its.check.reason
        encrypted, readable = _sealed(network, room)
        reason = absence or silenced.get(room, "") or ("" if readable else "it is encrypted, and we cannot read it")
        return RoomHealth(
            room,
            link,
            self._check(f"room:{room}", reason or its.check.reason, now),
            self.now.worker,
            joined=network.joined(room) if isinstance(network, Reports) else not absence,
            may_speak=not absence and room not in silenced,
            encrypted=encrypted,
            readable=readable,
        )

    def _check(self, name: str, reason: str, now: float) -> Check:
        """The check `name` with the time since when it is so."""
        reason = reason[:_MOST_REASON]
        before = self._since.get(name)
        is_same = before is not None and before.ok is not bool(reason)
        self._since[name] = Check(not reason, before.since if before is not None and is_same else now, reason)
        return self._since[name]

    def _forget(self) -> None:
        """Forget checks of what the config does not name any more."""
        kept = self.now.checks()
        self._since = {name: check for name, check in self._since.items() if name in kept}


def _vitals(network: Network | None) -> Vitals:
    if network is None:
        return Vitals("it does not run")
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
    return f"{up}/{len(health.networks)} networks up, {len(health.links())} links, outbox {queued}{waits}"
