"""People who talk in two links, the relay between them, and a nemesis; at the end, who has seen what."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bridge.http import links
from bridge.model.event import Event, EventKey, Media, Room
from bridge.model.outbox import handle, text_handle
from bridge.model.people import Identity, Proof
from bridge.network import Network
from bridge.relay.intake import Relay
from bridge.relay.notices import Notices
from bridge.relay.shared import Shared
from bridge.rules.budget import Allowance
from bridge.rules.gate import Gate
from bridge.rules.link import Guests, Link, Rules
from bridge.store import Commit, Lease, LeaseLost, Unavailable
from bridge.store.core import Core
from bridge.users import User
from bridge.users.sessions import Sessions
from tests.fakes.users import MemoryUsers
from tests.simulation.irc import IrcNetwork, IrcServer
from tests.simulation.matrix import Homeserver, MatrixNetwork
from tests.simulation.people import Person
from tests.simulation.speech import MOST_LINES, Said
from tests.simulation.store import Disk, SimulatedStore
from tests.simulation.weather import Weather

Result = TypeVar("Result")

PUBLIC_URL = "https://bridge"
GUEST_LINKS = Allowance(2, 2)
_RULES = Rules(guests=Guests.RELAY, member_lines=MOST_LINES, guest_lines=MOST_LINES, guest_links=GUEST_LINKS)
LINKS = tuple(
    Link(
        name,
        (Room("home", f"#{name}:hs"), Room("libera", f"#{name}")),
        _RULES,
        welcome_guest="?",
        by_hand=(Room("libera", f"#{name}"),),
    )
    for name in ("pond", "lake")
)
PEOPLE = {"home": ("alice", "carol"), "libera": ("bob", "dave")}
GUEST = "erin"
"""Somebody on Matrix."""
_LAST = (60.0, 3 * 3600.0, math.inf)
"""Seconds that links may work: less than a world lasts, more, and for ever."""
_MESSAGES = 6  # of each person in each room
_AMENDS = 0.5  # how likely a person then edits, removes, answers, or reacts
_TROUBLE = 30.0  # seconds
_SETTLES = (
    900.0  # seconds after the last trouble in which everything has to arrive: three of the relay's longest pauses
)
_QUIET = 25.0  # seconds in which nothing more may come: two looks at the cursor


@dataclass(frozen=True, slots=True)
class Program:
    """What is run: the real thing, unless a test plants an error."""

    core: type[Core] = Core
    lease: type[Lease] = Lease
    settles: bool = True
    recognises: bool = False
    """IRC is said to know posts again, even where it has no history."""
    gate: type[Gate] = Gate
    handle: Callable[[Event, Media], str] = handle
    until: Callable[[int], int] = int
    """Until when a link works that is to work until then."""


class World:
    """One simulation. `history`, `merges` and `rewinds` are its rules, drawn from the seed: without history a line
    whose fate nobody knows may come twice; a store that forgets what it merged may merge differently, and one that
    forgets what it sent cannot remove it: where the store is rewound, people change nothing that they have said."""

    def __init__(self, seed: int, program: Program) -> None:
        rng = random.Random(seed)
        self.history = rng.random() < 0.7
        self.rewinds = self.history and rng.random() < 0.6
        self.merges = not self.rewinds
        self.weather = Weather(rng)
        self.home = Homeserver(self.weather)
        self.libera = IrcServer(self.weather, history=self.history)
        self.libera.lost = self.count_doubts
        self.disk = Disk(rng)
        self.by_hand: dict[str, EventKey] = {}
        """What people on IRC mean to edit by writing what was wrong in it."""
        self.leftovers: list[str] = []
        self.doubts: dict[str, int] = {}
        """How often the fate of a post that had arrived on IRC was unknown."""
        self.revoked: set[str] = set()
        """The files and texts to which an operator has revoked the links, by their handles."""
        self.key = rng.randbytes(32)
        self.last = rng.choice(_LAST)
        """Seconds that links to files and texts work."""
        self.links = tuple(replace(link, rules=replace(_RULES, files_last=self.last)) for link in LINKS)
        self.starts = 0
        """Of the process so far."""
        self.ended = 0.0
        """When all had come to rest, in seconds since the epoch."""
        self.program = program
        self._process: asyncio.Task[None] | None = None
        self._store: SimulatedStore | None = None
        self._users = MemoryUsers()
        self._users.add(*(User(name, identities=(identity(net, name),)) for net in PEOPLE for name in PEOPLE[net]))

    async def run(self) -> None:
        """Run everything; check the world afterwards. TimeoutError if it never comes to rest."""
        async with asyncio.TaskGroup() as group:
            people = [group.create_task(self._talk(room, who)) for room, who in _voices()]
            supervisor = group.create_task(self._supervise())
            nemesis = group.create_task(self._harm(_TROUBLE))
            watch = group.create_task(self._watch())
            await asyncio.wait({*people, nemesis})
            self._calm()
            await self._settle()
            self.ended = self.weather.clock()
            supervisor.cancel()
            watch.cancel()

    async def _watch(self) -> None:
        """Note what waits although its message is removed, and it was said before that."""
        while not self.rewinds:
            await asyncio.sleep(1.0)
            rows = self.disk.sql.execute(
                "SELECT d.id, e.type FROM events AS r JOIN events AS e ON e.target = r.target AND e.seq < r.seq"
                " JOIN deliveries AS d ON d.event = e.seq WHERE r.type = 'redaction' AND e.type != 'redaction'"
                " AND d.state = 'queued' AND d.id NOT IN (SELECT value FROM posts, json_each(posts.deliveries))"
            ).fetchall()
            self.leftovers += [f"{kind} {delivery} waits though its message is removed" for delivery, kind in rows]

    async def _talk(self, room: Room, who: str) -> None:
        rng = self.weather.rng
        server = self.home if room.network == "home" else self.libera
        by_hand = self.by_hand if self.history else None
        person = Person(who, room, server, rng, changes=not self.rewinds, by_hand=by_hand, knows=self._knows)
        await asyncio.sleep(5.0)  # the first connections are made: before that nothing is owed
        for _ in range(_MESSAGES):
            if rng.random() < 0.6:
                await asyncio.sleep(rng.expovariate(_MESSAGES / _TROUBLE))
            person.speak()
            while rng.random() < _AMENDS:
                if rng.random() < 0.5:
                    await asyncio.sleep(rng.expovariate(_MESSAGES / _TROUBLE))
                person.amend()

    def _knows(self, said: Said) -> bool:
        place = (said.room.network, said.room.id, said.id)
        query = "SELECT 1 FROM sent WHERE network = ? AND room = ? AND remote = ?"
        return self.disk.sql.execute(query, place).fetchone() is not None

    # The process

    async def _supervise(self) -> None:
        """Start the process, and start it again when it is gone, as its service manager would."""
        while True:
            self._process = asyncio.create_task(self._serve())
            try:
                await asyncio.wait({self._process})
            finally:
                self._process.cancel()
                await asyncio.wait({self._process})
            if not self._process.cancelled() and (error := self._process.exception()) is not None:
                expect_lease_lost(error)
                self.weather.note("lease lost")
            await asyncio.sleep(self.weather.rng.uniform(0.2, 3.0))

    async def _serve(self) -> None:
        weather, program = self.weather, self.program
        self.starts += 1
        self._store = store = SimulatedStore(self.disk, weather.clock, program.core, program.lease)
        try:
            networks: list[Network] = [
                MatrixNetwork("home", self.home, weather, merges=self.merges),
                IrcNetwork("libera", self.libera, weather, settles=program.settles, recognises=program.recognises),
            ]
            gate = program.gate(self._users, Sessions(self._users, weather.clock, 1.0), self.links, clock=weather.clock)
            shared = Shared(weather.clock, weather.rng, Notices(weather.clock))
            shared.link_to, shared.link_to_text = self.link_to, self._link_to_text
            relay = Relay(gate, shared)
            leases = [await patient(partial(self._begin, store, network.name)) for network in networks]
            async with asyncio.TaskGroup() as group:
                for network, lease in zip(networks, leases, strict=True):
                    group.create_task(relay.accept(network, lease))
                    group.create_task(relay.deliver(network, lease, asyncio.Event()))
        finally:
            await store.aclose()
            self.libera.cut()

    def link_to(self, event: Event, file: Media) -> str:
        return links.link(PUBLIC_URL, self.key, self.program.handle(event, file), self.program.until(file.until))

    def _link_to_text(self, event: Event) -> str:
        until = self.program.until(event.text_until)
        return links.link(PUBLIC_URL, self.key, text_handle(event), until, links.TEXT)

    async def _begin(self, store: SimulatedStore, network: str) -> Lease:
        """A lease, and a place to resume at, before anything is said."""
        lease = await store.acquire(network, "")
        assert lease is not None
        if await lease.cursor() is None:
            await lease.commit(Commit(None, "0"))
        return lease

    async def _crash(self) -> None:
        """Kill the process wherever it is; its memory is lost."""
        if self._process is not None and self._store is not None:
            self.weather.note("crash")
            await self._store.aclose()
            self._process.cancel()
            await asyncio.wait({self._process})
            self.disk.crash()

    # The nemesis

    async def _harm(self, seconds: float) -> None:
        rng, loop = self.weather.rng, asyncio.get_running_loop()
        faults: list[Callable[[], Awaitable[None]]] = [
            self._crash,
            self._crash_at_commit,
            self._cut,
            self._pause,
            self._no_homeserver,
            self._no_irc,
            self._no_store,
            self._forgetful,
        ]
        faults += [self._rewind, self._rewind] if self.rewinds else [self._revoke]
        await asyncio.sleep(6.0)
        while loop.time() < seconds + 6.0:
            if self.rewinds and rng.random() < 0.7:
                self.disk.keep()
            await asyncio.sleep(rng.uniform(0.0, 5.0))
            await rng.choice(faults)()
        if self.rewinds and rng.random() < 0.5:
            await asyncio.sleep(rng.uniform(0.0, 5.0))
            await self._rewind()

    def _calm(self) -> None:
        self.weather.note("calm")
        self.weather.rough = self.disk.loses = 0.0
        self.disk.available = True

    async def _crash_at_commit(self) -> None:
        """The process is gone between a transaction and its answer."""
        self.disk.countdown = self.weather.rng.randint(1, 8)
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await self.disk.struck.wait()
            await self._crash()
        self.disk.countdown = 0

    async def _cut(self) -> None:
        self.libera.cut()

    async def _pause(self) -> None:
        self.weather.note("pause")
        self.weather.paused_until = asyncio.get_running_loop().time() + self.weather.rng.uniform(0.5, 15.0)

    async def _no_homeserver(self) -> None:
        self.home.online = False
        await asyncio.sleep(self.weather.rng.uniform(0.1, 8.0))
        self.home.online = True
        self.home.stir.ring()

    async def _no_irc(self) -> None:
        self.libera.online = False
        self.libera.cut()
        await asyncio.sleep(self.weather.rng.uniform(0.1, 8.0))
        self.libera.online = True
        self.libera.stir.ring()

    async def _no_store(self) -> None:
        self.disk.available = False
        await asyncio.sleep(self.weather.rng.uniform(0.1, 5.0))
        self.disk.available = True

    async def _forgetful(self) -> None:
        """Answers are lost for a while, the store's and the servers'."""
        self.disk.loses = self.weather.rough = 0.2
        await asyncio.sleep(self.weather.rng.uniform(1.0, 8.0))
        self.disk.loses = self.weather.rough = 0.0

    async def _rewind(self) -> None:
        """An older copy of the store, most often under a process that runs."""
        if self.weather.rng.random() < 0.3:
            await self._crash()
        self.weather.note(f"rewind {self.disk.rewind()}")

    async def _revoke(self) -> None:
        """An operator revokes the links to what is in a message, whoever runs on the store meanwhile."""
        sql = self.disk.sql
        found = sql.execute(
            "SELECT DISTINCT e.id, e.network FROM media AS m JOIN events AS e ON e.seq = m.event WHERE source != ''"
            " ORDER BY e.seq"
        ).fetchall()
        if found:
            event, network = self.weather.rng.choice(found)
            open_ones = "SELECT handle FROM media WHERE source != ''"
            before = {name for (name,) in sql.execute(open_ones)}
            number = self.program.core(sql, self.weather.clock).revoke_of(event, network)
            gone = before - {name for (name,) in sql.execute(open_ones)}
            assert len(gone) == sum(number)
            self.revoked |= gone
            self.weather.note(f"links to {event} revoked")

    # The end

    async def _settle(self) -> None:
        async with asyncio.timeout(_SETTLES):
            while True:
                await asyncio.sleep(_QUIET)
                if not self.unfinished():
                    return

    def unfinished(self) -> int:
        """How many deliveries are queued or dead."""
        count: int = self.disk.sql.execute(
            "SELECT count(*) FROM deliveries WHERE state IN ('queued', 'dead')"
        ).fetchone()[0]
        return count

    def count_doubts(self) -> None:
        """Whatever has arrived and is still frozen may be sent again, unless its proof was there and left to be noted
        some time."""
        for (post,) in self.disk.sql.execute("SELECT id FROM posts"):
            if post in self.libera.posts and post not in self.libera.recognised:
                self.doubts[post] = self.doubts.get(post, 0) + 1


def _voices() -> list[tuple[Room, str]]:
    people = {**PEOPLE, "home": (*PEOPLE["home"], GUEST)}
    return [(room, who) for link in LINKS for room in link.rooms for who in people[room.network]]


def identity(network: str, name: str) -> Identity:
    if network == "home":
        return Identity(Proof.MATRIX, "", f"@{name}:hs")
    return Identity(Proof.IRC, network, name)


async def patient(verb: Callable[[], Awaitable[Result]]) -> Result:
    """What `verb` gives once the store is there."""
    while True:
        try:
            return await verb()
        except Unavailable:
            await asyncio.sleep(1.0)


def expect_lease_lost(error: BaseException) -> None:
    """Raise `error` unless all that it says is that the lease is lost: the process then has to stop."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            expect_lease_lost(one)
    elif not isinstance(error, LeaseLost):
        raise error
