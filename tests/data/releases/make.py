"""python -m tests.data.releases.make  Keep a configuration, users and a store of the present version, for the tests of
all later ones. Run it once, right before a release, and never change the files afterwards."""

import asyncio
import shutil
import time
from contextlib import aclosing
from pathlib import Path

import bridge
from bridge.model.outbox import Addressed
from bridge.model.people import Identity, Proof
from bridge.store import Commit, Dead
from bridge.store.sqlite import SqliteStore
from bridge.users import Role, User
from bridge.users.tinydb import TinyUsers
from tests.events import HOME, LIBERA, matrix, said

_CONFIG = """\
networks:
  home: {type: matrix, homeserver: "http://127.0.0.1:8008", user: "@duck:pond.social", password_file: secrets/home}
  libera: {type: irc, server: "127.0.0.1:6667", tls: false, nick: duck}
links:
  pond: {rooms: ["home/#pond:pond.social", "libera/#pond"], bots: [duck]}
bots:
  duck: {use: "bots.duck:Duck"}
"""


async def _fill(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, time.time)) as store:
        lease = await store.acquire("home", "release")
        assert lease is not None
        events = [said(HOME, matrix("alice"), f"line {number}", f"${number}") for number in range(3)]
        owed = [Addressed(event, LIBERA) for event in events]
        await lease.commit(Commit(None, "cursor 1", events, [each.delivery for each in owed]))
        await lease.remember({"device": "DUCK"})
        irc = await store.acquire("libera", "release")
        assert irc is not None
        await irc.settle(Dead([owed[2].delivery.id], "too long"))


def make(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(_CONFIG)
    asyncio.run(_fill(folder / "quackbridge.sqlite"))
    users = TinyUsers.create(folder / "users.json")
    users.add(User("alice", Role.ADMIN, identities=(Identity(Proof.MATRIX, "", "@alice:pond.social"),)))
    users.add(User("bob", identities=(Identity(Proof.IRC, "libera", "bob"),)))
    for left in [*folder.iterdir()]:
        if left.name not in ("config.yaml", "quackbridge.sqlite", "users.json"):
            left.unlink()


if __name__ == "__main__":
    here = Path(__file__).parent / bridge.__version__
    shutil.rmtree(here, ignore_errors=True)
    make(here)
