"""The bridge on one screen: accept what is said, and deliver what is owed."""

import asyncio
import random
import shlex
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing

import structlog

from bridge import outages
from bridge.books import TOO_OLD, Count, Tally
from bridge.gate import Gate, Verdict
from bridge.model import BOTS, Backlog, Delivery, Event, Post, Room, Sender
from bridge.network import Batch, InDoubt, Network, PermanentError, SendError, Silenced, TransientError
from bridge.notices import Notices, Once
from bridge.outages import Outages
from bridge.policy import Told
from bridge.store import Lease, Rewound, stored
from bridge.terms import Terms

log = structlog.get_logger()

_PULSE = 10.0  # seconds between renewals of a lease while nothing is heard
_LOOK = 1.0  # seconds between looks for what has become due without a sign
_GOES_FIRST = 0.005  # seconds in which what was just queued is on its way, before asking for more takes the loop
_ROOMS = 32  # rooms of one network that are delivered to side by side
_EACH = 20  # deliveries of a room that are rendered together: a backlog may be put together, a plan stays small
_LONGEST_PAUSE = 300.0  # seconds before a failing room is tried again


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
        self._met: set[Room] = set()  # where nothing is left of what an earlier run may have sent
        self._resend: set[str] = set()  # posts of unknown fate that go out again

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
                        await self._commit(lease, cursor, batch)
                        cursor = batch.cursor
                        await asyncio.sleep(_GOES_FIRST)
                return
            except Rewound:
                log.warning("store rewound", network=network.name, hint="hearing again what it does not know")

    async def deliver(self, network: Network, lease: Lease, stopping: asyncio.Event) -> None:
        """Send what is owed to each room of `network`, in order, until `stopping`; then finish what is under way."""
        busy: dict[Room, bool] = {}  # the rooms at work, and whether more has come for them meanwhile

        async def look() -> None:
            for backlog in await stored(lease.due, self._clock(), rooms=_ROOMS + len(busy), each=_EACH):
                if backlog.room in busy:
                    busy[backlog.room] = True
                elif len(busy) < _ROOMS and not stopping.is_set():
                    busy[backlog.room] = False
                    group.create_task(clear(backlog), name=f"deliver {backlog.room}")

        async def clear(backlog: Backlog) -> None:
            more = await self._clear(network, lease, backlog, stopping)
            if busy.pop(backlog.room) or more or len(busy) == _ROOMS - 1:
                await look()

        async def keep_looking() -> None:
            while True:
                await look()
                await stored(lease.wait, self._clock() + _LOOK)

        async with asyncio.TaskGroup() as group:
            looking = group.create_task(keep_looking(), name=f"look {network.name}")
            await stopping.wait()
            looking.cancel()

    async def _clear(self, network: Network, lease: Lease, backlog: Backlog, stopping: asyncio.Event) -> bool:
        """Send one backlog and store its fate; whether there may be more behind it."""
        room = backlog.room
        if self._outages.holds(room):
            return False
        try:
            posts: Sequence[Post] = backlog.posts
            if not posts:
                self._met.add(room)
                if old := [item.delivery for item in backlog.owed if item.age > self.terms.max_age]:
                    await stored(lease.give_up, old, TOO_OLD)
                    log.error("given up", room=str(room), messages=len(old), hint="it is older than outbox.max_age")
                    return True
                posts = await stored(lease.plan, room, network.render(backlog.owed))
        except PermanentError as error:
            await self._bury(lease, room, (backlog.owed[0].delivery,), error)
            return True
        failed = await self._send(network, lease, posts, stopping)
        if failed is not None:
            return await self._failed(lease, backlog, *failed)
        if stopping.is_set() or not lease.valid():
            return False
        self._met.add(room)
        carried = {delivery for post in posts for delivery in post.deliveries}
        return len(backlog.owed) == _EACH or carried != {item.delivery for item in backlog.owed}

    async def _failed(self, lease: Lease, backlog: Backlog, post: Post, error: SendError) -> bool:
        """What becomes of a post that did not go out; whether its room goes on at once."""
        if isinstance(error, Silenced):
            self._outages.silenced(post.room, str(error))
        if isinstance(error, TransientError):
            await self._postpone(lease, backlog, error)
            return False
        if isinstance(error, InDoubt) and error.resend:
            hint = "it may be there twice"
            log.warning("sent again", room=str(post.room), post=post.id, reason=str(error), hint=hint)
            self._resend.add(post.id)
            await stored(lease.count, [Count(post.room, Tally.RESENT, str(error))])
        else:
            await self._bury(lease, post.room, post.deliveries, error)
        return True

    async def _send(
        self, network: Network, lease: Lease, posts: Sequence[Post], stopping: asyncio.Event
    ) -> tuple[Post, SendError] | None:
        """Send `posts` in order, as many at once as the network takes, and store the fate of each that went out. The
        first that did not, with the reason; no more are begun then."""
        failed: tuple[Post, SendError] | None = None
        left = deque(posts)
        flying: deque[tuple[Post, asyncio.Task[str | SendError]]] = deque()
        async with asyncio.TaskGroup() as group:
            while True:
                while left and len(flying) < network.window and failed is None:
                    if stopping.is_set() or not lease.valid():
                        left.clear()
                        break
                    post = left.popleft()
                    again = post.room not in self._met and post.id not in self._resend
                    flying.append((post, group.create_task(_attempt(network, post, again=again))))
                if not flying:
                    return failed
                post, flight = flying.popleft()
                outcome = await flight
                if isinstance(outcome, SendError):
                    failed = failed or (post, outcome)
                    continue
                await stored(lease.sent, post, outcome)
                self._resend.discard(post.id)
                self._outages.spoke(post.room)
                log.info("sent", room=str(post.room), post=post.id, deliveries=len(post.deliveries))

    async def _postpone(self, lease: Lease, backlog: Backlog, error: TransientError) -> None:
        pause = error.retry_after or min(_LONGEST_PAUSE, 2.0**backlog.attempts) * self._rng.uniform(0.5, 1.0)
        log.warning("postponed", room=str(backlog.room), seconds=round(pause, 1), reason=str(error))
        await stored(lease.postpone, backlog.room, self._clock() + pause, str(error))

    async def _bury(self, lease: Lease, room: Room, deliveries: Sequence[str], error: SendError) -> None:
        buried = await stored(lease.bury, deliveries, str(error))
        if (kind := self.terms.tell_dead) is not None:
            told = (self._notices.dead(event, room, str(error), kind) for event in buried)
            await stored(lease.owe, [*filter(None, told)])
        log.error(
            "dead", room=str(room), deliveries=list(deliveries), reason=str(error), hint="quackbridge outbox list"
        )

    async def _commit(self, lease: Lease, expect: str | None, batch: Batch) -> None:
        """Store what follows from `batch`."""
        counts = [Count(gap.room, Tally.UNKNOWN, "the network does not remember") for gap in batch.gaps]
        carried = [pair for event in batch.events for pair in self._consequences(event, counts)]
        for gap in batch.gaps:
            if gap.until - gap.since >= self.terms.tell_after:
                carried += [(outages.unknown(gap, other), other) for other in self._gate.links.others(gap.room)]
        events = tuple({event.key: event for event, _ in carried}.values())
        deliveries = tuple(Delivery.of(event.key, room) for event, room in carried)
        await stored(lease.commit, expect, events, deliveries, batch.cursor, counts)
        for gap in batch.gaps:
            seconds, hint = round(gap.until - gap.since, 1), "what was said there meanwhile is not known"
            log.warning("unknown", room=str(gap.room), since=round(gap.since, 3), seconds=seconds, hint=hint)

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


async def _attempt(network: Network, post: Post, *, again: bool) -> str | SendError:
    """The network's id of `post`, or why it has none."""
    try:
        return await network.send(post, again=again)
    except SendError as error:
        return error


def _let_in(sender: Sender) -> str:
    """The command that would make a member of `sender`, for the operator to paste."""
    if not sender.proofs:
        return "the network proves nothing of them: to become a member they have to log in to its services first"
    proof = sender.proofs[0]
    return f"quackbridge add-user NAME --{proof.kind} {shlex.quote(str(proof))}"


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
