"""People on IRC as themselves on Matrix: the real sending with ghosts, on a homeserver in memory; and a nemesis."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.render import render
from bridge.matrix.dialect.sync import Membership
from bridge.matrix.ghosts.registration import Tokens
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.model.event import Event, Message, Room
from bridge.model.outbox import Owed, Post
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import DEFAULT, Banned, Ghosts, Memberships, Presentation
from bridge.model.text import words
from bridge.network import Batch, Network
from bridge.relay.intake import Relay
from bridge.relay.notices import Notices
from bridge.relay.shared import Shared
from bridge.rules.gate import Gate
from bridge.rules.link import Guests, Link, Rules
from bridge.store import Lease, PatientMemory
from bridge.users.sessions import Sessions
from tests.matrix.ghosts.house import ROOM, US, House, Run, ghost
from tests.simulation.faces.troubled import TROUBLE_S, Fault, Troubled
from tests.simulation.irc import IrcNetwork, IrcServer
from tests.simulation.weather import Stir, Weather

FAR = Room("libera", "#pond")
ON_IRC, ON_MATRIX = ("bob", "dave", "erin"), ("alice", "carol")
"""erin is a guest."""
_OPERATOR = "@op:hs"
_MESSAGES = 8  # of each person


class Homeserver(House):
    """`log`: all that a sync would tell, in order; `online`: whether it answers at all."""

    def __init__(self, weather: Weather) -> None:
        super().__init__(public=True)
        self.online = True
        self.stir = Stir()
        self.log: list[tuple[str, str, Json] | Membership] = []
        self._weather = weather

    def say(self, user: str, text: str) -> None:
        """Somebody says something, who is no account of ours."""
        self.members.setdefault(user, ("join", user))
        self._done(user, ["rooms", "!pond", "send", "m.room.message", f"t{len(self.log)}"], {"body": text})

    def remove(self, user: str, how: str) -> None:
        """An operator kicks (`leave`) or bans somebody, or lifts their ban."""
        before, _ = self.members[user]
        self.members[user] = (how, _OPERATOR)
        event = {"unsigned": {"prev_content": {"membership": before}}}
        self._weather.note(f"{user}: {before} -> {how}")
        self._tell(Membership(user, how, "", _OPERATOR, "loud", event))

    async def _answered(
        self, user: str, method: str, path: Sequence[str], query: Mapping[str, str], body: str | None
    ) -> Json:
        self._check()
        asked: Json = {} if body is None else json.loads(body)
        try:
            await self._weather.latency(0.005, 0.3)
        except asyncio.CancelledError:
            if self.online and self._weather.rng.random() < 0.5:
                with suppress(ApiError):
                    self._done(user, path, asked)  # it was on its way
            raise
        self._check()
        answer = self._done(user, path, asked)
        await self._weather.latency(0.005, 0.3)
        if self._weather.strikes():
            raise Unreachable("the answer was lost")
        return answer

    def _done(self, user: str, path: Sequence[str], body: Json) -> Json:
        before = len(self.events)
        answer = super()._done(user, path, body)
        if len(self.events) > before:
            event_id, sender, content = [*self.events.values()][-1]
            self._weather.note(f"{event_id} <{sender}> {content.get('body')}")
            self._tell((event_id, sender, content))
        return answer

    def _tell(self, entry: tuple[str, str, Json] | Membership) -> None:
        self.log.append(entry)
        self.stir.ring()

    def _check(self) -> None:
        if not self.online:
            raise Unreachable("away")
        if self._weather.strikes():
            raise ApiError(429, "M_LIMIT_EXCEEDED", "too many", self._weather.rng.uniform(0.1, 3.0))


class _Account:
    """What a run of our account keeps: its memory is the lease's."""

    def __init__(self, house: House, lease: Lease, path: Path, weather: Weather) -> None:
        self.house, self.memory, self.path, self._weather = house, PatientMemory(lease), path, weather

    @property
    def now(self) -> float:
        return self._weather.clock()


