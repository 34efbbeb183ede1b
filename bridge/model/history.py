"""What was: outages of rooms, and runs of the daemon, as they are kept for the operator. Pure."""

from dataclasses import dataclass

from bridge.model.event import Room


@dataclass(frozen=True, slots=True)
class PastOutage:
    """Nothing could be said in `room` from `began` until `ended` (seconds since the epoch), for that `reason`. `ended`
    is None while it lasts."""

    room: Room
    began: float
    ended: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """The daemon of that `version` ran from `began` until `ended` (seconds since the epoch). `ended` is None while it
    runs, and for ever if it was killed."""

    began: float
    ended: float | None
    version: str
