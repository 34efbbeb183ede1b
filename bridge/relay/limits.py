"""The operator's limits: how many messages wait, for how long, and what people are told."""

from dataclasses import dataclass
from enum import StrEnum


class TellDead(StrEnum):
    """How a person on Matrix learns that a message of theirs can never be delivered."""

    NOTICE = "notice"
    REACTION = "reaction"
    NOTHING = "nothing"


class TellGaps(StrEnum):
    """When people are told of a gap: the first of a day at once and the others together a day later, each, or never."""

    DAILY = "daily"
    EACH = "each"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Terms:
    """At most `per_room` messages, of `per_room_bytes` in all, wait for a room; none older than `max_age` seconds is
    carried. The other rooms of a link are told of an outage that has lasted `tell_after` seconds. `excerpt`: characters
    kept of each message. `uploads_per_day`: bytes that are fetched from the web, and
    uploaded, in a day of UTC at most; `largest_upload`: bytes of
    one file."""

    per_room: int = 10_000
    excerpt: int = 300
    per_room_bytes: int = 10_000_000
    max_age: float = 86_400.0
    tell_after: float = 60.0
    tell_dead: TellDead = TellDead.NOTICE
    tell_gaps: TellGaps = TellGaps.DAILY
    uploads_per_day: int = 1_000_000_000
    largest_upload: int = 20_000_000
