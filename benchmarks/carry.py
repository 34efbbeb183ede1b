"""Measures carrying on a real Synapse and a real InspIRCd: a message each way over the bridge, in a plain room, in an
encrypted one, and in one where the speakers have faces of their own, next to one that crosses the homeserver directly,
in the same run and in turns, so that noise hits all alike."""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import click
import psutil
from rich.console import Console

from benchmarks.figures import DIRECT, FACED, SEALED, TO_IRC, TO_MATRIX, WAYS, Burst, Figures, Latency
from benchmarks.sealed import Sealed, sealed
from bridge.demo.daemon import Daemon
from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import InspIRCd, Process, Synapse
from bridge.demo.servers.process import HOST
from bridge.matrix.ghosts.registration import Tokens, registration, token_file

_CHANNEL, _SEALED_CHANNEL, _FACED_CHANNEL = "#pond", "#lake", "#brook"
_WARM_UP = 10  # messages each way that are not counted: caches fill, connections open
POLL_AGAIN = 0.06  # seconds between messages, in which those who heard the last one sync again
_LATE = 120.0  # seconds to wait for the last line of a burst
_CPU_CLOCK = 2  # of a process: linux/posix-timers.h, CPUCLOCK_SCHED

_CHANNELS = {TO_MATRIX: _CHANNEL, SEALED[TO_MATRIX]: _SEALED_CHANNEL, FACED[TO_MATRIX]: _FACED_CHANNEL}
"""Where `bob` speaks."""

Hearer = MatrixPerson | IrcPerson | Sealed


@dataclass(frozen=True, slots=True)
class Stage:
    """The participants. `alice` and `bob` are members and speak; `reader` listens on Matrix, in the `linked` room, in
    the `faced` one, where `alice` has a puppet and `bob` a ghost, and, with `sitter`, in the `plain` one, which the
    bridge does not know. `ann` speaks and `rita` listens in the encrypted
    room; no one else is there, so that it has as many listeners; None if there is no such room."""

    alice: MatrixPerson
    bob: IrcPerson
    reader: MatrixPerson
    sitter: MatrixPerson
    plain: str
    linked: str
    faced: str
    daemon: psutil.Process
    url: str
    """Of the homeserver, as the bridge has it."""
    ann: Sealed | None = None
    rita: Sealed | None = None

    async def say(self, way: str, text: str) -> float:
        """When it was said, in monotonic seconds."""
        said = time.monotonic()
        if way == SEALED[TO_IRC]:
            assert self.ann is not None
            said = await self.ann.ask(say=text)
        elif (channel := _CHANNELS.get(way)) is not None:
            await self.bob.say(channel, text)
        else:
            await self.alice.send({DIRECT: self.plain, TO_IRC: self.linked}.get(way, self.faced), text)
        return said

    def hearers(self, way: str) -> Sequence[Hearer]:
        """The listeners who may be timed. A homeserver always answers those of a room in the same order, so timing
        always the same one would depend on luck."""
        if way in (TO_IRC, SEALED[TO_IRC], FACED[TO_IRC]):
            return (self.bob,)
        if way == SEALED[TO_MATRIX]:
            assert self.rita is not None
            return (self.rita,)
        return (self.reader, self.sitter) if way == DIRECT else (self.reader,)

    def cpu(self) -> float:
        """CPU seconds that the daemon has used, to the microsecond."""
        return cpu_of(self.daemon.pid)


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used, to the microsecond."""
    return time.clock_gettime(~pid << 3 | _CPU_CLOCK)


_Front = Callable[[int], AbstractAsyncContextManager[str]]
"""What stands before the homeserver at a port: gives its URL."""


@asynccontextmanager
async def _nothing(port: int) -> AsyncGenerator[str, None]:
    yield f"http://{HOST}:{port}"


@asynccontextmanager
async def staged(
    folder: Path,
    before: _Front = _nothing,
    more: Mapping[str, object] = MappingProxyType({}),
    *,
    encryption: bool = False,
) -> AsyncGenerator[Stage, None]:
    """The servers and the bridge, with `more` in its config, and `before` between it and the homeserver. `encryption`:
    with an encrypted room too."""
    async with _haunted(folder) as synapse, InspIRCd(folder / "irc") as irc, before(synapse.port) as url:
        await synapse.register("duck", "quack-quack")
        async with (
            MatrixPerson(synapse.url, "alice") as alice,
            MatrixPerson(synapse.url, "reader") as reader,
            MatrixPerson(synapse.url, "sitter") as sitter,
            IrcPerson(HOST, irc.port, "bob") as bob,
        ):
            plain, linked, faced = [await alice.create_room(name) for name in ("plain", "pond", "brook")]
            await reader.join(linked)
            await reader.join(faced)
            for person in (reader, sitter):  # three people, as in the other room with the duck: listeners cost time
                await person.join(plain)
            await bob.join(_CHANNEL)
            await bob.join(_FACED_CHANNEL)
            config = {**_config(synapse, irc, url, encryption=encryption), **more}
            daemon = Daemon(folder / "bridge", config, {"home": "quack-quack"})
            daemon.prepare()
            await daemon.run("init-db")
            await daemon.run("add-user", "alice", "--matrix", alice.user_id, "--matrix", synapse.user_id("ann"))
            await daemon.run("add-user", "bob", "--irc-mask", f"pond/bob!*@{irc.mask_host}")
            async with AsyncExitStack() as stack:
                others = await _sealed_people(stack, synapse, bob, folder) if encryption else ()
                await stack.enter_async_context(daemon)
                stage = Stage(
                    alice, bob, reader, sitter, plain, linked, faced, psutil.Process(daemon.pid), url, *others
                )
                for sealed_person in others:
                    await sealed_person.ask(knows=synapse.user_id("duck"))
                yield stage


def _haunted(folder: Path) -> Synapse:
    """A homeserver that knows the bridge as an application service."""
    registered = folder / "registration.yaml"
    synapse = Synapse(folder / "synapse", extra={"app_service_config_files": [str(registered)]})
    tokens = Tokens.kept(token_file(None, "home", folder / "bridge" / "data"))
    registered.write_text(registration(tokens, "home", synapse.server_name))
    return synapse


async def _sealed_people(stack: AsyncExitStack, synapse: Synapse, bob: IrcPerson, folder: Path) -> Sequence[Sealed]:
    """Those in the encrypted room, which they make."""
    people = []
    for name in ("ann", "rita"):
        await synapse.register(name, "quack-quack")
        people.append(await stack.enter_async_context(sealed(synapse.url, name, folder / name)))
    await people[0].ask(make=_SEALED_CHANNEL.removeprefix("#"))
    await people[1].ask(join=f"{_SEALED_CHANNEL}:{synapse.server_name}")
    await bob.join(_SEALED_CHANNEL)
    return people


def _config(synapse: Synapse, irc: InspIRCd, url: str, *, encryption: bool) -> dict[str, object]:
    channels = [_CHANNEL, _FACED_CHANNEL, *([_SEALED_CHANNEL] if encryption else [])]
    links: dict[str, dict[str, object]] = {
        channel[1:]: {"rooms": [f"home/{channel}:{synapse.server_name}", f"pond/{channel}"]} for channel in channels
    }
    links[_FACED_CHANNEL[1:]] |= {"puppets": "members", "ghosts": "speakers"}
    return {
        "networks": {
            "home": {
                "type": "matrix",
                "homeserver": url,
                "user": synapse.user_id("duck"),
                "password_file": "secrets/home",
                "encryption": encryption,
            },
            "pond": {
                "type": "irc",
                "server": f"{HOST}:{irc.port}",
                "tls": False,
                "nick": "duck",
                "trust_hostmasks": True,
                "flood": {"burst": 100000, "per_second": 100000},
            },
        },
        "links": links,
        "users": {"database": "data/users.json"},
        "store": {"path": "data/quackbridge.sqlite"},
    }


async def crossing(stage: Stage, way: str, text: str, hearer: Hearer) -> float:
    """Seconds from saying `text` until `hearer` has it."""
    hearing = asyncio.ensure_future(hearer.heard(lambda heard: heard.text.endswith(text), _LATE))
    said = await stage.say(way, text)
    return (await hearing).at - said


async def _latencies(stage: Stage, samples: int) -> tuple[dict[str, Latency], dict[str, float]]:
    """The latency each way, and the daemon's CPU milliseconds a message: from before it is said until the next."""
    ways = [*WAYS]
    taken: dict[str, list[float]] = {way: [] for way in ways}
    cpu = dict.fromkeys(ways, 0.0)
    rng = random.Random(1)
    for number in range(-_WARM_UP, samples):
        rng.shuffle(ways)
        for way in ways:
            used = stage.cpu()
            taken[way].append(await crossing(stage, way, f"{way} {number}.", rng.choice(stage.hearers(way))))
            await asyncio.sleep(POLL_AGAIN)
            cpu[way] += (stage.cpu() - used) * 1000 / samples if number >= 0 else 0.0
    return {way: Latency.of(taken[way][_WARM_UP:]) for way in WAYS}, cpu


