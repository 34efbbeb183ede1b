"""A real Redis server for tests, in a process of its own on loopback; and one that all tests of a run share."""

import asyncio
import atexit
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from uuid import uuid4

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from bridge.demo.servers.process import HOST, Process, which
from bridge.store.redis import RedisStore
from bridge.store.redis.address import Address
from bridge.store.redis.server import Server
from tests.conftest import need
from tests.integration.certificates import Signed


class RedisServer(Process):
    """Redis that loses nothing: it writes each change to its disk before it answers. `settings` are further ones. With
    `tls`, a certificate for `localhost`, clients have to use TLS."""

    program = "redis-server"

    def __init__(self, folder: Path, tls: Signed | None = None, **settings: str) -> None:
        super().__init__(folder)
        self._is_secure = tls is not None
        self._settings = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": '""',
            "repl-diskless-sync-delay": "0",
            "shutdown-timeout": "0",
            "maxmemory-policy": "noeviction",
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        if tls is not None:
            self._settings |= {"port": "0", "tls-port": str(self.port), "tls-auth-clients": "no"}
            self._settings |= {"tls-cert-file": str(tls.certificate), "tls-key-file": str(tls.key)}

    def url(self, name: str = "bridge", password: str = "") -> str:
        """The address of a store of that `name`."""
        login = f":{password}@" if password else ""
        where = f"rediss://{login}localhost" if self._is_secure else f"redis://{login}{HOST}"
        return f"{where}:{self.port}/0?name={name}"

    def store(self, name: str = "bridge") -> RedisStore:
        """A store of that `name`, without asking for the settings, which takes some time."""
        return RedisStore(Server(Address.parse(self.url(name))), lambda: 1_000.0)

    def prepare(self) -> None:
        lines = (f"{name} {value}" for name, value in self._settings.items())
        (self.folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str]:
        return (which(self.program) or self.program, str(self.folder / "redis.conf"))


@cache
def shared() -> RedisServer:
    """The server of this run, which ends with it. Each test has a store of its own there."""
    folder = TemporaryDirectory(prefix="redis")
    server = RedisServer(Path(folder.name))
    _aside(server.start)

    def end() -> None:
        asyncio.run(server.stop())
        folder.cleanup()

    atexit.register(end)
    return server


def new_store() -> RedisStore:
    """A new, empty store on the shared server."""
    need(RedisServer)
    return shared().store(unique())


async def run_out(store: RedisStore, network: str) -> None:
    """Let the lease of `network` run out, as if its owner had not renewed it."""
    if await store.server.client.hexists(store.keys.name("net", network), "until"):
        await store.server.client.hset(store.keys.name("net", network), "until", "0")


def forget_mover(url: str) -> None:
    """A minute passes, after which the mark of a command that was killed while it moved the store counts no more."""
    address = Address.parse(url)
    with Redis(**address.login()) as client:
        mark = f"{address.prefix}moving"
        if int(str(client.ttl(mark))) >= 0:
            client.delete(mark)
        else:
            client.hset(mark, "until", "0")


def unique() -> str:
    """A name that no other store has."""
    return uuid4().hex


def _aside(start: object) -> None:
    """Run it in a loop of its own, also where one runs already."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(start())).result()  # type: ignore[operator]


class RedisSentinel(RedisServer):
    """Watches the server at the port `primary`, under the name `pond`, with others of its kind: two have to agree."""

    def __init__(self, folder: Path, primary: int) -> None:
        super().__init__(folder)
        self._primary = primary

    def prepare(self) -> None:
        lines = (
            f"bind {HOST}",
            f"port {self.port}",
            f"dir {self.folder}",
            f"sentinel monitor pond {HOST} {self._primary} 2",
            "sentinel down-after-milliseconds pond 3000",
            "sentinel failover-timeout pond 20000",
        )
        (self.folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str]:
        return (*super().command(), "--sentinel")


class Primary:
    """A server with two replicas, and three sentinels, which give it another one when it is gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server = RedisServer(folder / "primary")
        self._exits = AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._exits.enter_async_context(self.server)
        for name in ("one", "two"):
            replica = RedisServer(self._folder / name, replicaof=f"{HOST} {self.server.port}")
            await self._exits.enter_async_context(replica)
        sentinels = [RedisSentinel(self._folder / f"sentinel{n}", self.server.port) for n in range(3)]
        for sentinel in sentinels:
            await self._exits.enter_async_context(sentinel)
        hosts = ",".join(f"{HOST}:{sentinel.port}" for sentinel in sentinels)
        self.url = f"redis+sentinel://{hosts}/0?service=pond"
        await self._known(sentinels)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def _known(self, sentinels: Sequence[RedisSentinel]) -> None:
        """Return when all sentinels know the replicas and each other."""
        async with asyncio.timeout(30):
            for sentinel in sentinels:
                async with AsyncRedis(host=HOST, port=sentinel.port) as client:
                    while True:
                        about: Any = await client.sentinel_master("pond")
                        if (about["num-slaves"], about["num-other-sentinels"]) == (2, 2):
                            break
                        await asyncio.sleep(0.2)