class GhostNetwork:
    """The real rendering and sending with ghosts; what is heard is read from the homeserver's log."""

    name = "home"
    window = 1

    def __init__(self, house: Homeserver, lease: Lease, path: Path, weather: Weather) -> None:
        self._house, self._weather = house, weather
        self._run = Run(_Account(house, lease, path, weather), 86_400.0)  # type: ignore[arg-type]
        self._logged_in = asyncio.Event()

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        run, house, position = self._run, self._house, int(cursor or 0)
        await run.faces.recall()
        self._logged_in.set()
        holding = asyncio.create_task(run.faces.hold())
        try:
            while True:
                while not house.online or position == len(house.log):
                    await house.stir.wait()
                await self._weather.latency(0.005, 0.2)
                heard = [event for entry in house.log[position:] if (event := self._heard(entry)) is not None]
                position = len(house.log)
                yield Batch(tuple(heard), str(position))
        finally:
            holding.cancel()
            await asyncio.wait({holding})

    def _heard(self, entry: tuple[str, str, Json] | Membership) -> Event | None:
        if isinstance(entry, Membership):
            self._run.faces.hear(self._run.joined, entry)
            return None
        event_id, user, content = entry
        if user == US or self._run.faces.is_ours(user):
            return None
        sender = Sender("home", user, user[1:].partition(":")[0], (Identity(Proof.MATRIX, "", user),))
        return Event(event_id, ROOM, sender, self._weather.clock(), Message(words(str(content["body"]))))

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        return render(owed, Place(how))

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        await self._logged_in.wait()
        return await self._run.sending.send(post, again=again)

    def recognises(self, room: Room) -> bool:
        return True

    def leave(self) -> bool:
        return False

    def absence(self, room: Room) -> str | None:
        return None

    def use(self, rooms: Sequence[Room]) -> None:
        """Every room is a configured one."""

    async def ready(self) -> None:
        """It has joined long ago."""


class GhostWorld(Troubled):
    """`folder`: for the file with the tokens of our registration."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed)
        self._path = folder / "ghosts-home.json"
        Tokens.kept(self._path)
        self.banned = Banned.MARK if self.rng.random() < 0.4 else Banned.REFUSE
        shown = Presentation(ghosts=Ghosts.SPEAKERS, banned=self.banned)
        rules = Rules(guests=Guests.RELAY, memberships=Memberships.OFF, ghosts=Ghosts.SPEAKERS)
        self._link = Link("pond", (ROOM, FAR), rules, presentation=shown)

    def begin(self) -> None:
        self.libera = IrcServer(self.weather, history=True)
        self.house = Homeserver(self.weather)
        self.house.remembers_transactions = self.rng.random() < 0.7
        self.house.public = self.rng.random() < 0.5

    def talk(self) -> Sequence[Coroutine[None, None, None]]:
        return [*map(self._talk_on_irc, ON_IRC), *map(self._talk, ON_MATRIX)]

    async def _talk_on_irc(self, who: str) -> None:
        await asyncio.sleep(5.0)
        for number in range(_MESSAGES):
            await asyncio.sleep(self.rng.expovariate(_MESSAGES / TROUBLE_S) * self.rng.choice((0, 1)))
            self.libera.say(FAR, who, Message(words(f"irc.{who}.{number};")))

    async def _talk(self, who: str) -> None:
        await asyncio.sleep(5.0)
        for number in range(_MESSAGES):
            await asyncio.sleep(self.rng.expovariate(_MESSAGES / TROUBLE_S))
            self.house.say(f"@{who}:hs", f"home.{who}.{number};")

    def networks(self, home: Lease, libera: Lease) -> tuple[Sequence[Network], Relay]:
        weather = self.weather
        gate = Gate(self.users, Sessions(self.users, weather.clock, 1.0), [self._link], clock=weather.clock)
        relay = Relay(gate, Shared(weather.clock, self.rng, Notices(weather.clock)))
        irc = IrcNetwork("libera", self.libera, weather, settles=True)
        return (GhostNetwork(self.house, home, self._path, weather), irc), relay

    def die(self) -> None:
        self.libera.cut()

    # The nemesis

    def faults(self) -> Sequence[Fault]:
        return (self._remove, self._remove, self._forget, self._cut, self._forget_transactions)

    async def _cut(self) -> None:
        self.libera.cut()

    async def _remove(self) -> None:
        """A ghost is kicked or banned, most often for a while."""
        there = [user for user, (how, _) in self.house.members.items() if how == "join" and user.startswith("@irc_")]
        if not there:
            return
        user, how = self.rng.choice(there), self.rng.choice(("leave", "ban"))
        self.house.remove(user, how)
        lifted = "leave" if how == "ban" else "invite"
        if self.rng.random() < 0.7:
            asyncio.get_running_loop().call_later(self.rng.uniform(1.0, 12.0), self.house.remove, user, lifted)

    async def _forget(self) -> None:
        """The homeserver is without our registration for a while."""
        self.house.known = False
        asyncio.get_running_loop().call_later(self.rng.uniform(1.0, 10.0), self._register)

    def _register(self) -> None:
        self.house.known = True

    async def _forget_transactions(self) -> None:
        self.house.remembers_transactions = False

    async def _no_homeserver(self) -> None:
        self.house.online = False
        await asyncio.sleep(self.rng.uniform(0.1, 6.0))
        self.house.online = True
        self.house.stir.ring()

    def calm(self) -> None:
        super().calm()
        self.house.known = self.house.online = True


__all__ = ["FAR", "ON_IRC", "ON_MATRIX", "US", "GhostWorld", "ghost"]
