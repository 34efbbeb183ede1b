"""A pond of its own for each test: rooms on the real servers, a config, a user database, the real daemon."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import InspIRCd, Synapse
from bridge.demo.servers.process import HOST
from bridge.model.people import Identity, Proof
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.integration.daemon import Daemon, write_config
from tests.integration.servers import Anope, NgIrcd, unique

PASSWORD = "quack-quack"
TAGS = ("message-tags", "server-time", "account-tag", "echo-message")


@dataclass
class Pond:
    """One link over a Matrix room and an IRC channel with services; alice is a member on Matrix, bob on IRC."""

    folder: Path
    synapse: Synapse
    services: Anope
    plain: NgIrcd | None = None
    room: str = ""
    channel: str = field(default_factory=lambda: f"#{unique('pond')}")
    duck: str = field(default_factory=lambda: unique("duck"))
    alice: str = field(default_factory=lambda: unique("alice"))
    bob: str = field(default_factory=lambda: unique("bob"))
    config: dict[str, object] = field(default_factory=dict)

    @property
    def irc(self) -> InspIRCd:
        return self.services.irc

    @property
    def duck_id(self) -> str:
        return self.synapse.user_id(self.duck)

    async def dig(self) -> None:
        """Make the accounts, the Matrix room, the config and the users."""
        registering = asyncio.create_task(self.services.register(self.bob, PASSWORD))  # it takes a second
        await self.synapse.register(self.duck, PASSWORD)
        alias = unique("pond")
        async with MatrixPerson(self.synapse.url, self.alice) as alice:
            await alice.create_room(alias)
        self.room = f"#{alias}:{self.synapse.server_name}"
        await registering
        self.config = self._config()
        write_config(self.folder, self.config, {"home": PASSWORD})
        users = TinyUsers.create(self.folder / "data" / "users.json")
        users.add(User("alice", identities=(Identity(Proof.MATRIX, "", self.synapse.user_id(self.alice)),)))
        users.add(User("bob", identities=(Identity(Proof.IRC, "irc", self.bob),)))

    def _config(self) -> dict[str, object]:
        matrix = {
            "type": "matrix",
            "homeserver": self.synapse.url,
            "user": self.duck_id,
            "password_file": "secrets/home",
        }
        networks: dict[str, object] = {"home": matrix, "irc": self.irc_network(self.irc.port)}
        rooms = [f"home/{self.room}", f"irc/{self.channel}"]
        if self.plain is not None:
            networks["plain"] = self.irc_network(self.plain.port)
            rooms.append(f"plain/{self.channel}")
        return {
            "networks": networks,
            "links": {"pond": {"rooms": rooms, "bots": ["duck"]}},
            "bots": {
                "duck": {
                    "use": "bots.duck:Duck",
                    "name": "Little Yellow Duck",
                    "brain": ["rules", "echo"],
                    "delay": 0.3,
                }
            },
            "users": {"database": "data/users.json"},
            "store": {"path": "data/quackbridge.sqlite"},
        }

    def irc_network(self, port: int) -> dict[str, object]:
        """An account of the duck on the server at `port`."""
        flood = {"burst": 1000, "per_second": 1000}
        return {"type": "irc", "server": f"{HOST}:{port}", "tls": False, "nick": self.duck, "flood": flood}

    @asynccontextmanager
    async def people(self) -> AsyncGenerator[tuple[MatrixPerson, IrcPerson], None]:
        """Alice and bob, in their rooms and logged in to their accounts."""
        async with AsyncExitStack() as stack:
            alice = await stack.enter_async_context(MatrixPerson(self.synapse.url, self.alice))
            bob = await stack.enter_async_context(self.person(self.bob, sasl=(self.bob, PASSWORD)))
            await bob.join(self.channel)
            yield alice, bob

    def person(self, nick: str, *, sasl: tuple[str, str] | None = None) -> IrcPerson:
        """Somebody on the IRC server."""
        return IrcPerson(HOST, self.irc.port, nick, caps=TAGS, sasl=sasl)

    def plain_person(self, nick: str) -> IrcPerson:
        """Somebody on the server without services."""
        assert self.plain is not None
        return IrcPerson(HOST, self.plain.port, nick)

    def daemon(self, before: str = "") -> Daemon:
        return Daemon(self.folder, before)


async def dug(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    """A pond in a folder of its own below `tmp_path`."""
    folder = tmp_path / "pond"
    folder.mkdir()
    pond = Pond(folder, synapse, services)
    await pond.dig()
    return pond
