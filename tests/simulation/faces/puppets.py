"""Members with nicks of their own on IRC: the real adapter with its puppets, on a server in memory; and a nemesis."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace

from bridge.irc.client import IrcNetwork
from bridge.irc.dialect.operations import Say, decode
from bridge.irc.puppets import nicks
from bridge.model.event import Message, Moderation, Room
from bridge.model.presentation import Banned, Memberships, Presentation
from bridge.model.text import words
from bridge.network import Batch, Network
from bridge.relay.admins import Admins
from bridge.relay.intake import Relay
from bridge.relay.notices import Notices
from bridge.relay.shared import Shared
from bridge.rules.gate import Gate
from bridge.rules.link import Guests, Link, Rules
from bridge.store import Lease, PatientMemory
from bridge.users.sessions import Sessions
from tests.settings import irc_settings
from tests.simulation.faces.ircd import Client, Features, Ircd
from tests.simulation.faces.troubled import TROUBLE_S, Fault, Troubled
from tests.simulation.matrix import MatrixNetwork
from tests.simulation.world import identity

ON_MATRIX, GUEST, ON_IRC = ("alice", "carol", "dora"), "erin", ("bob", "dave")
USERNAMES = {nicks.username(str(identity("home", name))): name for name in ON_MATRIX}
"""The members, by the user names of their puppets."""
CHANNELS = ("#pond", "#lake")
_MESSAGES = 6  # of each person in each room
_SERVICES = "Guest"


class _Heard(IrcNetwork):
    """`acknowledged`: the ids of all events after which more was asked for. That a puppet was kicked is not passed on:
    the homeserver's model cannot tell it."""

    acknowledged: set[str]

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        async with aclosing(super().events(cursor)) as batches:
            async for batch in batches:
                carried = tuple(event for event in batch.events if not isinstance(event.body, Moderation))
                yield replace(batch, events=carried)
                self.acknowledged.update(event.id for event in batch.events)


