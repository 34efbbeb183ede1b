"""Delivering what is owed to the rooms of one network: each in order, side by side, each post with its fate stored."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

import structlog

from bridge.model.accounting import TOO_OLD, Count, Tally
from bridge.model.event import Room
from bridge.model.outbox import Backlog, Owed, Post
from bridge.network import InDoubt, Network, PermanentError, SendError, Silenced, TransientError
from bridge.relay.limits import Terms
from bridge.relay.notices import Notices
from bridge.relay.outages import Outages
from bridge.store import Lease, stored
from bridge.store.contract import LONGEST_WAIT

log = structlog.get_logger()

_LOOK = 1.0  # seconds between looks for what has become due without a sign
_ROOMS = 32  # rooms of one network that are delivered to side by side
_EACH = 20  # deliveries of a room that are rendered together: a backlog may be put together, a plan stays small
_LONGEST_PAUSE = 300.0  # seconds before a failing room is tried again
_DOUBLINGS = 10  # more would be no longer a pause, and at 1,024 tries no number


class Dispatch:
    """One run of one network. Of what an earlier run has frozen nobody knows here whether it was sent."""

    def __init__(
        self,
        network: Network,
        lease: Lease,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        outages: Outages,
        notices: Notices,
        terms: Callable[[], Terms],
    ) -> None:
        self._network = network
        self._lease = lease
        self._clock = clock
        self._rng = rng
        self._outages = outages
        self._notices = notices
        self._terms = terms
        # What is frozen when we end may have been sent: where several posts go at once, no more than these are
        self._each = _EACH if network.window == 1 else network.window
        self._group = asyncio.TaskGroup()
        self._stopping = asyncio.Event()
        self._running = False
        self._busy: dict[Room, bool] = {}  # the rooms at work, and whether more has come for them meanwhile
        self._offered: set[Room] = set()  # those of them that wait for a commit
        self._answered = asyncio.Event()
        self._fresh: dict[Room, set[str]] = {}  # the frozen posts that nobody can have sent before

    async def run(self, stopping: asyncio.Event) -> None:
        """Send what is owed until `stopping`; then finish what is under way."""
        self._stopping, self._running = stopping, True
        async with self._group as group:
            looking = group.create_task(self._keep_looking(), name=f"look {self._network.name}")
            try:
                await stopping.wait()
                looking.cancel()
                while self._offered:
                    self._answered.clear()
                    await self._answered.wait()
            finally:
                self._running = False

    def offer(self, room: Room, owed: Sequence[Owed]) -> Sequence[Post]:
        """What `owed`, which is about to be stored, becomes; nothing where it has to wait for its turn. Else `room` is
        kept free for it until `begin` or `withdraw`."""
        if not self._running or self._stopping.is_set() or room in self._busy or len(self._busy) >= _ROOMS:
            return ()
        unclear = any(item.event.reply_to is not None or item.age > self._terms().max_age for item in owed)
        if unclear or self._outages.holds(room) or len(owed) > self._each:
            return ()
        try:
            posts = self._network.render(owed)
        except PermanentError:
            return ()
        whole = {delivery for post in posts for delivery in post.deliveries} == {item.delivery for item in owed}
        if not whole or len(posts) > self._network.window:
            return ()
        self._busy[room] = False
        self._offered.add(room)
        return posts

    def begin(self, backlog: Backlog) -> None:
        """What was offered is stored, and planned as it was offered."""
        self._settled(backlog.room)
        self._fresh[backlog.room] = {post.id for post in backlog.posts}
        self._start(self._clear(backlog, planned=True), backlog.room)

    def withdraw(self, room: Room) -> None:
        """What was offered is not planned; it may be stored."""
        self._settled(room)
        del self._busy[room]
        self._start(self._look(), room)

    def _settled(self, room: Room) -> None:
        self._offered.discard(room)
        self._answered.set()

    def _start(self, work: Coroutine[None, None, None], room: Room) -> None:
        if self._running:
            self._group.create_task(work, name=f"deliver {room}")
        else:  # the network has ended meanwhile; the store has it all
            work.close()

    async def _keep_looking(self) -> None:
        while True:
            await self._look()
            await stored(self._lease.wait, self._clock() + _LOOK)

    async def _look(self) -> None:
        """Begin with what is due in rooms that are not at work."""
        rooms, held = _ROOMS + len(self._busy), self._outages.held(self._network.name)
        for backlog in await stored(self._lease.due, self._clock(), rooms=rooms, each=self._each, without=held):
            if backlog.room in self._busy:
                self._busy[backlog.room] = True
            elif len(self._busy) < _ROOMS and not self._stopping.is_set():
                self._busy[backlog.room] = False
                self._start(self._clear(backlog), backlog.room)

    async def _clear(self, backlog: Backlog, *, planned: bool = False) -> None:
        """Send one backlog, and look for more where there may be some. What is `planned` goes out though we are
        stopping: it was on its way."""
        more = await self._sent(backlog, planned=planned)
        if self._busy.pop(backlog.room) or more or len(self._busy) == _ROOMS - 1:
            await self._look()

    async def _sent(self, backlog: Backlog, *, planned: bool) -> bool:
        """Send one backlog and store its fate; whether there may be more behind it."""
        room = backlog.room
        if self._outages.holds(room):
            return False
        try:
            posts: Sequence[Post] = backlog.posts
            if not posts:
                if old := [item.delivery for item in backlog.owed if item.age > self._terms().max_age]:
                    await stored(self._lease.give_up, old, TOO_OLD)
                    log.error("given up", room=str(room), messages=len(old), hint="it is older than outbox.max_age")
                    return True
                posts = await stored(self._lease.plan, room, self._network.render(backlog.owed))
                self._fresh[room] = {post.id for post in posts}
        except PermanentError as error:
            await self._bury(room, (backlog.owed[0].delivery,), error)
            return True
        failed = await self._send(posts, stopping=None if planned else self._stopping)
        if failed is not None:
            return await self._failed(backlog, *failed)
        if self._stopping.is_set() or not self._lease.valid():
            return False
        carried = {delivery for post in posts for delivery in post.deliveries}
        return len(backlog.owed) == self._each or carried != {item.delivery for item in backlog.owed}

    async def _send(self, posts: Sequence[Post], *, stopping: asyncio.Event | None) -> tuple[Post, SendError] | None:
        """Send `posts` in order, as many at once as the network takes, and store the fate of each that went out. The
        first that did not, with the reason; no more are begun then, nor when we are `stopping`."""
        if len(posts) == 1:
            (post,) = posts
            return await self._store(post, await self._attempt(post)) if self._may_go_on(stopping) else None
        failed: tuple[Post, SendError] | None = None
        left = deque(posts)
        flying: deque[tuple[Post, asyncio.Task[str | SendError]]] = deque()
        async with asyncio.TaskGroup() as group:
            while True:
                while left and len(flying) < self._network.window and failed is None:
                    if not self._may_go_on(stopping):
                        left.clear()
                        break
                    post = left.popleft()
                    flying.append((post, group.create_task(self._attempt(post))))
                if not flying:
                    return failed
                post, flight = flying.popleft()
                not_sent = await self._store(post, await flight)
                failed = failed or not_sent

    def _may_go_on(self, stopping: asyncio.Event | None) -> bool:
        return self._lease.valid() and not (stopping is not None and stopping.is_set())

    async def _store(self, post: Post, outcome: str | SendError) -> tuple[Post, SendError] | None:
        """Store that `post` was sent; or the error, where it was not."""
        if isinstance(outcome, SendError):
            return post, outcome
        await stored(self._lease.sent, post, outcome)
        self._done_with(post)
        self._outages.spoke(post.room)
        log.info("sent", room=str(post.room), post=post.id, deliveries=len(post.deliveries))
        return None

    async def _attempt(self, post: Post) -> str | SendError:
        """The network's id of `post`, or why it has none."""
        again = post.id not in self._fresh.get(post.room, ())
        try:
            return await self._network.send(post, again=again)
        except SendError as error:
            return error

    async def _failed(self, backlog: Backlog, post: Post, error: SendError) -> bool:
        """What becomes of a post that did not go out; whether its room goes on at once."""
        if isinstance(error, Silenced):
            self._outages.silenced(post.room, str(error))
        if isinstance(error, TransientError):
            await self._postpone(backlog, error)
            return False
        if isinstance(error, InDoubt) and error.resend:
            hint = "it may be there twice"
            log.warning("sent again", room=str(post.room), post=post.id, reason=str(error), hint=hint)
            self._fresh.setdefault(post.room, set()).add(post.id)
            await stored(self._lease.count, [Count(post.room, Tally.RESENT, str(error))])
        else:
            await self._bury(post.room, post.deliveries, error)
            self._done_with(post)
        return True

    def _done_with(self, post: Post) -> None:
        fresh = self._fresh.get(post.room, set())
        fresh.discard(post.id)
        if not fresh:
            self._fresh.pop(post.room, None)

    async def _postpone(self, backlog: Backlog, error: TransientError) -> None:
        asked = min(error.retry_after or 0.0, LONGEST_WAIT)
        pause = asked or min(_LONGEST_PAUSE, 2.0 ** min(backlog.attempts, _DOUBLINGS)) * self._rng.uniform(0.5, 1.0)
        log.warning("postponed", room=str(backlog.room), seconds=round(pause, 1), reason=str(error))
        await stored(self._lease.postpone, backlog.room, self._clock() + pause, str(error))

    async def _bury(self, room: Room, deliveries: Sequence[str], error: SendError) -> None:
        buried = await stored(self._lease.bury, deliveries, str(error))
        if (kind := self._terms().tell_dead) is not None:
            told = (self._notices.dead(event, room, str(error), kind) for event in buried)
            await stored(self._lease.owe, [*filter(None, told)])
        log.error(
            "dead", room=str(room), deliveries=list(deliveries), reason=str(error), hint="quackbridge outbox list"
        )
