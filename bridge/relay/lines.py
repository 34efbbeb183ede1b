"""Notes when the last line was, each way, in each room of a link: for the health of the bridge."""

from collections.abc import Callable, Mapping

from bridge.model.event import Room
from bridge.model.health import Lines

_NONE = Lines()


class LastLines:
    """One entry per room of a link. `clock`: seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard: dict[Room, float] = {}
        self._said: dict[Room, float] = {}
        self._before: Mapping[Room, Lines] = {}

    def recall(self, lines: Mapping[Room, Lines]) -> None:
        """What the store knows of an earlier run."""
        self._before = lines

    def note_heard(self, room: Room) -> None:
        self._heard[room] = self._clock()

    def note_said(self, room: Room) -> None:
        self._said[room] = self._clock()

    def of(self, room: Room) -> Lines:
        """When the last line was heard and said in `room`."""
        before = self._before.get(room, _NONE)
        return Lines(self._heard.get(room, before.heard), self._said.get(room, before.said))

    def keep(self, rooms: frozenset[Room]) -> None:
        """Forget all rooms but these, which are in links."""
        self._heard = {room: time for room, time in self._heard.items() if room in rooms}
        self._said = {room: time for room, time in self._said.items() if room in rooms}
