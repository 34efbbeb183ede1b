"""Counts requests and bytes in memory, until they are written to the store. Pure."""

from collections.abc import Mapping

from bridge.model.accounting import Traffic, TrafficKind


class Counts:
    """Traffic by its kind: `total` since the start, and what is not written yet."""

    def __init__(self) -> None:
        self.total: dict[TrafficKind, Traffic] = {kind: Traffic() for kind in TrafficKind}
        self._unwritten: dict[TrafficKind, Traffic] = {}

    def add(self, kind: TrafficKind, size: int = 0) -> None:
        """Count one more, of `size` bytes."""
        one = Traffic(1, size)
        self.total[kind] = _sum(self.total[kind], one)
        self._unwritten[kind] = _sum(self._unwritten.get(kind, Traffic()), one)

    def set_total(self, kind: TrafficKind, total: Traffic) -> None:
        """Replace the total of a kind that is counted, and written, elsewhere."""
        self.total[kind] = total

    def drain(self) -> Mapping[TrafficKind, Traffic]:
        """What was counted since the last time, to be written; empty: nothing."""
        taken, self._unwritten = self._unwritten, {}
        return taken

    def restore(self, taken: Mapping[TrafficKind, Traffic]) -> None:
        """Count again what could not be written, for the next time."""
        for kind, traffic in taken.items():
            self._unwritten[kind] = _sum(self._unwritten.get(kind, Traffic()), traffic)


def _sum(one: Traffic, other: Traffic) -> Traffic:
    return Traffic(one.number + other.number, one.bytes + other.bytes)
