"""What workers tell each other of the networks that they run, through the store that they share. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from bridge.model.health import Health, RoomHealth


@dataclass(frozen=True, slots=True)
class RoomReport:
    """See `RoomHealth`."""

    reason: str = ""
    joined: bool = True
    may_speak: bool = True
    encrypted: bool = False
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A network that another worker runs: why it is not well ('': it is), and its rooms by their ids."""

    worker: str
    reason: str = ""
    rooms: Mapping[str, RoomReport] = field(default_factory=dict)


_REPORT: TypeAdapter[Elsewhere] = TypeAdapter(Elsewhere)


def told(health: Health, network: str) -> str:
    """The report of `network`, as JSON."""
    its = health.networks[network]
    rooms = {each.room.id: _room(each) for each in health.rooms if each.room.network == network}
    return _REPORT.dump_json(Elsewhere(its.worker, its.check.reason, rooms)).decode()


def heard(worker: str, report: str) -> Elsewhere:
    """What `worker` has told; nothing bad is known of a network of which nothing was told yet, or in words of another
    version."""
    try:
        return _REPORT.validate_json(report)
    except ValidationError:
        return Elsewhere(worker)


def _room(room: RoomHealth) -> RoomReport:
    return RoomReport(room.check.reason, room.joined, room.may_speak, room.encrypted, room.readable)
