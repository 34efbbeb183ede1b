"""The health of the bridge: what is well, since when, and why not. One value, which `status`, `/readyz`, the metrics,
the status page and systemd's status line all show. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from bridge.model.event import Room


@dataclass(frozen=True, slots=True)
class Check:
    """Whether something is well (`ok`), `since` when it is so (seconds since the epoch), and if not, the `reason` in
    words for the operator. A reason names no people, and holds nothing that people have said."""

    ok: bool
    since: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetworkHealth:
    """A network is well while we are logged in and its server answers. `type`: `matrix` or `irc`. `heard`: when it last
    gave a sign of life (seconds since the epoch); None: never. `worker`: the daemon that runs it. `puppets`: how many
    members have a connection of their own there. `ghosts`: how many people have an account of their own there; None if
    nobody may have one, or another daemon runs it."""

    check: Check
    type: str
    worker: str
    heard: float | None = None
    puppets: int = 0
    ghosts: int | None = None


@dataclass(frozen=True, slots=True)
class RoomHealth:
    """A room is well while what is said elsewhere in its `link` can be said there: we have `joined` it and `may_speak`,
    and if it is `encrypted`, it is `readable` for us. `heard` and `said`: when somebody spoke there last, and when we
    did (seconds since the epoch); None: not since the start."""

    room: Room
    link: str
    check: Check
    worker: str
    joined: bool = True
    may_speak: bool = True
    encrypted: bool = False
    readable: bool = True
    heard: float | None = None
    said: float | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """When the last message was `heard` in a room, and when the last was `said` there by us (seconds since the epoch);
    None: none is known."""

    heard: float | None = None
    said: float | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one network: deliveries that are `queued` and `dead`, and since when the oldest of the queued ones
    waits (seconds since the epoch); None: none waits."""

    queued: int = 0
    dead: int = 0
    oldest: float | None = None


class Status(StrEnum):
    """The bridge in one word: all is well; something is not; no network is up."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Health:
    """The bridge at `now` (seconds since the epoch). `worker` is this daemon, which runs since `started`. `free`: bytes
    that are free on the disk of the store. `lag`: how late the event loop was lately, in seconds."""

    now: float
    version: str
    worker: str
    started: float
    networks: Mapping[str, NetworkHealth]
    rooms: tuple[RoomHealth, ...]
    queues: Mapping[str, Queue]
    outbox: Check
    disk: Check
    clock: Check
    loop: Check
    free: int = 0
    lag: float = 0.0

    @property
    def status(self) -> Status:
        """All in one word."""
        if all(check.ok for check, _ in self.checks().values()):
            return Status.OK
        return Status.DEGRADED if any(network.check.ok for network in self.networks.values()) else Status.DOWN

    def checks(self) -> Mapping[str, tuple[Check, str]]:
        """Every check with its worker, by `network:NAME`, `room:NETWORK/ROOM`, `link:NAME`, `outbox`, `disk`, `clock`,
        `loop`."""
        return dict(self._checks())

    def links(self) -> Mapping[str, Check]:
        """Each link: it is well while all its rooms are."""
        found: dict[str, Check] = {}
        for room in self.rooms:
            before = found.get(room.link)
            if before is None or (before.ok and not room.check.ok):
                named = Check(room.check.ok, room.check.since, f"{room.room}: {room.check.reason}")
                found[room.link] = room.check if room.check.ok else named
        return found

    def _checks(self) -> Iterator[tuple[str, tuple[Check, str]]]:
        for name, network in self.networks.items():
            yield f"network:{name}", (network.check, network.worker)
        for room in self.rooms:
            yield f"room:{room.room}", (room.check, room.worker)
        for name, check in self.links().items():
            yield f"link:{name}", (check, self.worker)
        for name, check in (("outbox", self.outbox), ("disk", self.disk), ("clock", self.clock), ("loop", self.loop)):
            yield name, (check, self.worker)

    def as_json(self) -> Mapping[str, object]:
        """What `/readyz` and `status --json` say: `status` and `checks`, each with `ok`, `since` (RFC 3339, UTC),
        `reason` and `worker`."""
        return {
            "status": self.status.value,
            "checks": {
                name: {"ok": check.ok, "since": rfc3339(check.since), "reason": check.reason, "worker": worker}
                for name, (check, worker) in self._checks()
            },
        }


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as `2026-11-28T04:16:30Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
