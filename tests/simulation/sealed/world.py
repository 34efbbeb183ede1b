"""People in an encrypted room and an encrypted conversation, the relay with the real Matrix adapter, and a nemesis."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from unittest.mock import patch

from bridge.matrix import client
from bridge.matrix.client import MatrixNetwork
from bridge.matrix.crypto import encryption
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.opening import Opening
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.dialect.fields import Json
from bridge.model.event import Event, Message, Room
from bridge.model.outbox import Delivery
from bridge.model.text import words
from bridge.network import Network
from bridge.relay.intake import Relay
from bridge.relay.notices import Notices
from bridge.relay.shared import Shared
from bridge.rules.gate import Gate
from bridge.rules.link import Guests, Link, Rules
from bridge.store import Commit, Lease, LeaseLost, PatientMemory, Unavailable, stored
from bridge.store.schema import drop_uncopied
from bridge.users import User
from bridge.users.sessions import Sessions
from tests.events import matrix, said
from tests.fakes.users import MemoryUsers
from tests.settings import matrix_settings
from tests.simulation.irc import IrcNetwork, IrcServer
from tests.simulation.sealed.http import Connection
from tests.simulation.sealed.person import Person
from tests.simulation.sealed.server import PASSWORD, US, RoomState, Server
from tests.simulation.store import Disk, SimulatedStore
from tests.simulation.weather import Weather
from tests.simulation.world import expect_lease_lost, identity, patient

_ALIAS, POND, PRIVATE = "#pond:hs", "!pond:hs", "!private:hs"
_HOME, LIBERA = Room("home", _ALIAS), Room("libera", "#pond")
_LINK = Link("pond", (_HOME, LIBERA), Rules(guests=Guests.RELAY))
_MESSAGES = 8  # of each person in each place
_TROUBLE = 40.0  # seconds
_SETTLES = 900.0  # seconds after the last trouble in which everything has to arrive
_QUIET = 40.0  # seconds in which nothing more may come: what waits for its key is tried every 30 s


class SealedWorld:
    """One simulation. `rewinds`: backups of the store are put back. `lease` is what the process runs on, and `copies`
    whether backups have the keys in them, which is an error."""

    def __init__(self, seed: int, lease: type[Lease] = Lease, *, copies: bool = False) -> None:
        rng = random.Random(seed)
        self.rewinds = rng.random() < 0.4
        self.weather = Weather(rng)
        self._lease, self._copies = lease, copies
        self._disk = Disk(rng)
        self._users = MemoryUsers()
        names = (("home", "alice"), ("home", "carol"), ("libera", "bob"), ("libera", "dave"))
        self._users.add(*(User(name, identities=(identity(network, name),)) for network, name in names))
        self._process: asyncio.Task[None] | None = None
        self._store: SimulatedStore | None = None
        self._home_lease: Lease | None = None
        self.waited: set[str] = set()
        """Messages that have waited for a key, or for the devices of their senders."""
        self.notices: list[Event] = []
        self._begun = asyncio.Event()

    async def run(self) -> None:
        """Run everything; check the world afterwards. TimeoutError if it never comes to rest."""
        rooms = (RoomState(POND, ["@alice:hs", "@carol:hs"], _ALIAS), RoomState(PRIVATE, ["@carol:hs"]))
        self.server = Server(self.weather, rooms)
        self.irc = IrcServer(self.weather, history=True)
        self.people = [Person("alice", self.server), Person("carol", self.server)]
        async with asyncio.TaskGroup() as group:
            supervisor = group.create_task(self._supervise())
            await self._begun.wait()
            tasks = [group.create_task(self._talk(person, POND)) for person in self.people]
            tasks += [group.create_task(self._talk(self.people[1], PRIVATE)), group.create_task(self._tell())]
            tasks += [group.create_task(self._talk_on_irc(name)) for name in ("bob", "dave")]
            tasks += [group.create_task(self._harm(_TROUBLE))]
            await asyncio.wait(tasks)
            self._calm()
            await self._settle()
            supervisor.cancel()

    # People

    async def _talk(self, person: Person, room_id: str) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(_MESSAGES):
                await asyncio.sleep(self.weather.rng.expovariate(_MESSAGES / _TROUBLE))
                text = f"{room_id[1:].removesuffix(':hs')}.{person.user[1:].removesuffix(':hs')}.{number};"
                self.weather.note(text)
                group.create_task(person.say(room_id, text))

    async def _talk_on_irc(self, name: str) -> None:
        for number in range(_MESSAGES):
            await asyncio.sleep(self.weather.rng.expovariate(_MESSAGES / _TROUBLE))
            self.irc.say(LIBERA, name, Message(words(f"irc.{name}.{number};")))

    async def _tell(self) -> None:
        """Something is owed to the private conversation."""
        for number in range(_MESSAGES):
            await asyncio.sleep(self.weather.rng.expovariate(_MESSAGES / _TROUBLE))
            self.notices.append(said(_HOME, matrix("duck"), f"told.duck.{number};", f"$told {number}"))
            await self._owe(self.notices[-1])

    async def _owe(self, notice: Event) -> None:
        """However often it takes: it is known by its id."""
        delivery = Delivery.of(notice.key, Room("home", PRIVATE))
        while True:
            try:
                async with asyncio.timeout(2.0):
                    if self._home_lease is not None:
                        await self._home_lease.commit(Commit(None, None, [notice], [delivery]))
                        return
            except (Unavailable, LeaseLost, TimeoutError):
                pass
            await asyncio.sleep(0.5)

    # The process

    async def _supervise(self) -> None:
        while True:
            self._process = asyncio.create_task(self._serve())
            try:
                await asyncio.wait({self._process})
            finally:
                self._process.cancel()
                await asyncio.wait({self._process})
            if not self._process.cancelled() and (error := self._process.exception()) is not None:
                expect_lease_lost(error)
            await asyncio.sleep(self.weather.rng.uniform(0.2, 3.0))

    async def _serve(self) -> None:
        weather = self.weather
        self._store = store = SimulatedStore(self._disk, weather.clock, lease=self._lease)
        try:
            home, libera = [await patient(lambda name=name: _begin(store, name)) for name in ("home", "libera")]  # type: ignore[misc]
            matrix = self._matrix(home)
            networks: Sequence[Network] = [matrix, IrcNetwork("libera", self.irc, weather, settles=True)]
            self._home_lease = home
            users = Sessions(self._users, weather.clock, 1.0)
            gate = Gate(self._users, users, [_LINK], clock=weather.clock, commands=lambda *_: True)
            relay = Relay(gate, Shared(weather.clock, weather.rng, Notices(weather.clock)))
            async with asyncio.TaskGroup() as group:
                for network, lease in zip(networks, (home, libera), strict=True):
                    group.create_task(relay.accept(network, lease))
                    group.create_task(relay.deliver(network, lease, asyncio.Event()))
                await matrix.ready()
                self._begun.set()
        finally:
            self._home_lease = None
            await store.aclose()
            self.irc.cut()

    def _matrix(self, lease: Lease) -> MatrixNetwork:
        settings, weather = matrix_settings("home", "http://localhost", US, PASSWORD), self.weather
        opening = partial(_Opening, self.waited)
        server = patch.object(client, "Homeserver", lambda *_: Connection(self.server))
        with server, patch.object(encryption, "Opening", opening):
            return MatrixNetwork(settings, [_HOME], PatientMemory(lease), clock=weather.clock, rng=weather.rng)

    # The nemesis

    async def _harm(self, seconds: float) -> None:
        rng, loop = self.weather.rng, asyncio.get_running_loop()
        faults: list[Callable[[], Awaitable[None]]] = [self._crash, self._crash, self._crash_at_commit, self._pause]
        faults += [
            self._crash_at_commit,
            self._no_homeserver,
            self._no_store,
            self._forgetful,
            self._log_out,
            self._cut,
        ]
        faults += [self._restore, self._restore] if self.rewinds else []
        end = loop.time() + seconds
        while loop.time() < end:
            if self.rewinds and rng.random() < 0.7:
                self._disk.keep()
            await asyncio.sleep(rng.uniform(0.0, 4.0))
            await rng.choice(faults)()

    def _calm(self) -> None:
        self.weather.note("calm")
        self.weather.rough = self._disk.loses = 0.0
        self._disk.available = self.server.online = True

    async def _crash(self) -> None:
        if self._process is not None and self._store is not None:
            self.weather.note("crash")
            await self._store.aclose()
            self._process.cancel()
            await asyncio.wait({self._process})
            self._disk.crash()

    async def _crash_at_commit(self) -> None:
        """The process is gone between a transaction and its answer."""
        self._disk.countdown = self.weather.rng.randint(1, 8)
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await self._disk.struck.wait()
            await self._crash()
        self._disk.countdown = 0

    async def _restore(self) -> None:
        """A backup is put in the place of the store, without the keys, while the process is stopped."""
        await self._crash()
        self.weather.note(f"restored {self._disk.rewind()}")
        if not self._copies:
            drop_uncopied(self._disk.sql)

    async def _log_out(self) -> None:
        """Our token expires."""
        for device in self.server.devices[US].values():
            device.token = ""

    async def _cut(self) -> None:
        self.irc.cut()

    async def _pause(self) -> None:
        self.weather.paused_until = asyncio.get_running_loop().time() + self.weather.rng.uniform(0.5, 10.0)

    async def _no_homeserver(self) -> None:
        self.server.online = False
        await asyncio.sleep(self.weather.rng.uniform(0.1, 6.0))
        self.server.online = True
        self.server.stir.ring()

    async def _no_store(self) -> None:
        self._disk.available = False
        await asyncio.sleep(self.weather.rng.uniform(0.1, 4.0))
        self._disk.available = True

    async def _forgetful(self) -> None:
        """Answers are lost for a while, the store's and the servers'."""
        self._disk.loses = self.weather.rough = 0.2
        await asyncio.sleep(self.weather.rng.uniform(1.0, 6.0))
        self._disk.loses = self.weather.rough = 0.0

    # The end

    async def _settle(self) -> None:
        for notice in self.notices:  # a restored store may not know them
            await self._owe(notice)
        async with asyncio.timeout(_SETTLES):
            while True:
                await asyncio.sleep(_QUIET)
                if not self._unfinished():
                    return

    def _unfinished(self) -> int:
        query = "SELECT count(*) FROM deliveries WHERE state IN ('queued', 'dead') AND network IN ('home', 'libera')"
        return int(self._disk.sql.execute(query).fetchone()[0])

    def heard_in_private(self) -> set[str]:
        """The ids of what was heard in the private conversation."""
        query = "SELECT id FROM events WHERE network = 'home' AND room = ?"
        return {event_id for (event_id,) in self._disk.sql.execute(query, (PRIVATE,))}


class _Opening(Opening):
    """Notes which messages have waited."""

    def __init__(self, waited: set[str], keys: Keys, rows: Rows, clock: Callable[[], float]) -> None:
        super().__init__(keys, rows, clock)
        self._waited = waited

    async def open(self, room_id: str, event: Json) -> Json | None:
        opened = await super().open(room_id, event)
        if opened is None:
            self._waited.add(str(event["event_id"]))
        return opened


async def _begin(store: SimulatedStore, network: str) -> Lease:
    """A lease; on IRC also a place to resume at, and on Matrix a private conversation, before anything is said."""
    lease = await store.acquire(network, "")
    assert lease is not None
    if network == "home":
        await stored(lease.remember, {f"private {PRIVATE}": "@carol:hs"})
    elif await lease.cursor() is None:
        await lease.commit(Commit(None, "0"))
    return lease
