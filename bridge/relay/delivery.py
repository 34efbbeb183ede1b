"""Delivers what is owed to the rooms of one network: in order within a room, rooms side by side; stores the fate of
each post."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from bridge.lib.backoff import Backoff
from bridge.lib.lru import LruDict, LruSet
from bridge.model.accounting import REDACTED, TOO_OLD, Count, Tally
from bridge.model.event import Edit, Event, Message, Room
from bridge.model.outbox import Backlog, Owed, Post
from bridge.model.presentation import DEFAULT
from bridge.network import (
    FaceRemoved,
    Gathering,
    InDoubt,
    Needless,
    Network,
    PermanentError,
    Recognises,
    SendError,
    Silenced,
    TransientError,
)
from bridge.relay.counting import DeliveryCounting
from bridge.relay.shared import Shared
from bridge.relay.suspects import Suspects
from bridge.relay.tail import Posted
from bridge.rules.routing import Links
from bridge.store import Commit, Dead, Dropped, Lease, Shown, Waits, stored
from bridge.store.contract import LONGEST_WAIT_S

log = structlog.get_logger()

_LOOK_S = 1.0  # seconds between looks for what has become due unnoticed
_ROOMS = 32  # most rooms of one network that are delivered to side by side; if more wait, they take turns
_EACH = 20  # most deliveries of a room rendered together: a backlog becomes few posts, a plan stays small
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0  # before a failing room is tried again
_SILENCED, _REFUSED = (2, 1), (3, 3)
"""After how many refusals of a post others are tried, and how many rounds prove that it is the post (see `Suspects`):
where we may not speak, or where the network refuses for another reason, which may be a fault that comes and goes."""
_FRESH = 10_000  # most unsent frozen posts of this run that are remembered: more than can be on their way


class Reservation:
    """Keeps a room free for `posts`, which a commit is about to store. Ends with `begin` if they were stored as they
    are here, else with `give_back`."""

    def __init__(self, dispatch: "Dispatch", backlog: Backlog) -> None:
        self._dispatch = dispatch
        self._backlog = backlog

    @property
    def room(self) -> Room:
        return self._backlog.room

    @property
    def posts(self) -> Sequence[Post]:
        return self._backlog.posts

    def begin(self) -> None:
        """Send the posts."""
        self._dispatch.begin(self._backlog)

    def give_back(self) -> None:
        """Free the room, and send what the store has for it."""
        self._dispatch.free(self.room)


@dataclass(slots=True)
class _Work:
    """A busy room: `reserved` for a commit, or sending. `more`: more has come for it since."""

    reserved: bool = False
    more: bool = False


class Dispatch:
    """Delivers one network's posts. Posts frozen by an earlier run may have been sent already."""

    def __init__(
        self, network: Network, lease: Lease, shared: Shared, stopping: asyncio.Event, links: Callable[[], Links]
    ) -> None:
        self._network = network
        self._links = links
        self._lease = lease
        self._shared = shared
        self._stopping = stopping
        # What is frozen when we end may have been sent: if several posts go at once, freeze no more than these
        self._each = _EACH if network.window == 1 else network.window
        recognises = network.recognises if isinstance(network, Recognises) else None
        self._recognises = recognises if lease.engine.in_order else None
        self._pause = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._group: asyncio.TaskGroup | None = None
        self._rooms: dict[Room, _Work] = {}
        self._had_turn: set[Room] = set()  # rooms that let others go first: more wait than are delivered to at once
        self._freed = asyncio.Event()
        self._fresh = LruSet[str](_FRESH)  # frozen posts that were surely never sent
        self._sent = LruDict[str, str](_FRESH)  # posts that this run has sent, and by which ids they are known
        self._begun = LruSet[str](_FRESH)  # posts that this run may have sent
        self._suspects = Suspects()
        self._counting = DeliveryCounting(network.name, shared.counters, shared.clock, self._link_of)

    async def run(self) -> None:
        """Send what is owed until `stopping`; then finish what is under way."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            looking = group.create_task(self._keep_looking(), name=f"look {self._network.name}")
            try:
                await self._stopping.wait()
                looking.cancel()
                while any(work.reserved for work in self._rooms.values()):
                    self._freed.clear()
                    await self._freed.wait()
            finally:
                self._group = None  # what is under way ends; nothing new begins

    def reserve(self, room: Room, owed: Sequence[Owed]) -> Reservation | None:
        """Keep `room` free for `owed`, which is about to be stored; None if it has to wait for its turn."""
        if self._group is None or self._stopping.is_set() or room in self._rooms or len(self._rooms) >= _ROOMS:
            return None
        unclear = any(item.event.refers or item.age > self._shared.terms.max_age for item in owed)
        unclear = unclear or any(self._shared.previews.is_waited_for(item) for item in owed)
        if unclear or self._shared.outages.holds(room) or len(owed) > self._each:
            return None
        try:
            posts = self._rendered(owed)
        except (PermanentError, Needless):
            return None
        whole = {delivery for post in posts for delivery in post.deliveries} == {item.delivery for item in owed}
        if not whole or len(posts) > self._network.window:
            return None
        self._rooms[room] = _Work(reserved=True)
        return Reservation(self, Backlog(room, tuple(posts), tuple(owed), attempts=0))

    def begin(self, backlog: Backlog) -> None:
        """Send what the room was reserved for: the commit has frozen it."""
        self._rooms[backlog.room].reserved = False
        self._freed.set()
        self._note_fresh(backlog.posts)
        self._start(self._clear(backlog, planned=True), backlog.room)

    def free(self, room: Room) -> None:
        """Free `room`: the commit did not freeze its posts, but may have stored their deliveries."""
        del self._rooms[room]
        self._freed.set()
        self._start(self._look(), room)

    def _start(self, work: Coroutine[None, None, None], room: Room) -> None:
        if self._group is not None:
            self._group.create_task(work, name=f"deliver {room}")
        else:  # the network has ended meanwhile; the store has it all
            work.close()

    async def _keep_looking(self) -> None:
        task, heartbeats = f"deliver {self._network.name}", self._shared.heartbeats
        try:
            while True:
                heartbeats.beat(task)
                await self._look()
                await stored(self._lease.wait, self._shared.clock() + _LOOK_S)
        finally:
            heartbeats.forget(task)

    async def _look(self) -> None:
        """Start to send what is due in rooms that are not busy: first where others had their turn since."""
        await self._begin_due(self._had_turn - self._rooms.keys())
        if self._had_turn and len(self._rooms) < _ROOMS:
            self._had_turn.clear()
            await self._begin_due()

    async def _begin_due(self, later: Collection[Room] = ()) -> None:
        rooms, without = _ROOMS + len(self._rooms), [*self._shared.outages.held(self._network.name), *later]
        due = await stored(self._lease.due, self._shared.clock(), rooms=rooms, each=self._each, without=without)
        for backlog in due:
            if (work := self._rooms.get(backlog.room)) is not None:
                work.more = True
            elif len(self._rooms) < _ROOMS and not self._stopping.is_set():
                self._rooms[backlog.room] = _Work()
                self._start(self._clear(backlog), backlog.room)

    async def _clear(self, backlog: Backlog, *, planned: bool = False) -> None:
        """Send one backlog, and look for more if there may be some. A `planned` one is sent even while we are
        stopping."""
        ready = backlog.owed if backlog.posts else self._shared.previews.without_waiting(backlog.owed)
        if ready or not backlog.owed:
            is_all = len(ready) == len(backlog.owed)
            backlog = backlog if is_all else replace(backlog, owed=tuple(ready))
            more = await self._send_backlog(backlog, planned=planned) or not is_all
        else:  # and then what waits is looked up again: it may have been edited or removed
            await self._shared.previews.wait_for(backlog.owed[0], self._stopping)
            more = not self._stopping.is_set()
        if is_crowded := len(self._rooms) == _ROOMS:
            self._had_turn.add(backlog.room)
        if self._rooms.pop(backlog.room).more or more or is_crowded:
            await self._look()

    async def _send_backlog(self, backlog: Backlog, *, planned: bool) -> bool:
        """Send one backlog and store its fate. Returns whether there may be more behind it."""
        room = backlog.room
        if self._shared.outages.holds(room):
            return False
        await self._shared.talks.note_owed(self._lease, room, backlog.owed)
        old = [item.delivery for item in backlog.owed if item.age > self._shared.terms.max_age]
        if old and not backlog.posts:
            await stored(self._lease.settle, Dropped(old, TOO_OLD))
            self._counting.count_given_up(len(old))
            log.error(
                "given_up",
                room=str(room),
                messages=len(old),
                hint="these messages waited longer than outbox.max_age, and are lost",
            )
            return True
        try:
            posts = backlog.posts or await self._freeze(backlog)
        except PermanentError as error:
            await self._bury(room, backlog.owed[0].deliveries, error)
            return True
        except Needless as nothing:
            await stored(self._lease.settle, Shown(nothing.deliveries or backlog.owed[0].deliveries))
            return True
        failed = await self._send(posts, stopping=None if planned else self._stopping)
        if failed is not None:
            return await self._failed(backlog, posts, *failed)
        if self._stopping.is_set() or not self._lease.valid():
            return False
        if (link := self._links().of(room)) is not None and link.rules.receipts:
            for item in backlog.owed:
                self._shared.momentary.arrived(item.event)
        carried = {delivery for post in posts for delivery in post.deliveries}
        owed = {delivery for item in backlog.owed for delivery in item.deliveries}
        return len(owed) >= self._each or carried != owed

    async def _freeze(self, backlog: Backlog) -> Sequence[Post]:
        """Render the first deliveries of a room, and store the posts before the first is sent."""
        owed = backlog.owed[:1] if self._suspects.is_alone(backlog.owed[0].delivery) else backlog.owed
        posts = await stored(self._lease.plan, backlog.room, self._rendered(owed))
        self._note_fresh(posts)
        return posts

    async def _send(self, posts: Sequence[Post], *, stopping: asyncio.Event | None) -> tuple[Post, SendError] | None:
        """Send `posts` in order, as many at once as the network takes, and store the fate of each that went out.
        Returns the first that failed, with its error. After a failure, or once `stopping`, no more are begun."""
        self._counting.note_posts(posts)
        await self._drop_removed(posts)
        failed = await self._send_all([post for post in posts if not self._is_removed(post)], stopping=stopping)
        await self._drop_removed(posts)
        return None if failed is not None and self._is_removed(failed[0]) else failed

    async def _send_all(
        self, posts: Sequence[Post], *, stopping: asyncio.Event | None
    ) -> tuple[Post, SendError] | None:
        if not posts:
            return None
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
                    if self._is_removed(post):
                        await self._drop_removed(posts)
                        continue
                    flying.append((post, group.create_task(self._attempt(post))))
                if not flying:
                    return failed
                post, flight = flying.popleft()
                not_sent = await self._store(post, await flight)
                failed = failed or not_sent

    def _is_removed(self, post: Post) -> bool:
        """Whether all that is in `post` was removed meanwhile, and it was surely not sent. If it may have been, it is
        sent (again), so that the removal knows what to remove."""
        is_unsent = post.id in self._fresh and post.id not in self._begun
        return is_unsent and all(delivery in self._shared.removed for delivery in post.deliveries)

    async def _drop_removed(self, posts: Sequence[Post]) -> None:
        """Drop what was removed before anything of `posts` that is left of it was sent."""
        left = [post for post in posts if post.id not in self._sent]
        kept = {delivery for post in left if not self._is_removed(post) for delivery in post.deliveries}
        gone = {delivery: None for post in left if self._is_removed(post) for delivery in post.deliveries}
        if dropped := [delivery for delivery in gone if delivery not in kept]:
            await stored(self._lease.settle, Dropped(dropped, REDACTED))

    def _may_go_on(self, stopping: asyncio.Event | None) -> bool:
        return self._lease.valid() and not (stopping is not None and stopping.is_set())

    async def _attempt(self, post: Post, *, trial: bool = False) -> str | SendError:
        """Send `post`; the network's id of it, or the error. One that was sent and is still to be noted is not sent
        again."""
        if (known := self._sent.peek(post.id)) is not None:
            return known
        is_first = self._begun.add(post.id)
        try:
            again = post.id not in self._fresh
            if trial:
                return await self._network.send(post, again=again, trial=True)
            return await self._network.send(post, again=again)
        except SendError as error:
            if is_first and isinstance(error, TransientError) and not error.unclear:
                self._begun.discard(post.id)
            return error
        except Needless:
            return ""

    async def _store(self, post: Post, outcome: str | SendError) -> tuple[Post, SendError] | None:
        """Store that `post` was sent. If it was not, return it with its error."""
        if isinstance(outcome, SendError):
            if _is_refusal(outcome):
                self._suspects.refused(post, self._now())
            return post, outcome
        if post.id in self._sent:
            await stored(self._lease.sent, post, outcome)
            return None
        self._sent[post.id] = outcome
        self._fresh.discard(post.id)
        self._begun.discard(post.id)
        await self._note(post, outcome)
        self._counting.count_sent(post)
        self._suspects.went_through(post, self._now())
        self._shared.outages.spoke(post.room)
        self._shared.lines.note_said(post.room)
        self._show("sent", post.room, post.deliveries, remote=outcome)
        log.info("sent", room=str(post.room), post=post.id, deliveries=len(post.deliveries))
        return None

    async def _note(self, post: Post, remote_id: str) -> None:
        """Store that `post` was sent: at once, unless nobody would see it twice if it were sent again."""
        if self._group is None or not (self._recognises and self._recognises(post.room)):
            await stored(self._lease.sent, post, remote_id)
            return
        self._group.create_task(stored(self._lease.note_sent, post, remote_id), name=f"note {post.room}")
        await asyncio.sleep(0)  # it is asked for now, before whatever else

    async def _failed(self, backlog: Backlog, posts: Sequence[Post], post: Post, error: SendError) -> bool:
        """Decide the fate of a post of `posts` that was not sent. Returns whether its room goes on at once."""
        if isinstance(error, Silenced):
            self._shared.outages.silenced(post.room, str(error))
        if isinstance(error, TransientError):
            if error.refused and (fate := await self._tried(post, posts, error)) is not None:
                self._suspects.settled(post)
                if isinstance(fate, SendError):
                    await self._bury(post.room, post.deliveries, fate)
                return True
            self._counting.count_retried(post)
            await self._postpone(backlog, error)
            return False
        if isinstance(error, InDoubt):
            self._counting.count_unknown(post)
        if isinstance(error, InDoubt) and error.resend:
            hint = "unknown whether the first try arrived; the room may show the message twice"
            log.warning("sent_again", room=str(post.room), post=post.id, reason=str(error), hint=hint)
            self._fresh.add(post.id)
            await stored(self._lease.commit, Commit(counts=[Count(post.room, Tally.RESENT, str(error))]))
        else:
            await self._bury(post.room, post.deliveries, error)
            self._fresh.discard(post.id)
        return True

    async def _tried(self, post: Post, posts: Sequence[Post], error: TransientError) -> str | SendError | None:
        """The fate of `post` of the plan `posts`, which was refused: the error if it will never be taken while its room
        takes others, its id if it was sent after all; None if that is open. To find out, what waits behind it is tried,
        and when that goes through, `post` at once again."""
        posts = [each for each in posts if each is post or not (each.id in self._sent or self._is_removed(each))]
        patience, needed = _SILENCED if isinstance(error, Silenced) else _REFUSED
        outcome: str | SendError = error
        while self._suspects.rounds(post) < needed:
            if self._suspects.refusals(post) < patience or not self._may_go_on(self._stopping):
                return None
            if len(post.deliveries) > 1 and not self._suspects.is_of_one(post):
                await self._tell_apart(post, posts)
                return None
            if not self._suspects.just_passed(post.room, self._now()):
                others = await self._others(post, posts)
                if not others or not await self._pass(others):
                    await self._thaw(posts)
                    return None
                posts = [each for each in posts if each not in others]
            outcome = await self._attempt(post, trial=True)
            if await self._store(post, outcome) is None or not _is_refusal(outcome):
                return outcome if isinstance(outcome, str) else None
        return outcome

    async def _pass(self, posts: Sequence[Post]) -> bool:
        """Send the posts of one message; whether all went through."""
        for post in posts:
            if await self._store(post, await self._attempt(post, trial=True)) is not None:
                return False
        return True

    async def _others(self, post: Post, posts: Sequence[Post]) -> Sequence[Post]:
        """The posts of the next message behind `post` that was not refused yet, else of the one refused the least."""
        behind: dict[tuple[str, ...], list[Post]] = {}
        for each in posts[posts.index(post) + 1 :]:
            if each.deliveries != post.deliveries:
                behind.setdefault(each.deliveries, []).append(each)
        fewest = min(behind.values(), key=lambda group: self._suspects.refusals(group[0]), default=None)
        if fewest is not None and (self._suspects.refusals(fewest[0]) == 0 or len(behind) >= self._each):
            return fewest
        return await self._append(post.room) or fewest or ()

    async def _tell_apart(self, post: Post, posts: Sequence[Post]) -> None:
        """Have each delivery in `post` rendered alone: one of them may be refused."""
        if await self._thaw(posts):
            self._suspects.render_alone(post)

    async def _thaw(self, posts: Sequence[Post]) -> bool:
        """Let posts that were refused be rendered again: frozen ones never grow too old."""
        return all(post.id in self._fresh for post in posts) and await stored(self._lease.thaw, posts[0].room)

    async def _append(self, room: Room) -> Sequence[Post]:
        """Render and freeze what comes after the frozen posts of `room`."""
        behind = await stored(self._lease.behind, room)
        if behind is None or self._shared.previews.is_waited_for(behind):
            return ()
        try:
            posts = await stored(self._lease.append, room, self._rendered([behind]))
        except PermanentError as error:
            await self._bury(room, behind.deliveries, error)
            return ()
        except Needless:
            await stored(self._lease.settle, Shown(behind.deliveries))
            return ()
        self._note_fresh(posts)
        self._counting.note_posts(posts)
        return posts

    def _rendered(self, owed: Sequence[Owed]) -> Sequence[Post]:
        self._counting.note_owed(owed)
        link = self._links().of(owed[0].room)
        if any(_has_links(item.event) for item in owed):
            owed = [replace(item, event=self._with_links(item.event)) for item in owed]
        owed = [self._shared.previews.with_file(item) for item in owed]
        return self._network.render(owed, link.presentation if link is not None else DEFAULT)

    def _link_of(self, room: Room) -> str:
        link = self._links().of(room)
        return link.name if link is not None else ""

    def _with_links(self, event: Event) -> Event:
        """`event` with the links to its text and its files."""
        if not isinstance(event.body, Message | Edit):
            return event
        link_to = self._shared.link_to
        media = tuple(replace(each, link=link_to(event, each)) if each.until else each for each in event.body.media)
        text_link = self._shared.link_to_text(event) if event.text_until else ""
        return replace(event, body=replace(event.body, media=media), text_link=text_link)

    def gather(self, event: Event) -> float:
        """How many seconds `event` may wait for more of its type."""
        return self._network.gather(event) if isinstance(self._network, Gathering) else 0.0

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _note_fresh(self, posts: Sequence[Post]) -> None:
        for post in posts:
            self._fresh.add(post.id)

    async def _postpone(self, backlog: Backlog, error: TransientError) -> None:
        asked = min(error.retry_after or 0.0, LONGEST_WAIT_S)
        pause = self._pause.after(backlog.attempts, self._shared.rng)
        if asked:  # but whether it is the post's own fault shows only when it is tried again
            pause = min(pause, asked) if error.refused else asked
        log.warning("postponed", room=str(backlog.room), retry_in_s=round(pause, 1), reason=str(error))
        await stored(self._lease.settle, Waits(backlog.room, self._shared.clock() + pause, str(error)))
        self._show("postponed", backlog.room, [each for item in backlog.owed for each in item.deliveries], str(error))

    async def _bury(self, room: Room, deliveries: Sequence[str], error: SendError) -> None:
        """Mark deliveries that can never be sent as dead, and tell their senders. Removed ones are dropped."""
        if removed := [each for each in deliveries if each in self._shared.removed]:
            await stored(self._lease.settle, Dropped(removed, REDACTED))
        buried = await stored(self._lease.settle, Dead(deliveries, str(error)))
        self._counting.count_dead(room, len(buried))
        kind = self._shared.terms.tell_dead
        notices, reason = self._shared.notices, str(error)
        if isinstance(error, FaceRemoved):
            told = [*filter(None, (notices.face_removed(event, room, reason) for event in buried))]
        else:
            told = [*filter(None, (notices.dead(event, room, reason, kind) for event in buried))]
        if told:
            await stored(self._lease.commit, Commit.owing(told))
        hint = "not delivered, and kept: `quackbridge outbox list` shows it, `outbox retry ID` sends it again"
        log.error("dead", room=str(room), deliveries=list(deliveries), reason=str(error), hint=hint)
        self._show("dead", room, deliveries, str(error))

    def _show(
        self,
        what: Literal["sent", "postponed", "dead"],
        room: Room,
        deliveries: Sequence[str],
        reason: str = "",
        *,
        remote: str = "",
    ) -> None:
        """Show those who watch what became of deliveries."""
        if self._shared.tail.is_watched:
            posted = Posted(what, self._links().of(room) is None, remote, reason)
            self._shared.tail.posted(posted, room, deliveries, self._shared.clock())


def _has_links(event: Event) -> bool:
    media = event.body.media if isinstance(event.body, Message | Edit) else ()
    return bool(event.text_until) or any(each.until for each in media)


def _is_refusal(outcome: str | SendError) -> bool:
    return isinstance(outcome, TransientError) and outcome.refused
