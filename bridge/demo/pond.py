"""The pond: a homeserver, an IRC server, a room and a channel, who is a member there, and the bridge between them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.demo.daemon import Daemon
from bridge.demo.people import MatrixPerson
from bridge.demo.servers import InspIRCd, PyIrcd, Synapse
from bridge.demo.servers.process import HOST, free_port

CHANNEL = "#pond"
DUCK = "duck"
"""The bridge's nick on IRC and user on Matrix, and what the bot answers to."""

MEMBER_ON_MATRIX = "alice"
MEMBER_ON_IRC = "bob"
PASSWORD = "quack-quack"  # noqa: S105  (of every account of the demo, on loopback; it is printed)


@dataclass(frozen=True, slots=True)
class Pond:
    """A running demo: both servers, the bridge, and the id of the Matrix room."""

    synapse: Synapse
    irc: InspIRCd | PyIrcd
    daemon: Daemon
    room: str

    @property
    def alias(self) -> str:
        return f"{CHANNEL}:{self.synapse.server_name}"


@asynccontextmanager
async def dug(folder: Path, say: Callable[[str], None]) -> AsyncGenerator[Pond, None]:
    """Start everything in `folder`, telling each step to `say`; on leaving, stop everything."""
    irc: InspIRCd | PyIrcd = InspIRCd(folder / "irc") if InspIRCd.missing() is None else PyIrcd(folder / "irc")
    say(f"Starting Synapse and {'InspIRCd' if isinstance(irc, InspIRCd) else 'the pure-Python IRC server'} ...")
    async with Synapse(folder / "synapse") as synapse, irc:
        say("Making accounts, a room and a channel ...")
        await synapse.register(DUCK, PASSWORD)
        async with MatrixPerson(synapse.url, MEMBER_ON_MATRIX, PASSWORD) as alice:
            room = await alice.create_room(CHANNEL.removeprefix("#"))
        daemon = Daemon(folder / "bridge", _config(synapse, irc, free_port()), {"home": PASSWORD})
        daemon.prepare()
        say("Adding the members to the user database ...")
        await daemon.run("init-db")
        await daemon.run("add-user", MEMBER_ON_MATRIX, "--matrix", synapse.user_id(MEMBER_ON_MATRIX))
        await daemon.run("add-user", MEMBER_ON_IRC, "--irc-mask", f"pond/{MEMBER_ON_IRC}!*@{irc.mask_host}")
        say("Starting the bridge ...")
        async with daemon:
            try:
                yield Pond(synapse, irc, daemon, room)
            finally:
                say("Stopping everything ...")


def _config(synapse: Synapse, irc: InspIRCd | PyIrcd, port: int) -> dict[str, Any]:
    """The configuration of the bridge, whose links to files lead to `port`."""
    return {
        "networks": {
            "home": {
                "type": "matrix",
                "homeserver": synapse.url,
                "user": synapse.user_id(DUCK),
                "password_file": "secrets/home",
            },
            "pond": {
                "type": "irc",
                "server": f"{HOST}:{irc.port}",
                "tls": False,
                "nick": DUCK,
                "trust_hostmasks": True,  # on this server the host proves at least that it is somebody on this machine
                "flood": {"burst": 20, "per_second": 10},
            },
        },
        "links": {
            "pond": {
                "rooms": [f"home/{CHANNEL}:{synapse.server_name}", f"pond/{CHANNEL}"],
                "guests": "duck-only",
                "bots": [DUCK],
                "welcome": {
                    "member": "Welcome to the pond.",
                    "guest": "Your messages stay in {room}: only members are carried to the other side."
                    " Ask an admin, or say `help` to me.",
                },
            }
        },
        "bots": {
            DUCK: {
                "use": "bots.duck:Duck",
                "name": "Little Yellow Duck",
                "brain": ["commands", "rules", "echo"],
                "delay": 1.0,
                "answers": "mentioned",
            }
        },
        "http": {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}"},
        "users": {"database": "data/users.json"},
        "store": {"path": "data/quackbridge.sqlite"},
    }
