"""The bridge on one screen: what is said becomes what is owed, in one commit."""

import asyncio
import random
import shlex
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

import structlog

from bridge.model.accounting import Count, Tally
from bridge.model.event import BOTS, Event, EventKey, Room
from bridge.model.outbox import Backlog, Delivery, Owed, Post
from bridge.model.people import Sender
from bridge.network import Batch, Network
from bridge.relay import outages
from bridge.relay.delivery import Dispatch
from bridge.relay.limits import Terms
from bridge.relay.notices import Notices, Once
from bridge.relay.outages import Outages
from bridge.rules.gate import Gate, Verdict
from bridge.rules.policy import Told
from bridge.store import Committed, Full, Lease, Rewound, Unavailable, stored

log = structlog.get_logger()

_PULSE = 10.0  # seconds between renewals of a lease while nothing is heard
_GOES_FIRST = 0.005  # seconds in which what was just queued is on its way, before asking for more takes the loop


class Relay:
    """Carries events between networks, each of which has one task that accepts and one that delivers; they meet only
    in the store.

    `whisper` takes what the desk must hear and the store must not; False where the desk has no time. `outages` says
    which rooms are waited for; `terms` may be others from one message to the next.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        whisper: Callable[[Event], bool] = lambda _: False,
        outages: Outages | None = None,
        terms: Terms | None = None,
    ) -> None:
        self._gate = gate
        self._clock = clock
        self._rng = rng
        self._whisper = whisper
        self._notices = Notices(clock)
        self._refused = Once()
        self._outages = outages or Outages()
        self.terms = terms or Terms()
        self._dispatches: dict[str, Dispatch] = {}

    async def accept(self, network: Network, lease: Lease) -> None:
        """Commit what `network` hears, until it is left; asking it for more is what acknowledges."""
        while True:
            cursor = await stored(lease.cursor)
            try:
                async with aclosing(network.events(cursor)) as heard, aclosing(_with_pulse(heard)) as batches:
                    async for batch in batches:
                        if batch is None:
                            await stored(lease.renew, cursor)
                            continue
                        gone = await self._commit(lease, cursor, batch)
                        cursor = batch.cursor
                        await asyncio.sleep(0 if gone else _GOES_FIRST)
                return
            except Rewound:
                log.warning("store rewound", network=network.name, hint="hearing again what it does not know")

    async def deliver(self, network: Network, lease: Lease, stopping: asyncio.Event) -> None:
        """Send what is owed to each room of `network`, in order, until `stopping`; then finish what is under way."""
        dispatch = self._dispatches[network.name] = Dispatch(
            network,
            lease,
            clock=self._clock,
            rng=self._rng,
            outages=self._outages,
            notices=self._notices,
            terms=lambda: self.terms,
        )
        await dispatch.run(stopping)

    async def _commit(self, lease: Lease, expect: str | None, batch: Batch) -> bool:
        """Store what follows from `batch`; whether all of it is on its way already."""
        counts = [Count(gap.room, Tally.UNKNOWN, "the network does not remember") for gap in batch.gaps]
        carried = [pair for event in batch.events for pair in self._consequences(event, counts)]
        for gap in batch.gaps:
            if gap.until - gap.since >= self.terms.tell_after:
                carried += [(outages.unknown(gap, other), other) for other in self._gate.links.others(gap.room)]
        events = {event.key: event for event, _ in carried}
        deliveries = tuple(Delivery.of(event.key, room) for event, room in carried)
        commit = partial(lease.commit, expect, tuple(events.values()), deliveries, batch.cursor, counts)
        planned = await _at_once(commit, [*self._offers(events, deliveries)])
        if planned is None:
            await stored(commit)
        for gap in batch.gaps:
            seconds, hint = round(gap.until - gap.since, 1), "what was said there meanwhile is not known"
            log.warning("unknown", room=str(gap.room), since=round(gap.since, 3), seconds=seconds, hint=hint)
        return planned is not None and planned >= {delivery.room for delivery in deliveries}

    def _offers(
        self, events: Mapping[EventKey, Event], deliveries: Iterable[Delivery]
    ) -> Iterator[tuple[Dispatch, Backlog]]:
        now = self._clock()
        rooms: dict[Room, dict[str, Owed]] = {}
        for delivery in deliveries:
            owed = Owed.of(delivery.id, delivery.room, events[delivery.event], (), queued=now, now=now)
            rooms.setdefault(delivery.room, {}).setdefault(delivery.id, owed)
        for room, all_owed in rooms.items():
            dispatch, owed_here = self._dispatches.get(room.network), tuple(all_owed.values())
            if dispatch is not None and (posts := dispatch.offer(room, owed_here)):
                yield dispatch, Backlog(room, tuple(posts), owed_here, attempts=0)

    def _consequences(self, event: Event, counts: list[Count]) -> Iterator[tuple[Event, Room]]:
        """What is owed to whom because `event` was heard; a refusal is added to `counts`."""
        verdict = self._gate.decide(event)
        if verdict.refusal is not None and verdict.link is not None:
            counts.append(Count(event.room, Tally.REFUSED, verdict.refusal.reason))
        yield from ((verdict.event, room) for room in verdict.audience)
        if event.room.network == BOTS and not verdict.audience:
            log.warning("answer unheard", ear=event.room.id, hint="the room of the question is in no link any more")
        elif verdict.refusal is None:
            log.debug("accepted", id=event.id, room=str(event.room), rooms=len(verdict.audience))
        elif verdict.link is not None:
            self._log_refusal(verdict)
        yield from filter(None, self._told(verdict))

    def _told(self, verdict: Verdict) -> Iterator[tuple[Event, Room] | None]:
        """What the sender is told."""
        event, link = verdict.event, verdict.link
        if verdict.whispered and not self._whisper(event):
            yield self._notices.busy(event)
        if verdict.spent:
            yield self._notices.spent(event)
        if verdict.refusal is not None and (link is not None or verdict.refusal.told is Told.REASON):
            yield self._notices.refusal(event, link, verdict.refusal)
        elif verdict.refusal is None and link is not None and verdict.member:
            yield self._notices.welcome(event, link)

    def _log_refusal(self, verdict: Verdict) -> None:
        event, refusal = verdict.event, verdict.refusal
        assert refusal is not None
        details = {"id": event.id, "room": str(event.room), "sender": event.sender.address, "reason": refusal.reason}
        if verdict.user is None and self._refused.first((event.room.network, event.sender.address)):
            details["hint"] = _let_in(event.sender)
        log.info("refused", **details)


def _let_in(sender: Sender) -> str:
    """The command that would make a member of `sender`, for the operator to paste."""
    if not sender.proofs:
        return "the network proves nothing of them: to become a member they have to log in to its services first"
    proof = sender.proofs[0]
    return f"quackbridge add-user NAME --{proof.kind} {shlex.quote(str(proof))}"


async def _at_once(
    commit: Callable[[Sequence[Post]], Awaitable[Committed]], offers: Sequence[tuple[Dispatch, Backlog]]
) -> frozenset[Room] | None:
    """Commit, and begin to send what is all that a room has to do: so the most common message by far costs one
    transaction less, and no look into the store. Which rooms these are; None where the store cannot right now, for
    which no room waits."""
    planned = frozenset[Room]()
    try:
        _, planned = await commit([post for _, backlog in offers for post in backlog.posts])
    except (Full, Unavailable):
        return None
    finally:
        for dispatch, backlog in offers:
            if backlog.room in planned:
                dispatch.begin(backlog)
            else:
                dispatch.withdraw(backlog.room)
    return planned


async def _with_pulse(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch | None, None]:
    """The batches, and None whenever none has come for a while."""
    coming: asyncio.Future[Batch] = asyncio.ensure_future(anext(batches))
    try:
        while True:
            await asyncio.wait({coming}, timeout=_PULSE)
            if not coming.done():
                yield None
                continue
            try:
                batch = coming.result()
            except StopAsyncIteration:
                return
            yield batch
            coming = asyncio.ensure_future(anext(batches))
    finally:
        coming.cancel()
        await asyncio.wait({coming})
