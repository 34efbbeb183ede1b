"""Random calls of every verb, made on two stores at once: both must answer the same."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import methodcaller
from typing import Any

from bridge.model.accounting import REDACTED, TOO_OLD, Count, Tally, Traffic, TrafficKind
from bridge.model.event import (
    BOTS,
    Edit,
    Event,
    EventKey,
    Kind,
    Media,
    Message,
    Origin,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.outbox import Delivery, Post, handle, text_handle
from bridge.model.people import GUEST
from bridge.model.text import words
from bridge.store import Commit, Dead, Dropped, Lease, Shown, Store, StoreError, Waits
from tests.events import irc, matrix

ROOMS = [
    Room("home", "#pond:hs"),
    Room("home", "#lake:hs"),
    Room("libera", "#pond"),
    Room("libera", "#två"),
    Room("oftc", "#pond"),
    Room(BOTS, "duck@home/#pond:hs"),
]
NETWORKS = ["home", "libera", "oftc", BOTS]


class Clock:
    """Made-up time, which both stores read."""

    now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


class RandomCalls:
    """Makes calls on `stores`, chosen by `rng`. `leases` are theirs, by network."""

    def __init__(
        self, stores: Sequence[Store], leases: Sequence[dict[str, Lease]], rng: random.Random, clock: Clock
    ) -> None:
        self._stores = stores
        self._leases = leases
        self._rng = rng
        self._clock = clock
        self._events: list[Event] = []
        self._deliveries: list[Delivery] = []
        self._posts: list[Post] = []
        self._cursors: dict[str, str | None] = {}
        self._count = 0
        self.log: list[str] = []

    def go_on(self, stores: Sequence[Store], leases: Sequence[dict[str, Lease]]) -> None:
        """From now on on these, which hold the same."""
        self._stores, self._leases = stores, leases

    async def step(self) -> None:
        """One random call, and then a look at all that it may have changed."""
        often = (self.hear, self.freeze, self.send, self.settle, self.operate)
        await self._rng.choice((*often, *often, self.hear, self.send, self.note, self.pass_time))()
        await self.look()

    async def both(self, what: str, verb: Callable[[Any], Any], network: str | None = None) -> Any:
        """Call `verb` on both stores, or on their leases of `network`; returns the answer, or the error."""
        self.log.append(what)
        answers = []
        for store, leases in zip(self._stores, self._leases, strict=True):
            try:
                answers.append(await verb(store if network is None else leases[network]))
            except StoreError as error:
                answers.append(type(error))
        assert _plain(answers[0]) == _plain(answers[1]), f"{what}: {answers[0]} is not {answers[1]}"
        return answers[0]

    # What happens

    async def hear(self) -> None:
        network = self._room().network
        events = [self._event(network) for _ in range(self._rng.randint(0, 3))]
        deliveries = [
            Delivery.of(event.key, to, ahead=self._rng.random() < 0.1, gather=self._rng.choice([0, 0, 0, 2.5, 9.0]))
            for event in events
            for to in dict.fromkeys(self._room() for _ in range(self._rng.randint(0, 3)))
        ]
        posts = [Post.of(each.room, (each.id,), part, "x") for each in deliveries for part in range(2)]
        moves = self._rng.random() < 0.7
        self._count += 1
        commit = Commit(
            self._cursors.get(network) if moves else None,
            f"c{self._count}" if moves else None,
            events,
            deliveries,
            posts if self._rng.random() < 0.4 else (),
            [Count(self._room(), self._rng.choice([*Tally]), "why" * self._rng.randint(0, 90))],
            {self._rng.choice("ab"): self._rng.choice([None, "v", ""])},
            await self._told(network),
        )
        await self.both(f"commit {commit}", lambda lease: lease.commit(commit), network)
        if moves:
            self._cursors[network] = commit.cursor
            await self.both("commit again", lambda lease: lease.commit(commit), network)
        self._events += events
        self._deliveries += deliveries

    async def _told(self, network: str) -> Sequence[Any]:
        losses = await self.both("losses", lambda lease: lease.losses(), network)
        return [replace(each, number=self._rng.randint(1, each.number)) for each in losses if self._rng.random() < 0.5]

    def _event(self, network: str) -> Event:
        if self._events and self._rng.random() < 0.1:
            known = self._rng.choice(self._events)
            if known.room.network == network:
                return known
        room = self._rng.choice([room for room in ROOMS if room.network == network])
        self._count += 1
        sender = matrix(self._rng.choice(["alice", "eve"])) if network == "home" else irc("bob", "bob", network=network)
        if self._rng.random() < 0.3:
            sender = replace(sender, note=GUEST)
        return Event(
            f"${self._count}",
            room,
            sender,
            self._clock.now + self._rng.choice([0, -500, 500, -2e9]),
            self._body(room),
            private=self._rng.random() < 0.1,
            origin=self._rng.choice([Origin.LIVE, Origin.LIVE, Origin.REPLAYED, Origin.OURS]),
            text_until=self._rng.choice([0, 0, int(self._clock.now) + 300]),
            overtaken=self._rng.random() < 0.2,
        )

    def _body(self, room: Room) -> Any:
        self._count += 1
        text, target = words(f"words {self._count} " + "é" * self._rng.choice([0, 1, 400])), self._target(room)
        source, until = f"mxc://hs/{self._rng.randint(0, 9)}", self._rng.choice([0, int(self._clock.now) + 300])
        picture = Media("image", "a.png", self._rng.choice([None, 5]), "image/png", source, until=until)
        media = (picture,) if self._rng.random() < 0.5 else ()
        kind = self._rng.choice([*Kind])
        match self._rng.randint(0, 9):
            case 0 | 1 if target is not None:
                return Edit(target, text, kind, media)
            case 2 if target is not None:
                return Redaction(target)
            case 3 | 4 if target is not None:
                return Reaction(target, "👍")
            case 5:
                return Topic("topic")
            case _:
                reply, thread = (target if self._rng.random() < 0.4 else None for _ in range(2))
                return Message(text, kind, None, reply, thread, media)

    def _target(self, room: Room) -> EventKey | None:
        """An event that was heard, or one as we sent it somewhere."""
        if not self._events:
            return None
        if self._posts and self._rng.random() < 0.3:
            return EventKey(room, f"${self._rng.choice(self._posts).id}")
        return self._rng.choice(self._events[-6:]).key

    async def freeze(self) -> None:
        network = self._room().network
        found = await self.both("due", lambda lease: lease.due(self._clock.now, each=3), network)
        if not found:
            return
        backlog = self._rng.choice(found)
        self._posts += backlog.posts
        posts = [
            Post.of(backlog.room, item.deliveries, part, "payload")
            for item in backlog.owed[: self._rng.randint(1, 4)]
            for part in range(self._rng.randint(1, 2))
        ]
        if len(backlog.owed) > 1 and self._rng.random() < 0.3:
            both = (*backlog.owed[0].deliveries, *backlog.owed[1].deliveries)
            posts = [Post.of(backlog.room, both, 0, "merged")]
        if posts:
            self._posts += await self.both("plan", lambda lease: lease.plan(backlog.room, posts), network)
        behind = await self.both("behind", lambda lease: lease.behind(backlog.room), network)
        if behind is not None and self._rng.random() < 0.5:
            more = [Post.of(backlog.room, behind.deliveries, 0, "more")]
            self._posts += await self.both("append", lambda lease: lease.append(backlog.room, more), network)
        if self._rng.random() < 0.2:
            await self.both("thaw", lambda lease: lease.thaw(backlog.room), network)

    async def send(self) -> None:
        network = self._room().network
        found = await self.both("due", lambda lease: lease.due(self._clock.now), network)
        posts = [post for backlog in found for post in backlog.posts] or self._posts[-8:]
        if not posts:
            return
        post = self._rng.choice(posts)
        remote = self._rng.choice([f"${post.id}", f"${post.id}", ""])
        there = [each.id for each in self._deliveries if each.room == post.room]
        then = [Post.of(post.room, (self._rng.choice(there),), 0, "then")] if self._rng.random() < 0.3 else []
        await self.both(f"sent {post}", lambda lease: lease.sent(post, remote, then), post.room.network)

    async def settle(self) -> None:
        if not self._deliveries:
            return
        chosen = self._rng.sample(self._deliveries[-12:], min(len(self._deliveries), self._rng.randint(1, 2)))
        ids = [each.id for each in chosen]
        fate = self._rng.choice(
            [
                Dead(ids, "no"),
                Dropped(ids, TOO_OLD),
                Dropped(ids, REDACTED),
                Shown(ids),
                *(Waits(chosen[0].room, self._clock.now + wait, "later") for wait in (-1, 5, 4_000)),
            ]
        )
        await self.both(f"settle {fate}", lambda lease: lease.settle(fate), chosen[0].room.network)

    async def operate(self) -> None:
        """What the operator does, and the daemon from time to time."""
        room, network, now = self._room(), self._room().network, self._clock.now
        waiting = [each.delivery for each in await self.both("outbox", lambda store: store.outbox())]
        delivery = self._rng.choice([*waiting, *(each.id for each in self._deliveries[-2:]), "none"])
        event = self._rng.choice(self._events[-12:]) if self._events else None
        event_id = event.id if event is not None else "none"
        of = self._rng.choice(["", network])
        before, many = now - self._rng.choice([0, 5, 100]), self._rng.randint(1, 6)
        match self._rng.randint(0, 9):
            case 0:
                await self.both("retry", lambda store: store.retry(delivery))
            case 1:
                await self.both("drop", lambda store: store.drop(delivery))
            case 2:
                await self.both("trim", lambda lease: lease.trim(before, many, many * many * 300), network)
            case 3:
                await self.both("expire", lambda store: store.expire(before))
            case 4:
                await self.both("revoke_of", lambda store: store.revoke_of(event_id, of))
            case 5:
                await self.both("revoke_said", lambda store: store.revoke_said(lambda who: who.name == "eve", [room]))
            case 6:
                await self.both("explain", lambda lease: lease.explain(room, "away"), room.network)
            case 7:
                await self.both("hasten", lambda lease: lease.hasten(room), room.network)
            case 8 if event is not None:
                await self.both("revoke", lambda store: store.revoke(text_handle(event)))
            case _:
                await self.both("renew", lambda lease: lease.renew(f"c{self._count}"), network)

    async def note(self) -> None:
        room, now = self._room(), self._clock.now
        used = {self._rng.choice([*TrafficKind]): Traffic(1, self._rng.randint(0, 10**12))}
        match self._rng.randint(0, 4):
            case 0:
                await self.both("begin_outage", lambda lease: lease.begin_outage(room, now, "x" * 400), room.network)
            case 1:
                await self.both("end_outage", lambda lease: lease.end_outage(room, now - 3), room.network)
            case 2:
                await self.both("begin_run", lambda store: store.begin_run("1.0"))
            case 3:
                await self.both("end_run", lambda store: store.end_run())
            case _:
                await self.both("count_traffic", lambda store: store.count_traffic(used))

    async def pass_time(self) -> None:
        self._clock.now += self._rng.choice([0.1, 0.1, 1.1, 1.1, 3.3, 3.3, 10, 10, 70, 400, 90_000])

    def _room(self) -> Room:
        """Mostly the same, in which much happens."""
        return self._rng.choice([ROOMS[0], ROOMS[2], ROOMS[2], ROOMS[2], self._rng.choice(ROOMS)])

    # What is seen

    async def look(self) -> None:
        now = self._clock.now
        for network in NETWORKS:
            await self.both("due", lambda lease: lease.due(now, each=2), network)
            await self.both("losses", lambda lease: lease.losses(), network)
            await self.both("cursor", lambda lease: lease.cursor(), network)
            await self.both("recall", lambda lease: lease.recall(), network)
            await self.both("lasting", lambda lease: lease.lasting_outages(), network)
        room = self._room()
        await self.both("due", lambda lease: lease.due(now, rooms=2, without=[room]), room.network)
        await self.both("waiting", lambda lease: lease.waiting(room), room.network)
        await self.both("behind", lambda lease: lease.behind(room), room.network)
        await self.both("said_in", lambda lease: lease.said_in(room, now - 60, 4), room.network)
        await self._look_at_events(room)
        for verb in ("outbox", "networks", "queues"):
            await self.both(verb, methodcaller(verb))
        for verb in ("ledger", "traffic_since", "outages", "runs"):
            for since in (0.0, now - 60):
                await self.both(verb, methodcaller(verb, since))
        await self.both("last_lines", lambda store: store.last_lines(ROOMS))

    async def _look_at_events(self, room: Room) -> None:
        for event in self._rng.sample(self._events, min(5, len(self._events))):
            asked = [event.key, EventKey(room, f"${self._posts[-1].id}" if self._posts else "$")]
            await self.both("known", methodcaller("known", asked), room.network)
            await self.both("remote_ids", methodcaller("remote_ids", event.key, room))
            await self.both("text", methodcaller("text", text_handle(event)))
            for media in event.body.media if isinstance(event.body, Message | Edit) else ():
                name = handle(event, media)
                await self.both("file", methodcaller("file", name))
        for post in self._posts[-3:]:
            await self.both("source_of", methodcaller("source_of", post.room, f"${post.id}"))


def _plain(answer: Any) -> Any:
    """An answer without the difference between kinds of sequences."""
    if isinstance(answer, list | tuple) and not hasattr(answer, "_fields"):
        return [_plain(each) for each in answer]
    return answer
