"""The room of a scene, carried by two workers with one store on PostgreSQL, each behind a way to it that can be cut."""

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from bridge.store.postgres.users import UsersText
from bridge.store.redis.users import UsersText as RedisText
from bridge.users.tinydb import TinyUsers
from tests.fakes.redis import Primary
from tests.faults.cases import SEED, seeded
from tests.faults.proxy import Proxy
from tests.faults.scene import PASSWORD, Outcome, Scene, run, scene
from tests.integration.daemon import Daemon
from tests.integration.servers import Anope
from tests.postgres import Postgres

_TAKEN_OVER = 25.0
"""Seconds from the trouble until all has arrived: 15 are promised, and these machines are shared."""
_PATIENCE_S = 90.0


@dataclass
class Worker:
    daemon: Daemon
    way: Proxy
    """To the store."""


@dataclass
class Workers:
    """Two workers; `standby` is the server that follows the one of the store. With `primary`, the store is on Redis."""

    scene: Scene
    server: Postgres
    standby: Postgres | None
    primary: Primary | None
    pair: tuple[Worker, Worker]

    def owner(self, network: str) -> Worker:
        """The worker that runs `network`."""
        ((worker,),) = self.server.execute("SELECT worker FROM networks WHERE name = %s", network)
        return next(each for each in self.pair if worker.endswith(f":{each.daemon.pid}"))


Trouble = Callable[[Workers], Awaitable[float]]
"""Brings trouble; returns when it began, or, if nobody could do anything before, when it was over (monotonic)."""


def ended(network: str, number: signal.Signals) -> Trouble:
    """The worker that runs `network` ends, and is started again later."""

    async def trouble(workers: Workers) -> float:
        daemon = workers.owner(network).daemon
        began = time.monotonic()
        await daemon.stop(number)
        await asyncio.sleep(20)
        await daemon.start()
        return began

    return trouble


def asleep(network: str, seconds: float = 30) -> Trouble:
    """The worker that runs `network` is stopped for a while, and wakes up."""

    async def trouble(workers: Workers) -> float:
        daemon = workers.owner(network).daemon
        began = time.monotonic()
        daemon.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        daemon.send(signal.SIGCONT)
        async with asyncio.timeout(_PATIENCE_S):
            while not any(line.get("event") == "network_lost" for line in daemon.log):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        return began

    return trouble


def cut_off(network: str, seconds: float = 30) -> Trouble:
    """The worker that runs `network` does not reach the store for a while, but all else."""

    async def trouble(workers: Workers) -> float:
        way = workers.owner(network).way
        began = time.monotonic()
        way.black_hole()
        await asyncio.sleep(seconds)
        way.restore()
        return began

    return trouble


async def store_killed(workers: Workers, away: float = 5) -> float:
    """The server of the store is killed, and comes back."""
    await workers.server.kill()
    await asyncio.sleep(away)
    await workers.server.start()
    return time.monotonic()


async def failed_over(workers: Workers) -> float:
    """The server of the store is killed for good, and its standby takes its place."""
    assert workers.standby is not None
    await workers.server.kill()
    await asyncio.to_thread(workers.standby.promote)
    # who is waited for by nobody any more: it would be the next standby
    await asyncio.to_thread(workers.standby.execute, "ALTER SYSTEM SET synchronous_standby_names = ''")
    await asyncio.to_thread(workers.standby.execute, "SELECT pg_reload_conf()")
    workers.server = workers.standby
    return time.monotonic()


async def redis_failed_over(workers: Workers) -> float:
    """The primary of the store on Redis is killed for good, and its sentinels choose another."""
    assert workers.primary is not None
    began = time.monotonic()
    await workers.primary.server.kill()
    return began


async def holds(
    trouble: Trouble,
    folder: Path,
    synapse: Synapse,
    services: Anope,
    report: list[Outcome],
    *,
    standby: bool = False,
    redis: bool = False,
) -> None:
    """`trouble` loses nothing and doubles nothing, and all arrives in order and in time."""
    async with _workers(folder, synapse, services, standby=standby, redis=redis) as workers:

        async def fault(_: Scene) -> float:
            return await trouble(workers)

        outcome = await run(workers.scene, fault)
        report.append(outcome)
    for verdict in (outcome.to_irc, outcome.to_matrix):
        assert verdict.owed == 121, seeded(outcome)
        assert not verdict.lost, seeded(outcome)
        assert not verdict.doubled, seeded(outcome)
        assert not verdict.out_of_order, seeded(outcome)
        assert max(verdict.first or 0, verdict.whole or 0) <= _TAKEN_OVER, seeded(outcome)


@asynccontextmanager
async def _workers(
    folder: Path, synapse: Synapse, services: Anope, *, standby: bool, redis: bool
) -> AsyncGenerator[Workers, None]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(Postgres())
        follower = await stack.enter_async_context(_standby(server)) if standby else None
        first = folder / "first"
        first.mkdir()
        place = await stack.enter_async_context(scene(first, synapse, services.irc, services, SEED))
        await place.daemon.stop()
        await services.register(_nick(first), PASSWORD)
        primary = await stack.enter_async_context(Primary(folder / "redis")) if redis else None
        text = RedisText(primary.url) if primary is not None else UsersText(server.url)
        TinyUsers.create(text).put(*TinyUsers(first / "data" / "users.json").list())
        text.close()
        second = folder / "second"
        shutil.copytree(first, second, ignore=shutil.ignore_patterns(".*", "*.sqlite*"))
        ways = [await stack.enter_async_context(Proxy(server.port)) for _ in range(2)]
        for there, way in zip((first, second), ways, strict=True):
            _share(there, way, follower, primary)
        other = await stack.enter_async_context(Daemon(second))
        await place.daemon.start()
        await place.daemon.ready()
        await other.ready()
        yield Workers(place, server, follower, primary, (Worker(place.daemon, ways[0]), Worker(other, ways[1])))


def _nick(folder: Path) -> str:
    return str(yaml.safe_load((folder / "config.yaml").read_text())["networks"]["irc"]["nick"])


def _share(folder: Path, way: Proxy, follower: Postgres | None, primary: Primary | None) -> None:
    """Let the config in `folder` name the shared store."""
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    hosts = ",".join(f"{HOST}:{port}" for port in (way.port, *([follower.port] if follower is not None else [])))
    config["store"]["url"] = f"postgresql://quackbridge@{hosts}/quackbridge" if primary is None else primary.url
    config["users"] = {"database": "store"}
    irc = config["networks"]["irc"]  # with an account, a worker gets its nick back from the connection of another
    irc["nickserv"] = {"password": PASSWORD, "recover": "recover"}
    path.write_text(yaml.safe_dump(config))


@asynccontextmanager
async def _standby(server: Postgres) -> AsyncGenerator[Postgres, None]:
    """A server that follows `server`, which answers nobody before its standby has all on its disk, too."""
    async with Postgres(of=server) as follower:
        server.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        server.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(_PATIENCE_S):
            while server.execute("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:  # noqa: ASYNC110  (a server is no event)
                await asyncio.sleep(0.1)
        yield follower
