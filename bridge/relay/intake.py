"""Intake: stores what follows from each batch of a network in one commit, and only then asks for the next."""

import asyncio
import shlex
from collections.abc import AsyncGenerator, Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace

import structlog

from bridge.lib.lru import LruSet
from bridge.model.accounting import Cause, Count, Tally
from bridge.model.event import BOTS, Edit, Event, EventKey, Membership, Message, Moderation, Reach, Room
from bridge.model.outbox import Addressed, Delivery, Known, Owed, said_at
from bridge.model.people import Sender
from bridge.network import Batch, Gap, Moved, Network, News, Unread
from bridge.relay import outages
from bridge.relay.delivery import Dispatch, Reservation
from bridge.relay.gaps import GAPS
from bridge.relay.meaning import Meaning
from bridge.relay.notices import REMEMBERED
from bridge.relay.outcome import Outcome
from bridge.relay.shared import Shared
from bridge.rules.case import Aside, Told, Verdict
from bridge.rules.gate import Gate, asked_about
from bridge.rules.policy import is_removal
from bridge.store import Commit, Full, Lease, Rewound, Unavailable, stored
from bridge.users import UsersError

log = structlog.get_logger()

_REWOUND = "the store is older than the connection (was it restored?); the bridge fetches again what the store lacks"
_PULSE_S = 10.0  # seconds between renewals of a lease while nothing is heard
_GOES_FIRST_S = 0.005  # seconds for what was just queued to go out, before asking for more takes the event loop


