"""The faults: each brings trouble to a scene, takes it away again, and returns when all was back (monotonic)."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bridge.demo.servers import Process
from tests.faults.proxy import Proxy
from tests.faults.scene import Fault, Scene

AWAY = 5.0  # seconds that a killed server is away
HOLE = 30.0  # seconds that a black hole lasts
FULL = 4.0  # seconds that the disk is full

_ATTACH = 20.0  # seconds for strace to hold every thread


def ended(number: signal.Signals, times: int) -> Fault:
    """The daemon gets the signal at a random point, `times` times, and is started again each time; it may not have
    become ready when the next comes."""

    async def fault(scene: Scene) -> float:
        for _ in range(times):
            await scene.daemon.stop(number)
            await scene.daemon.start()
            await asyncio.sleep(scene.rng.uniform(0.3, 2.5))
        await scene.daemon.ready()
        return time.monotonic()

    return fault


def stopped_for(seconds: float) -> Fault:
    """The daemon is killed, and is away for a while."""

    async def fault(scene: Scene) -> float:
        await scene.daemon.stop(signal.SIGKILL)
        await asyncio.sleep(seconds)
        return await scene.restart_daemon()

    return fault


async def irc_killed(scene: Scene, away: float = AWAY) -> float:
    return await _killed(scene.irc, away)


async def homeserver_killed(scene: Scene, away: float = AWAY) -> float:
    return await _killed(scene.synapse, away)


async def both_killed(scene: Scene, away: float = AWAY) -> float:
    return max(await asyncio.gather(_killed(scene.irc, away), _killed(scene.synapse, away)))


async def _killed(server: Process, away: float) -> float:
    await server.kill()
    await asyncio.sleep(away)
    await server.start()
    return time.monotonic()


async def irc_black_holed(scene: Scene, seconds: float = HOLE) -> float:
    return await _black_holed(scene.irc_way, seconds)


async def homeserver_black_holed(scene: Scene, seconds: float = HOLE) -> float:
    return await _black_holed(scene.home_way, seconds)


async def _black_holed(way: Proxy, seconds: float) -> float:
    way.black_hole()
    await asyncio.sleep(seconds)
    way.restore()
    return time.monotonic()


async def ways_cut(scene: Scene) -> float:
    """Both connections are reset."""
    scene.irc_way.cut()
    scene.home_way.cut()
    return time.monotonic()


async def disk_full(scene: Scene, seconds: float = FULL) -> float:
    """Every write to the database fails with ENOSPC for a while, and for as long as the daemon needs to notice."""
    async with _no_space(scene.daemon.pid):
        await scene.daemon.logged("store_unavailable")
        await asyncio.sleep(seconds)
    return time.monotonic()


class CannotTraceError(Exception):
    """strace may not attach to a process here; the text is its own."""


@asynccontextmanager
async def _no_space(pid: int) -> AsyncGenerator[None, None]:
    """The threads of `pid` find the disk full: strace holds them and lets pwrite64 fail. Only SQLite uses it here."""
    tracer = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC", "-p", str(pid)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert tracer.stderr is not None
    draining = None
    try:
        async with asyncio.timeout(_ATTACH):
            said = await tracer.stderr.readline()
        if b"attached" not in said:
            raise CannotTraceError(said.decode().strip())
        draining = asyncio.create_task(_drain(tracer.stderr), name="strace's own log")  # ends with strace
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tracer.pid, signal.SIGTERM)
        if draining is not None:
            await draining
        await tracer.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass
