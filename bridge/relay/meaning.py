"""What people mean who write by hand what other networks have an edit or a reply for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bridge.lib.lru import LruSet
from bridge.model.changes import beginning
from bridge.model.event import Edit, Event, Membership, Room
from bridge.model.outbox import Known
from bridge.relay.outcome import EXCERPT, Outcome
from bridge.relay.shared import Shared
from bridge.relay.talks import Privately
from bridge.rules.corrections import RECENT, RECENT_S, asks_for_earlier, understood
from bridge.rules.gate import Gate
from bridge.rules.speakers import LATELY_S
from bridge.store import Lease, stored

_ROOMS = 10_000


class Meaning:
    """Looks up what was said lately in a room, for the few events whose meaning depends on it."""

    def __init__(self, gate: Gate, shared: Shared) -> None:
        self._gate = gate
        self._shared = shared
        self._privately = Privately(gate, shared.talks)
        self._asked: LruSet[Room] = LruSet(_ROOMS)  # the rooms of which it is known who has spoken there

    async def of(self, event: Event, lease: Lease, before: Sequence[Outcome]) -> tuple[Event, Sequence[Known]]:
        """`event` as it is meant, and what is known of earlier ones that it refers to now. `before`: what follows from
        the events before it in its batch, which the store does not know yet."""
        link = self._gate.links.of(event.room)
        if link is None:
            return await self._privately.meant(event, lease, before) or (event, ())
        if isinstance(event.body, Membership):
            await self._ask_who_has_spoken(event.room, lease)
        may = {"edits": link.rules.edits_from_irc, "replies": link.rules.replies_from_irc}
        by_hand = event.room in link.by_hand and asks_for_earlier(event, **may)
        if not by_hand or not self._gate.carries(event.sender, event.room):  # strangers cost no look into the store
            return event, ()
        again = await stored(lease.known, {event.key, *(key for outcome in before for key in outcome.keys)})
        if event.key in again:  # a history plays it again: it was understood when it was said
            return event, ()
        before = [outcome for outcome in before if outcome.keys.isdisjoint(again)]
        earlier = [*_in_batch(event.room, before)]
        since = self._shared.clock() - RECENT_S
        earlier += _edited(await stored(lease.said_in, event.room, since, RECENT), before)
        meant = understood(event, earlier, self._shared.terms.excerpt, **may)
        return meant, [each for each in earlier if each.source in meant.refers][:1]

    async def _ask_who_has_spoken(self, room: Room, lease: Lease) -> None:
        """After a restart, once for each room."""
        if not self._asked.add(room):
            return
        now = self._shared.clock()
        for each in await stored(lease.said_in, room, now - LATELY_S, RECENT):
            if each.who is not None and each.source.room == room:
                self._gate.speakers.spoke(room, each.who, now)


def _in_batch(room: Room, before: Sequence[Outcome]) -> Iterator[Known]:
    """What was said in `room` earlier in a batch, the newest first."""
    said = (outcome.known(event) for outcome in reversed(before) for event in outcome.said_in(room))
    yield from _edited([*said], before)


def _edited(earlier: Sequence[Known], before: Sequence[Outcome]) -> Sequence[Known]:
    """`earlier` messages as they were edited in the batch."""
    bodies = (changed.body for outcome in before for changed in outcome.changes)
    edits = {body.target: beginning(body.text, EXCERPT) for body in bodies if isinstance(body, Edit)}
    return [replace(each, excerpt=edits[each.source]) if each.source in edits else each for each in earlier]
