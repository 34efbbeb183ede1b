"""Gaps: times in which a room was not heard, told to the other rooms of its link, bundled by the day. Pure."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace

from bridge.model.event import Room
from bridge.network import Gap
from bridge.relay.limits import TellGaps

GAPS = "gaps "
"""Before a room's id: the key in a network's memory that keeps its bundle."""
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """`number` gaps of a room that people are not told of yet: the first began at `since`, the last ended at `until`,
    and they lasted for `seconds` in all. They were told of others at `told`. Times are seconds since the epoch."""

    told: float = 0.0
    number: int = 0
    since: float = 0.0
    until: float = 0.0
    seconds: float = 0.0

    def with_gap(self, gap: Gap) -> "Bundle":
        return replace(
            self,
            number=self.number + 1,
            since=self.since if self.number else gap.since,
            until=gap.until,
            seconds=self.seconds + gap.until - gap.since,
        )


class Gaps:
    """The bundles of all rooms."""

    def __init__(self) -> None:
        self._bundles: dict[Room, Bundle] = {}

    def resume(self, room: Room, kept: str) -> None:
        """Go on with what an earlier run has kept (see `kept`)."""
        self._bundles[room] = Bundle(*json.loads(kept))

    def kept(self, room: Room) -> str:
        """What is to be kept of `room`, as JSON."""
        each = self._bundles[room]
        return json.dumps([each.told, each.number, each.since, each.until, each.seconds])

    def heard(self, gap: Gap, now: float, tell: TellGaps) -> Bundle | None:
        """A gap is known of: what people are to be told now, if anything."""
        self._bundles[gap.room] = self._bundles.get(gap.room, Bundle()).with_gap(gap)
        return self._due(gap.room, now, tell)

    def due(self, networks: Collection[str], now: float, tell: TellGaps) -> list[tuple[Room, Bundle]]:
        """What people are to be told of rooms in these networks because a day has passed."""
        found = ((room, self._due(room, now, tell)) for room in self._bundles if room.network in networks)
        return [(room, bundle) for room, bundle in found if bundle is not None]

    def _due(self, room: Room, now: float, tell: TellGaps) -> Bundle | None:
        bundle = self._bundles[room]
        lately = tell is TellGaps.DAILY and 0 <= now - bundle.told < _DAY_S
        if not bundle.number or lately:
            return None
        self._bundles[room] = Bundle(told=now)
        return None if tell is TellGaps.NEVER else bundle
