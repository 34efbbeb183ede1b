"""What every fault case needs: a room on real servers, the daemon behind two ways that can be cut, and traffic."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Process, Synapse
from bridge.demo.servers.process import HOST
from bridge.model.people import Identity, Proof
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.faults.checker import Verdict, check
from tests.faults.proxy import Proxy
from tests.faults.traffic import RATE, IrcSide, MatrixSide, Traffic
from tests.integration.daemon import Daemon, write_config
from tests.integration.servers import Anope, unique

PASSWORD = "quack-quack"
COUNT = 120  # messages each way

_TAGS = ("message-tags", "server-time", "account-tag", "echo-message", "batch")
_LATE = 20.0  # seconds after which what has not arrived is lost


@dataclass
class Scene:
    """A linked room; alice speaks on Matrix, bob on IRC. `services` is None where `irc` proves nobody: there bob is a
    member by his mask."""

    synapse: Synapse
    irc: Process
    services: Anope | None
    home_way: Proxy
    irc_way: Proxy
    daemon: Daemon
    traffic: Traffic
    rng: random.Random

    async def restart_daemon(self) -> float:
        """Start it again, and the time at which it is ready."""
        await self.daemon.start()
        await self.daemon.ready()
        return time.monotonic()


Fault = Callable[[Scene], Awaitable[float]]
"""Brings trouble and takes it away again; returns when all was back, in monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Both directions of one case. `gone` are the times between which the trouble lasted."""

    to_irc: Verdict
    to_matrix: Verdict
    gone: tuple[float, float]


async def run(scene: Scene, fault: Fault, count: int = COUNT) -> Outcome:
    """Talk, bring the trouble between the second and the fourth second, wait for the rest, and judge."""
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(scene.traffic.irc.watch(), name="bob watches")
        talking = group.create_task(scene.traffic.talk(count), name="talk")
        await asyncio.sleep(scene.rng.uniform(2, 4))
        start = time.monotonic()
        back = await fault(scene)
        await talking
        await scene.traffic.arrived(_LATE)
        await scene.traffic.talk(1)  # behind all the rest: what was to come twice has come
        await scene.traffic.arrived(_LATE / 4)
        watching.cancel()
    return judge(scene.traffic, start, back)


def judge(traffic: Traffic, start: float, back: float) -> Outcome:
    """Bob may be back later than his server (services have to come first): recovery counts from when he is."""
    back = max(back, traffic.irc.came)
    matrix, irc = traffic.matrix, traffic.irc
    return Outcome(check(matrix.said, irc.seen(), back), check(irc.said, matrix.seen(), back), (start, back))


@asynccontextmanager
async def scene(
    folder: Path,
    synapse: Synapse,
    irc: Process,
    services: Anope | None,
    seed: int,
    rate: float = RATE,
    puppets: Sequence[str] = (),
    tokens: Path | None = None,
) -> AsyncGenerator[Scene, None]:
    """All of it, with the daemon ready and nothing said yet. `puppets`: members who speak on Matrix in turns with
    alice; then all have nicks of their own on IRC. `tokens`: the file with those by which the homeserver lets people on
    IRC speak as ghosts."""
    duck, alice_name, bob_name, alias = (unique(word) for word in ("duck", "alice", "bob", "pond"))
    room, channel = f"#{alias}:{synapse.server_name}", f"#{alias}"
    sasl = (bob_name, PASSWORD) if services else None
    await synapse.register(duck, PASSWORD)
    if services:
        await services.register(bob_name, PASSWORD)
    async with (
        Proxy(synapse.port) as home_way,
        Proxy(irc.port) as irc_way,
        MatrixPerson(synapse.url, alice_name) as alice,
        AsyncExitStack() as stack,
    ):
        place = await alice.create_room(alias)
        others = [await stack.enter_async_context(MatrixPerson(synapse.url, name)) for name in puppets]
        for other in others:
            await other.join(place)
        faces = (alice_name, *puppets) if puppets else ()
        bob = IrcSide(lambda: IrcPerson(HOST, irc.port, bob_name, caps=_TAGS, sasl=sasl), channel, duck, faces)
        await bob.come()
        config = _config(synapse.user_id(duck), duck, home_way, irc_way, room, channel)
        config = with_puppets(config) if puppets else config
        config = with_ghosts(config, tokens) if tokens else config
        write_config(folder, config, {"home": PASSWORD})
        matrix = {name: synapse.user_id(name) for name in (alice_name, *puppets)}
        _members(folder, matrix, bob_name, by_mask=services is None)
        try:
            async with Daemon(folder) as daemon:
                await daemon.ready()
                await alice.sees(place, synapse.user_id(duck), timeout=30)
                side = MatrixSide(alice, place, synapse.user_id(duck), others)
                traffic = Traffic(side, bob, rate)
                yield Scene(synapse, irc, services, home_way, irc_way, daemon, traffic, random.Random(seed))
        finally:
            with suppress(OSError):
                await bob.leave()


def _config(user: str, nick: str, home: Proxy, irc: Proxy, room: str, channel: str) -> dict[str, Any]:
    flood = {"burst": 1000, "per_second": 1000}
    server = f"{HOST}:{irc.port}"
    return {
        "networks": {
            "home": {
                "type": "matrix",
                "homeserver": f"http://{HOST}:{home.port}",
                "user": user,
                "password_file": "secrets/home",
            },
            "irc": {
                "type": "irc",
                "server": server,
                "tls": False,
                "nick": nick,
                "flood": flood,
                "trust_hostmasks": True,
            },
        },
        "links": {"pond": {"rooms": [f"home/{room}", f"irc/{channel}"]}},
        "users": {"database": "data/users.json"},
        "store": {"path": "data/quackbridge.sqlite"},
    }


def with_ghosts(config: dict[str, Any], tokens: Path) -> dict[str, Any]:
    """The same, with ghosts."""
    config["links"]["pond"]["ghosts"] = "speakers"
    config["networks"]["home"]["ghosts"] = {"token_file": str(tokens)}
    return config


def with_puppets(config: dict[str, Any]) -> dict[str, Any]:
    """The same, with puppets, as fast as they can be made."""
    config["links"]["pond"]["puppets"] = "members"
    config["networks"]["irc"]["puppets"] = {"connect_every": "off"}
    return config


def _members(folder: Path, matrix: Mapping[str, str], bob: str, *, by_mask: bool) -> None:
    users = TinyUsers.create(folder / "data" / "users.json")
    for name, matrix_id in matrix.items():
        users.add(User(name, identities=(Identity(Proof.MATRIX, "", matrix_id),)))
    proof = Identity(Proof.IRC_MASK, "irc", f"{bob}!*@{HOST}") if by_mask else Identity(Proof.IRC, "irc", bob)
    users.add(User("bob", identities=(proof,)))