class Relay:
    """Carries events between networks. Each network has one task that accepts and one that delivers; they meet only in
    the store.

    `whisper` tells the desk what must not be stored; it returns False if too many wait for the desk already.
    """

    def __init__(self, gate: Gate, shared: Shared, whisper: Callable[[Event], bool] = lambda _: False) -> None:
        self._gate = gate
        self._shared = shared
        self._whisper = whisper
        self._meaning = Meaning(gate, shared)
        self._refused: LruSet[Hashable] = LruSet(REMEMBERED)
        self._dispatches: dict[str, Dispatch] = {}

    async def accept(self, network: Network, lease: Lease) -> None:
        """Commit what `network` hears, until it is left. Asking for the next batch acknowledges the last."""
        task, heartbeats = f"hear {network.name}", self._shared.heartbeats
        try:
            await self._accept(network, lease, lambda: heartbeats.beat(task))
        finally:
            heartbeats.forget(task)

    async def _accept(self, network: Network, lease: Lease, beat: Callable[[], None]) -> None:
        while True:
            beat()
            cursor = await stored(lease.cursor)
            try:
                async with aclosing(network.events(cursor)) as heard, aclosing(_with_pulse(heard)) as batches:
                    async for batch in batches:
                        beat()
                        if batch is None:
                            await stored(lease.renew, cursor)
                            continue
                        gone = await self._accept_batch(lease, cursor, batch)
                        cursor = batch.cursor
                        await asyncio.sleep(0 if gone else _GOES_FIRST_S)
                return
            except Rewound:
                log.warning("store_rewound", network=network.name, hint=_REWOUND)

    async def deliver(self, network: Network, lease: Lease, stopping: asyncio.Event) -> None:
        """Send what is owed to each room of `network`, in order, until `stopping`; then finish what is under way."""
        self._shared.momentary.networks[network.name] = network
        dispatch = Dispatch(network, lease, self._shared, stopping, lambda: self._gate.links)
        self._dispatches[network.name] = dispatch
        self._shared.previews.add_network(network.name, network)
        try:
            await dispatch.run()
        finally:
            self._shared.previews.remove_network(network.name, network)

    async def _accept_batch(self, lease: Lease, expect: str | None, batch: Batch) -> bool:
        """Store what follows from `batch`. Returns whether all of it is on its way already."""
        for signal in batch.signals:
            self._shared.momentary.typing(signal, self._gate)
        if batch.cursor == expect and batch.is_momentary:
            return True
        targets = {target for event in batch.events if (target := asked_about(event)) is not None}
        known = dict(await stored(lease.known, targets)) if targets else {}
        outcomes: list[Outcome] = []
        for heard in batch.events:
            event, meant = await self._meaning.of(heard, lease, outcomes)
            known.update((each.source, each) for each in meant)
            outcomes.append(outcome := self._outcome(event, known))
            if event.key in targets and event.key not in known:  # what is about it comes in the same batch
                known[event.key] = outcome.known(event)
        outcomes += [*map(self._of_gap, batch.gaps), *map(self._of_move, batch.moves)]
        outcomes += map(self._of_unread, batch.unread)
        outcomes += (self._of_news(lease.network, news) for news in batch.news)
        self._shared.previews.begin_fetching(
            (each for outcome in outcomes for each in outcome.owed), self._shared.terms
        )
        await self._audit(outcomes)
        gone = await self._store(lease, _commit(expect, batch, outcomes))
        for gap in batch.gaps:
            _log_gap(gap)
        return gone

    def _outcome(self, event: Event, known: Mapping[EventKey, Known]) -> Outcome:
        """Decide on `event`, log the decision, and whisper to the desk what may not be stored."""
        self._shared.momentary.said(event)
        verdict = self._gate.decide(event, known)
        refusal, case = verdict.refusal, verdict.case
        if case.link is not None and isinstance(event.body, Message):
            self._shared.lines.note_heard(event.room)
        if self._shared.tail.is_watched:
            self._shared.tail.heard(verdict, self._shared.clock())
        coming = isinstance(event.body, Membership)  # thousands of strangers come and go: that is no message refused
        if not coming:
            self._log(verdict)
        self._shared.counters.received[event.room.network, event.body.type] += 1
        if refusal is not None and not coming:
            self._shared.counters.refused[case.link.name if case.link is not None else "", refusal.cause] += 1
        counts = (Count(event.room, Tally.REFUSED, refusal.reason),) if refusal and case.link and not coming else ()
        changes = (case.event,) if event.target is not None and (refusal is None or is_removal(case)) else ()
        for change in changes:
            self._shared.on_change(change)
        carried = (Addressed(case.event, room, gather=self._gather(case.event, room)) for room in verdict.audience)
        audit = _done_for(case.event) if refusal is None else ()
        return Outcome((*carried, *self._notices(verdict)), counts, changes, audit=audit)

    async def _audit(self, outcomes: Iterable[Outcome]) -> None:
        """Keep in the audit log what is done in somebody's name, before it is done."""
        for outcome in outcomes:
            for by, what, details in outcome.audit:
                try:
                    await asyncio.to_thread(self._shared.record, by, what, details)
                except UsersError as error:
                    log.warning("not_audited", by=by, what=what, details=details, reason=str(error))

    def _gather(self, event: Event, room: Room) -> float:
        """How many seconds `event` may wait for more of its type: a network that does not run here waits for none."""
        dispatch = None if isinstance(event.body, Message) else self._dispatches.get(room.network)
        return dispatch.gather(event) if dispatch is not None else 0.0

    def _notices(self, verdict: Verdict) -> Iterator[Addressed]:
        """The notices to the sender."""
        case, refusal, notices = verdict.case, verdict.refusal, self._shared.notices
        told: list[Addressed | None] = []
        if verdict.aside is Aside.WHISPER and not self._whisper(case.event):
            told.append(notices.busy(case.event))
        if verdict.aside is Aside.SPENT:
            told.append(notices.spent(case.event))
        if refusal is not None and (case.link is not None or refusal.told in (Told.REASON, Told.EACH)):
            told.append(notices.refusal(case.event, case.link, refusal, self._gate.next_step))
        elif refusal is None and case.link is not None and case.is_member and isinstance(case.event.body, Message):
            told.append(notices.welcome(case.event, case.link))
        if case.user is not None and self._shared.requests is not None:
            told.append(self._shared.requests.to_speaker(case.event, case.user))
        yield from filter(None, told)

    def _of_gap(self, gap: Gap) -> Outcome:
        """Count a gap; a long one is told to the other rooms."""
        count = Count(gap.room, Tally.UNKNOWN, "the network keeps no history of that time")
        shared, others = self._shared, self._gate.links.others(gap.room)
        if gap.until - gap.since < shared.terms.tell_after or not others:
            return Outcome(counts=(count,))
        due = shared.gaps.heard(gap, shared.clock(), shared.terms.tell_gaps)
        told = tuple(outages.unknown(gap.room, due, other) for other in others) if due else ()
        return Outcome(told, (count,), memory={GAPS + gap.room.id: shared.gaps.kept(gap.room)})

    def _of_move(self, move: Moved) -> Outcome:
        """Tell all rooms of the link."""
        links, now = self._gate.links, self._shared.clock()
        rooms = (move.room, *links.others(move.room)) if links.of(move.room) else ()
        return Outcome(tuple(outages.moved(move, room, now) for room in rooms))

    def _of_unread(self, unread: Unread) -> Outcome:
        """Count it, and tell the people there."""
        link = self._gate.links.of(unread.room)
        if not unread.private and link is None:
            return Outcome()
        self._shared.counters.refused[link.name if link is not None else "", Cause.UNREADABLE] += 1
        told = self._shared.notices.unread(unread)
        counts = () if unread.private else (Count(unread.room, Tally.REFUSED, unread.reason),)
        return Outcome((told,) if told is not None else (), counts)

    def _of_news(self, network: str, news: News) -> Outcome:
        """Tell the bridge's admins, or the user whom it concerns."""
        if news.user is None:
            log.warning("news", network=network, text=news.text)
        admins = self._shared.admins
        return Outcome(tuple(admins.tell(network, news)) if admins is not None else ())

    async def _store(self, lease: Lease, commit: Commit) -> bool:
        """Commit, and at once begin to send to rooms with nothing else to do: the most common message saves a
        transaction and a look into the store. Returns whether all of it is on its way. A room is not kept waiting while
        the store cannot commit."""
        reserved = [*self._reserve(commit)]
        planned = frozenset[Room]()
        try:
            posts = [post for reservation in reserved for post in reservation.posts]
            _, planned, erased = await lease.commit(replace(commit, posts=posts))
        except (Full, Unavailable):
            for reservation in reserved:
                reservation.give_back()
            reserved = []
            erased = (await stored(lease.commit, commit)).erased
        finally:
            for reservation in reserved:
                if reservation.room in planned:
                    reservation.begin()
                else:
                    reservation.give_back()
        for delivery in erased:
            self._shared.removed.add(delivery)
        self._shared.previews.cancel_deliveries(erased)
        return planned >= {delivery.room for delivery in commit.deliveries}

    def _reserve(self, commit: Commit) -> Iterator[Reservation]:
        """Reserve the rooms that have nothing else to do for what `commit` owes them. A message that is edited in the
        same commit comes from the store instead, which puts the two together."""
        events = {event.key: event for event in commit.events}
        edited = {event.target for event in events.values() if isinstance(event.body, Edit)}
        amended = {delivery.room for delivery in commit.deliveries if delivery.event in edited}
        now = self._shared.clock()
        rooms: dict[Room, dict[str, Owed]] = {}
        for delivery in commit.deliveries:
            if delivery.gather or delivery.room in amended:
                continue
            owed = _owed(delivery, events[delivery.event], now)
            rooms.setdefault(delivery.room, {}).setdefault(delivery.id, owed)
        for room, all_owed in rooms.items():
            dispatch = self._dispatches.get(room.network)
            if dispatch is not None and (reservation := dispatch.reserve(room, tuple(all_owed.values()))) is not None:
                yield reservation

    def _log(self, verdict: Verdict) -> None:
        case, refusal = verdict.case, verdict.refusal
        event = case.event
        if _is_unheard(verdict):
            log.warning(
                "answer_unheard",
                ear=event.room.id,
                hint="the bot's answer is dropped: the room of the question is in no link any more",
            )
        elif refusal is None:
            log.debug("accepted", id=event.id, room=str(event.room), rooms=len(verdict.audience))
        elif case.link is not None:
            details = {"id": event.id, "room": str(event.room), "sender": event.sender.address}
            if case.user is None and self._refused.add((event.room.network, event.sender.address)):
                details["hint"] = _let_in(event.sender)
            log.info("refused", reason=refusal.reason, **details)


