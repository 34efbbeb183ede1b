"""What is never stored: that somebody types, and that a message has arrived."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bridge.lib.lru import LruDict
from bridge.model.event import Event, EventKey, Message, Origin, Room
from bridge.network import Receipts, Signals, Typing
from bridge.rules.gate import Gate

_AGAIN_S = 4.0
"""Seconds after which it is shown again that somebody types: IRC forgets it after 6
(https://ircv3.net/specs/client-tags/typing)."""
_LONGEST_S = 30.0
"""Seconds that somebody is shown to type at most, without a new sign of it."""
_TYPISTS = 20
"""People of a room at most of whom it is remembered that they type: beyond that, one more makes no difference."""
_AT_ONCE = 64
"""Signals on their way at most; more are dropped."""


class Momentary:
    """Shows in the other rooms of a link that somebody types, and marks what has arrived as read. `networks`: those
    that run here, by name: not each can show these."""

    def __init__(self) -> None:
        self.networks: dict[str, object] = {}
        self._asked: dict[str, object] = {}
        self._readers: dict[str, Callable[[EventKey], None] | None] = {}
        self._typists: dict[Room, LruDict[str, float]] = {}
        self._shown: set[Room] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def typing(self, signal: Typing, gate: Gate) -> None:
        """Somebody types, or has stopped."""
        link = gate.links.of(signal.room)
        if link is None or not link.rules.typing or not gate.carries(signal.sender, signal.room):
            return
        typists = self._typists.setdefault(signal.room, LruDict(_TYPISTS))
        if not signal.active:
            typists.pop(signal.sender.address)
            return
        typists[signal.sender.address] = _now() + _LONGEST_S
        if signal.room not in self._shown and self._start(self._show(signal.room, gate)):
            self._shown.add(signal.room)

    def said(self, event: Event) -> None:
        """Whoever has said something types no more."""
        if isinstance(event.body, Message) and event.room in self._typists:
            self._typists[event.room].pop(event.sender.address)

    def arrived(self, event: Event) -> None:
        """`event` has arrived in a room."""
        name = event.room.network
        network = self.networks.get(name)
        if network is not None and network is not self._asked.get(name):  # asking takes longer than all the rest
            self._asked[name] = network
            self._readers[name] = network.read if isinstance(network, Receipts) else None
        reader = self._readers.get(name)
        if reader is not None and event.origin is not Origin.OURS and not event.private:
            reader(event.key)

    async def _show(self, room: Room, gate: Gate) -> None:
        """Show that somebody in `room` types, until nobody does."""
        others = gate.links.others(room)
        try:
            while self._is_typed_in(room):
                await self._tell(others, active=True)
                await asyncio.sleep(_AGAIN_S)
        finally:
            self._shown.discard(room)
            self._typists.pop(room, None)
        await self._tell(others, active=False)

    def _is_typed_in(self, room: Room) -> bool:
        return any(until > _now() for until in self._typists.get(room, LruDict[str, float](1)).values())

    async def _tell(self, rooms: tuple[Room, ...], *, active: bool) -> None:
        for room in rooms:
            network = self.networks.get(room.network)
            if isinstance(network, Signals):
                await network.typing(room, active)

    def _start(self, work: Coroutine[Any, Any, None]) -> bool:
        if len(self._tasks) >= _AT_ONCE:
            work.close()
            return False
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