class PuppetWorld(Troubled):
    """Without history, a line whose fate nobody knows may come twice, if the bridge `resends` it, else never: `doubts`
    counts how often nobody knew it, by its words."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        rng = self.rng
        tags = rng.random() < 0.75
        echo = tags and rng.random() < 0.7
        history = rng.choice(("pages", "replay", "")) if tags else ""
        self.features = Features(tags, echo, echo and rng.random() < 0.5, history, tags and rng.random() < 0.6)
        self.limit = rng.choice((2, 3, 30))
        self.every = rng.choice((0, 1, 5))
        self.banned = Banned.MARK if rng.random() < 0.3 else Banned.REFUSE
        self.resends = rng.random() < 0.5
        self._idle = rng.choice(("6s", "20s", "7d"))
        self.acknowledged: set[str] = set()
        self.doubts: Counter[str] = Counter()
        self.links = tuple(
            Link(
                name,
                (Room("home", f"#{name}:hs"), Room("libera", f"#{name}")),
                Rules(guests=Guests.RELAY, memberships=Memberships.OFF),
                presentation=Presentation(guard_names=False, colour_names=False, puppets=True, banned=self.banned),
            )
            for name in ("pond", "lake")
        )

    def begin(self) -> None:
        self.ircd = Ircd(self.weather, self.features)
        self.ircd.doubtful, self.ircd.owners = self._count_doubts, USERNAMES
        self._people = {name: self.ircd.person(name, [*CHANNELS], name) for name in ON_IRC}
        self._imposters = 0

    def talk(self) -> Sequence[Coroutine[None, None, None]]:
        here = [self._talk(link.rooms[0], name) for link in self.links for name in (*ON_MATRIX, GUEST)]
        there = [self._talk_on_irc(link.rooms[1].id, name) for link in self.links for name in ON_IRC]
        return [*here, *there]

    async def _talk(self, room: Room, who: str) -> None:
        """Lines of which each has words of its own."""
        await asyncio.sleep(5.0)
        for number in range(_MESSAGES):
            await self._think()
            said = f"{room.id[1:].removesuffix(':hs')}.{who}.{number}"
            text = f"{said};\n{said}+;" if self.rng.random() < 0.25 else f"{said};"
            self.home.say(room, who, Message(words(text)))

    async def _talk_on_irc(self, channel: str, who: str) -> None:
        await asyncio.sleep(5.0)
        for number in range(_MESSAGES):
            await self._think()
            self.ircd.say(self._people[who], channel, f"{channel[1:]}.{who}.{number};")

    async def _think(self) -> None:
        if self.rng.random() < 0.7:
            await asyncio.sleep(self.rng.expovariate(_MESSAGES / TROUBLE_S))

    # The process

    def networks(self, home: Lease, libera: Lease) -> tuple[Sequence[Network], Relay]:
        weather, ircd = self.weather, self.ircd
        ircd.run = self.starts
        gate = Gate(self.users, Sessions(self.users, weather.clock, 1.0), self.links, clock=weather.clock)
        puppets = {
            "limit": self.limit,
            "idle": self._idle,
            "connect_every": f"{self.every}s" if self.every else "off",
        }
        irc = _Heard(
            irc_settings(
                "libera",
                username="duck",
                tls=False,
                burst=10,
                per_second=5.0,
                puppets=puppets,
                resend_doubtful=self.resends,
            ),
            [Room("libera", channel) for channel in CHANNELS],
            clock=weather.clock,
            rng=self.rng,
            memory=PatientMemory(libera),
            connect=ircd.connect,
            members=gate,
        )
        irc.acknowledged = self.acknowledged
        shared = Shared(weather.clock, self.rng, Notices(weather.clock))
        shared.admins = Admins(self.users, shared.notices)
        shared.admins.network = "home"
        return (MatrixNetwork("home", self.home, weather, merges=False), irc), Relay(gate, shared)

    def die(self) -> None:
        for pipe in self.ircd.pipes:
            pipe.sever()

    def _count_doubts(self, on_its_way: bytes) -> None:
        """A connection is over: what is in the channel, or will be, and frozen still, may be said again."""
        seen = {spoken.text for spoken in self.ircd.spoken}
        for (payload,) in self.disk.sql.execute("SELECT payload FROM posts WHERE network = 'libera'"):
            said = decode(payload)
            if isinstance(said, Say) and ({said.text, said.unmarked} & seen or said.unmarked.encode() in on_its_way):
                self.doubts[said.unmarked] += 1

    # The nemesis

    def faults(self) -> Sequence[Fault]:
        return (
            self._cut_main,
            self._cut_a_puppet,
            self._cut_a_puppet,
            self._cut_all,
            self._kill,
            self._kick,
            self._ban,
            self._moderate,
            self._throttle,
            self._refuse_nicks,
            self._rename,
            self._lag,
            self._lag_and_cut,
            self._kick_unseen,
            self._no_irc,
            self._imposter,
        )

    def _puppet(self) -> Client | None:
        puppets = self.ircd.puppets()
        return self.rng.choice(puppets) if puppets else None

    async def _cut_main(self) -> None:
        self._cut([each for each in self.ircd.clients if each.user == "duck"])

    async def _cut_a_puppet(self) -> None:
        self._cut([puppet] if (puppet := self._puppet()) is not None else [])

    async def _cut_all(self) -> None:
        self._cut(self.ircd.clients)

    def _cut(self, clients: Sequence[Client]) -> None:
        for each in [*clients]:
            if each.pipe is not None:
                self.weather.note(f"{each.nick} cut")
                each.pipe.cut()

    async def _kill(self) -> None:
        if (puppet := self._puppet()) is not None:
            self.ircd.throw_out(puppet, "Killed (op (enough))", killed=True)

    async def _kick(self) -> None:
        if (puppet := self._puppet()) is not None:
            self.ircd.kick(puppet, self.rng.choice(CHANNELS), "enough")

    async def _ban(self) -> None:
        """Somebody is banned from a channel for a while, with a kick or without."""
        if (puppet := self._puppet()) is None:
            return
        channel, user = self.rng.choice(CHANNELS), puppet.user
        self.ircd.ban(channel, user, on=True)
        if self.rng.random() < 0.5:
            self.ircd.kick(puppet, channel, "banned")
        await self._later(lambda: self.ircd.ban(channel, user, on=False), within_s=40.0)

    async def _moderate(self) -> None:
        """Only the bridge itself may speak for a while."""
        channel = self.rng.choice(CHANNELS)
        self.ircd.moderated.add(channel)
        await self._later(lambda: self.ircd.moderated.discard(channel))

    async def _throttle(self) -> None:
        self.ircd.greets = lambda client, _nick: (
            "" if client.user in ("", "duck") else "ERROR :Closing link: (Trying to reconnect too fast.)"
        )
        await self._later(self._greet_again)

    async def _refuse_nicks(self) -> None:
        answer = self.rng.choice(("432", "433", "437"))
        self.ircd.greets = lambda client, nick: answer if nick in ON_MATRIX and self.rng.random() < 0.8 else ""
        await self._later(self._greet_again)

    def _greet_again(self) -> None:
        self.ircd.greets = lambda _client, _nick: ""

    async def _rename(self) -> None:
        """Services take a nick from a puppet."""
        if (puppet := self._puppet()) is not None:
            self._imposters += 1
            self.ircd.rename(puppet, f"{_SERVICES}{self._imposters}")

    async def _lag(self) -> None:
        """One connection, or each, is slow for a while."""
        pipes = [each.pipe for each in self.ircd.clients if each.pipe is not None]
        for pipe in pipes if self.rng.random() < 0.2 else pipes and [self.rng.choice(pipes)]:
            pipe.lag(self.rng.uniform(0.3, 12.0))

    async def _lag_and_cut(self) -> None:
        """The bridge is back before what a puppet writes has come."""
        puppet = self._puppet()
        if puppet is not None and puppet.pipe is not None:
            puppet.pipe.lag(self.rng.uniform(2.0, 8.0))
            await asyncio.sleep(self.rng.uniform(0.0, 1.0))
            await self._cut_main()

    async def _kick_unseen(self) -> None:
        """The puppet is back before the bridge sees that it was kicked."""
        for each in self.ircd.clients:
            if each.user == "duck" and each.pipe is not None:
                each.pipe.lag(self.rng.uniform(2.0, 8.0))
        await self._kick()

    async def _no_irc(self) -> None:
        self.ircd.away = True
        self._cut(self.ircd.clients)
        await asyncio.sleep(self.rng.uniform(0.1, 8.0))
        self.ircd.away = False

    async def _imposter(self) -> None:
        """Somebody has the nick of a member for a while, and says something."""
        free = [name for name in ON_MATRIX if self.ircd.with_nick(name) is None]
        if not free:
            return
        self._imposters += 1
        somebody = self.ircd.person(self.rng.choice(free), [*CHANNELS], host="elsewhere")
        channel = self.rng.choice(CHANNELS)
        self.ircd.say(somebody, channel, f"{channel[1:]}.imposter.{self._imposters};")
        await self._later(lambda: self.ircd.quit(somebody, "bye"))

    async def _later(self, then: Callable[[], None], within_s: float = 12.0) -> None:
        """Something else may go wrong meanwhile."""
        asyncio.get_running_loop().call_later(self.rng.uniform(1.0, within_s), then)

    def calm(self) -> None:
        super().calm()
        self._greet_again()
        self.ircd.away = False
        self.ircd.moderated.clear()
        for channel, user in sorted(self.ircd.banned):
            self.ircd.ban(channel, user, on=False)
