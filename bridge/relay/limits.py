"""How patiently messages are carried: what the operator chose."""

from dataclasses import dataclass

from bridge.model.event import Kind


@dataclass(frozen=True, slots=True)
class Terms:
    """At most `per_room` messages wait for a room, and none that is older than `max_age` seconds is carried.

    A room that has been away for `tell_after` seconds is told of in the others. Whoever said what is dead learns of it
    by a message of the kind `tell_dead`, a notice or a reaction; None: by nothing.
    """

    per_room: int = 10_000
    max_age: float = 86_400.0
    tell_after: float = 60.0
    tell_dead: Kind | None = Kind.NOTICE