def _done_for(event: Event) -> tuple[tuple[str, str, str], ...]:
    """A line of the audit log, if somebody is kicked or banned in all rooms of a link."""
    body = event.body
    if not isinstance(body, Moderation) or not body.mirrored:
        return ()
    whom = body.person.user or str(next(iter(body.person.proofs), body.person.address))
    return ((f"{event.sender.network}/{event.sender.address}", f"mirror-{body.act}", f"{whom} {event.room}"),)


def _is_unheard(verdict: Verdict) -> bool:
    """Whether nobody hears a bot's answer. Part of one that grows is for some of the rooms only."""
    event = verdict.case.event
    is_whole = isinstance(event.body, Message) and event.body.reach is not Reach.FIXED
    return event.room.network == BOTS and is_whole and not verdict.audience


def _commit(expect: str | None, batch: Batch, outcomes: Iterable[Outcome]) -> Commit:
    """All that follows from a batch, as one value."""
    outcomes = tuple(outcomes)
    owed = [each for outcome in outcomes for each in outcome.owed]
    events = [event for outcome in outcomes for event in outcome.changes] + [each.event for each in owed]
    return Commit(
        expect,
        batch.cursor,
        events=tuple({event.key: event for event in events}.values()),
        deliveries=tuple(each.delivery for each in owed),
        counts=(*batch.counts, *(count for outcome in outcomes for count in outcome.counts)),
        changes={**batch.changes, **{key: kept for outcome in outcomes for key, kept in outcome.memory.items()}},
    )


def _owed(delivery: Delivery, event: Event, now: float) -> Owed:
    """A delivery as it will be once it is stored."""
    said = said_at(event, now)
    return Owed(delivery.id, delivery.room, event, said=said, age=max(0.0, now - said))


def _log_gap(gap: Gap) -> None:
    log.warning(
        "messages_missed",
        room=str(gap.room),
        since=round(gap.since, 3),
        seconds=round(gap.until - gap.since, 1),
        hint="messages sent there in this time are not carried: the network keeps no history of it",
    )


def _let_in(sender: Sender) -> str:
    """The command that would make a member of `sender`, for the operator to paste."""
    if not sender.proofs:
        return (
            "the network does not prove who this is: to become a member, they first log in to its services (NickServ)"
        )
    proof = sender.proofs[0]
    return f"quackbridge add-user NAME --{proof.kind} {shlex.quote(str(proof))}"


async def _with_pulse(batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch | None, None]:
    """The batches, and None after each `_PULSE_S` without one."""
    coming: asyncio.Future[Batch] = asyncio.ensure_future(anext(batches))
    try:
        while True:
            await asyncio.wait({coming}, timeout=_PULSE_S)
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
