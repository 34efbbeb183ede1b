"""Counts what goes over the line: in memory, and now and then written where it is kept."""

from collections.abc import Mapping

from bridge.model.accounting import Traffic, Use


class Counts:
    """How often the line was used, and with how many bytes: `total` since the start, and what is not written yet."""

    def __init__(self) -> None:
        self.total: dict[Use, Traffic] = {use: Traffic() for use in Use}
        self._fresh: dict[Use, Traffic] = {}

    def add(self, use: Use, size: int = 0) -> None:
        """Count one more, of `size` bytes."""
        one = Traffic(1, size)
        self.total[use] = _sum(self.total[use], one)
        self._fresh[use] = _sum(self._fresh.get(use, Traffic()), one)

    def learn(self, use: Use, total: Traffic) -> None:
        """Others have counted and written it."""
        self.total[use] = total

    def take(self) -> Mapping[Use, Traffic]:
        """What was counted since the last time, to be written; empty: nothing."""
        taken, self._fresh = self._fresh, {}
        return taken

    def give_back(self, taken: Mapping[Use, Traffic]) -> None:
        """Count again what could not be written, for the next time."""
        for use, traffic in taken.items():
            self._fresh[use] = _sum(self._fresh.get(use, Traffic()), traffic)


def _sum(one: Traffic, other: Traffic) -> Traffic:
    return Traffic(one.number + other.number, one.bytes + other.bytes)