async def _burst(stage: Stage, way: str, count: int) -> Burst:
    """Say `count` numbered lines as fast as they are accepted. On Matrix, wait for each to be accepted, which keeps
    their order."""
    hearer = stage.hearers(way)[0]
    before, used, began = len(hearer.messages), stage.cpu(), time.monotonic()
    for number in range(count):
        await stage.say(way, f"line {number} of the burst {way}.")
    last = await hearer.heard(lambda heard: f"line {count - 1} of the burst {way}." in heard.text, _LATE)
    seconds = last.at - began
    await crossing(stage, way, f"the end of {way}", hearer)  # a barrier: after it, nothing is on its way
    heard = [message.text for message in hearer.messages[before:] if f"of the burst {way}." in message.text]
    return Burst.of(count, heard, seconds, stage.cpu() - used)


async def measure(samples: int, lines: int, progress: Callable[[str], None]) -> Figures:
    with tempfile.TemporaryDirectory(prefix="quackbridge-bench-") as folder:
        progress("starting the servers and the bridge")
        async with staged(Path(folder), encryption=True) as stage:
            at_start = stage.daemon.memory_info().rss / 1e6
            progress(f"{samples} messages each way, in turns")
            latency, cpu = await _latencies(stage, samples)
            burst = {}
            for way in latency:
                progress(f"{lines} lines at once: {way}")
                burst[way] = await _burst(stage, way, lines)
            return Figures(samples, lines, latency, burst, cpu, at_start, stage.daemon.memory_info().rss / 1e6)


@click.command()
@click.option("--samples", default=150, show_default=True, help="Messages each way, one at a time.")
@click.option("--lines", default=200, show_default=True, help="Lines of a burst, each way.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, samples: int, lines: int, as_json: bool) -> None:
    """Measure; the status is 1 where a line was lost, doubled or out of order."""
    servers: tuple[type[Process], ...] = (Synapse, InspIRCd)
    if missing := [reason for server in servers if (reason := server.missing())]:
        raise click.ClickException("; ".join(missing))
    notes = Console(stderr=True)
    figures = asyncio.run(measure(samples, lines, lambda words: notes.print(f"{words} ...", style="dim")))
    if as_json:
        click.echo(json.dumps(figures.json(), indent=2))
    else:
        Console(width=110).print(*figures.tables())
    sys.exit(0 if figures.whole else 1)


if __name__ == "__main__":
    main()
