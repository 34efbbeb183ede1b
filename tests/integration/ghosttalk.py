"""A homeserver whose registration has a `url`, our account there with the endpoint at that URL, and people who talk."""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from bridge.http import appservice
from bridge.http.appservice import Peer
from bridge.matrix.client import MatrixNetwork
from bridge.matrix.dialect.ghost_ids import escaped
from bridge.matrix.ghosts.registration import Tokens, token_file
from bridge.model.event import Event, Room
from bridge.model.outbox import Delivery, Known, Owed
from bridge.model.people import Sender
from bridge.model.presentation import Ghosts, Presentation
from bridge.network import Batch
from tests.events import irc, said
from tests.fakes.memory import Notebook
from tests.http.house import serving
from tests.integration.haunted import haunted
from tests.integration.servers import unique
from tests.settings import matrix_settings

PASSWORD = "quack-quack"
HOW = Presentation(ghosts=Ghosts.SPEAKERS)
_FAR = Room("libera", "#pond")


@dataclass
class Home:
    """The homeserver; `port`: where it reaches us; `folder`: where our tokens are."""

    server: Synapse
    port: int
    folder: Path

    @property
    def tokens(self) -> Tokens:
        return Tokens.kept(token_file(None, "home", self.folder))


def home(folder: Path, port: int) -> Home:
    return Home(haunted(folder, url=f"http://{HOST}:{port}"), port, folder / "data")


class Stalled(Exception):
    """The store takes nothing in."""


@dataclass
class Ours:
    """Our account, and a room where it speaks for people on IRC. `refuses`: who may not talk, and why, by their Matrix
    ids or nicks; `stored`: called before a batch is stored."""

    home: Home
    user: str
    alice: MatrixPerson
    room: Room
    memory: Notebook = field(default_factory=Notebook)
    cursor: str | None = None
    batches: list[Batch] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    stored: Callable[[Batch], None] = lambda _: None

    @asynccontextmanager
    async def runs(self, *, listens: bool = True) -> AsyncGenerator[MatrixNetwork, None]:
        """The adapter, and what stores what it hears. `listens`: the homeserver reaches it."""
        url = f"http://{HOST}:{self.home.port}"
        settings = matrix_settings("home", self.home.server.url, self.user, PASSWORD, ghosts={"url": url})
        network = MatrixNetwork(
            settings,
            [self.room],
            self.memory,
            clock=time.time,
            rng=random.Random(1),
            folder=self.home.folder,
            may_talk=lambda one, other: self.refuses.get(one.address) or self.refuses.get(other.address, ""),
        )
        listening = asyncio.create_task(self._listen(network))
        try:
            async with asyncio.timeout(20):
                await network.ready()
            if not listens:
                yield network
                return
            peers = [Peer("home", self.home.tokens.theirs, network)]
            async with serving(self.home.port, appservice.routes(lambda: peers)):
                yield network
        finally:
            listening.cancel()
            await asyncio.wait({listening})

    async def _listen(self, network: MatrixNetwork) -> None:
        async with aclosing(network.events(self.cursor)) as batches:
            async for batch in batches:
                self.stored(batch)
                await self.memory.remember(batch.changes)
                self.batches.append(batch)
                self.cursor = batch.cursor

    @property
    def heard(self) -> list[Event]:
        """What was heard in talks."""
        return [event for batch in self.batches for event in batch.events if event.private]

    def texts(self, room: Room | None = None) -> list[str]:
        return [text_of(event) for event in self.heard if room in (None, event.room)]

    @staticmethod
    async def until(true: Callable[[], object], seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110  (what is heard and kept rings no bell)
                await asyncio.sleep(0.02)

    def ghost(self, who: Sender) -> str:
        account = who.proofs[0].value if who.proofs else ""
        name = escaped((account or who.address).lower())
        return f"@irc_libera_{name}{'' if account else '_1'}:{self.home.server.server_name}"

    def talk(self, who: Sender, person: MatrixPerson | None = None) -> Room:
        return Room("home", f"{(person or self.alice).user_id}>libera/{who.address.lower()}")

    async def appears(self, network: MatrixNetwork, who: Sender) -> str:
        """`who` speaks in the linked room, and so has a ghost; its id."""
        await self._carry(network, said(_FAR, who, "hello all", unique("$")), self.room)
        return self.ghost(who)

    async def tell(self, network: MatrixNetwork, who: Sender, text: str, **more: Any) -> str:
        """`who` says something to alice in private; the id of what it became on Matrix."""
        return await self.carry(network, private(who, text), who, **more)

    async def carry(self, network: MatrixNetwork, event: Event, who: Sender, *known: Known, again: bool = False) -> str:
        return await self._carry(network, event, self.talk(who), *known, again=again)

    async def _carry(self, network: MatrixNetwork, event: Event, room: Room, *known: Known, again: bool = False) -> str:
        context = {each.source: each for each in known}
        item = Owed(Delivery.of(event.key, room).id, room, event, context, said=time.time())
        sent = [await network.send(post, again=again) for post in network.render([item], HOW)]
        return sent[0]

    async def put(self, number: str, body: object, token: str | None = None) -> tuple[int, Mapping[str, Any]]:
        """A transaction, as if by the homeserver."""
        bearer = self.home.tokens.theirs if token is None else token
        place = URL(f"http://{HOST}:{self.home.port}/_matrix/app/v1/transactions/{number}")
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {bearer}"}) as http,
            http.put(place, data=body if isinstance(body, bytes) else json.dumps(body)) as answer,
        ):
            return answer.status, await answer.json()


def text_of(event: Event) -> str:
    return "".join(span.text for span in event.text)


def person(nick: str = "", account: str | None = None, *, host: str = "b@one.example") -> Sender:
    """Somebody on IRC; with an account of the same name, unless it is ''."""
    nick = nick or unique("bob")
    return replace(irc(nick, nick if account is None else account or None), mask=f"{nick}!{host}")


def private(who: Sender, text: str, **more: Any) -> Event:
    """What `who` says to alice's puppet."""
    return said(Room("libera", f"alice>{who.address.lower()}"), who, text, unique("$"), private=True, **more)


@asynccontextmanager
async def talking(where: Home) -> AsyncGenerator[Ours, None]:
    server = where.server
    user, alias = await server.register(unique("duck"), PASSWORD), unique("pond")
    async with MatrixPerson(server.url, unique("alice")) as alice:
        await alice.create_room(alias)
        yield Ours(where, user, alice, Room("home", f"#{alias}:{server.server_name}"))


async def members(someone: MatrixPerson, room: str) -> Sequence[tuple[str, str]]:
    """Who is in the room, or was, and how."""
    found = await someone.call("GET", f"rooms/{room}/members")
    return [(each["state_key"], each["content"]["membership"]) for each in found["chunk"]]
