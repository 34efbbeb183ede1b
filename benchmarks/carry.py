"""Measures carrying on a real Synapse and a real InspIRCd: a message each way over the bridge, next to one that crosses
the homeserver directly, in the same run and in turns, so that noise hits all alike."""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import click
import psutil
from rich.console import Console

from benchmarks.figures import Burst, Figures, Latency
from bridge.demo.daemon import Daemon
from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import InspIRCd, Process, Synapse
from bridge.demo.servers.process import HOST

DIRECT, TO_IRC, TO_MATRIX = "Matrix, direct", "Matrix to IRC", "IRC to Matrix"

_CHANNEL = "#pond"
_WARM_UP = 10  # messages each way that are not counted: caches fill, connections open
POLL_AGAIN = 0.06  # seconds between messages, in which those who heard the last one sync again
_LATE = 120.0  # seconds to wait for the last line of a burst


@dataclass(frozen=True, slots=True)
class Stage:
    """The participants. `alice` and `bob` are members and speak; `reader` listens on Matrix, in the `linked` room and,
    with `sitter`, in the `plain` one, which the bridge does not know."""

    alice: MatrixPerson
    bob: IrcPerson
    reader: MatrixPerson
    sitter: MatrixPerson
    plain: str
    linked: str
    daemon: psutil.Process
    url: str
    """Of the homeserver, as the bridge has it."""

    async def say(self, way: str, text: str) -> None:
        if way == TO_MATRIX:
            await self.bob.say(_CHANNEL, text)
        else:
            await self.alice.send(self.plain if way == DIRECT else self.linked, text)

    def hearers(self, way: str) -> Sequence[MatrixPerson | IrcPerson]:
        """The listeners who may be timed. A homeserver always answers those of a room in the same order, so timing
        always the same one would depend on luck."""
        if way == TO_IRC:
            return (self.bob,)
        return (self.reader, self.sitter) if way == DIRECT else (self.reader,)

    def cpu(self) -> float:
        """CPU seconds that the daemon has used."""
        times = self.daemon.cpu_times()
        return times.user + times.system


_Front = Callable[[int], AbstractAsyncContextManager[str]]
"""What stands before the homeserver at a port: gives its URL."""


@asynccontextmanager
async def _nothing(port: int) -> AsyncGenerator[str, None]:
    yield f"http://{HOST}:{port}"


@asynccontextmanager
async def staged(
    folder: Path, before: _Front = _nothing, more: Mapping[str, object] = MappingProxyType({})
) -> AsyncGenerator[Stage, None]:
    """The servers and the bridge, with `more` in its config, and `before` between it and the homeserver."""
    async with Synapse(folder / "synapse") as synapse, InspIRCd(folder / "irc") as irc, before(synapse.port) as url:
        await synapse.register("duck", "quack-quack")
        async with (
            MatrixPerson(synapse.url, "alice") as alice,
            MatrixPerson(synapse.url, "reader") as reader,
            MatrixPerson(synapse.url, "sitter") as sitter,
            IrcPerson(HOST, irc.port, "bob") as bob,
        ):
            plain, linked = await alice.create_room("plain"), await alice.create_room("pond")
            await reader.join(linked)
            for person in (reader, sitter):  # three people, as in the other room with the duck: listeners cost time
                await person.join(plain)
            await bob.join(_CHANNEL)
            daemon = Daemon(folder / "bridge", {**_config(synapse, irc, url), **more}, {"home": "quack-quack"})
            daemon.prepare()
            await daemon.run("init-db")
            await daemon.run("add-user", "alice", "--matrix", alice.user_id)
            await daemon.run("add-user", "bob", "--irc-mask", f"pond/bob!*@{irc.mask_host}")
            async with daemon:
                yield Stage(alice, bob, reader, sitter, plain, linked, psutil.Process(daemon.pid), url)


def _config(synapse: Synapse, irc: InspIRCd, url: str) -> dict[str, object]:
    return {
        "networks": {
            "home": {
                "type": "matrix",
                "homeserver": url,
                "user": synapse.user_id("duck"),
                "password_file": "secrets/home",
                "encryption": False,
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
        "links": {"pond": {"rooms": [f"home/#pond:{synapse.server_name}", f"pond/{_CHANNEL}"]}},
        "users": {"database": "data/users.json"},
        "store": {"path": "data/quackbridge.sqlite"},
    }


async def crossing(stage: Stage, way: str, text: str, hearer: MatrixPerson | IrcPerson) -> float:
    """Seconds from saying `text` until `hearer` has it."""
    hearing = asyncio.ensure_future(hearer.heard(lambda heard: heard.text.endswith(text), _LATE))
    said = time.monotonic()
    await stage.say(way, text)
    return (await hearing).at - said


async def _latencies(stage: Stage, samples: int) -> tuple[dict[str, Latency], float]:
    """The latency each way, and the daemon's CPU milliseconds a carried message."""
    ways = [DIRECT, TO_IRC, TO_MATRIX]
    taken: dict[str, list[float]] = {way: [] for way in ways}
    rng = random.Random(1)
    used = 0.0
    for number in range(-_WARM_UP, samples):
        if number == 0:
            used = stage.cpu()
        rng.shuffle(ways)
        for way in ways:
            await asyncio.sleep(POLL_AGAIN)
            taken[way].append(await crossing(stage, way, f"{way} {number}.", rng.choice(stage.hearers(way))))
    cpu = (stage.cpu() - used) * 1000 / (2 * samples)
    return {way: Latency.of(taken[way][_WARM_UP:]) for way in (DIRECT, TO_IRC, TO_MATRIX)}, cpu


async def _burst(stage: Stage, way: str, count: int) -> Burst:
    """Say `count` numbered lines as fast as they are accepted. On Matrix, wait for each to be accepted, which keeps
    their order."""
    hearer = stage.hearers(way)[0]
    before, used, began = len(hearer.messages), stage.cpu(), time.monotonic()
    for number in range(count):
        await stage.say(way, f"line {number} of the burst {way}")
    last = await hearer.heard(lambda heard: f"line {count - 1} of the burst {way}" in heard.text, _LATE)
    seconds = last.at - began
    await crossing(stage, way, f"the end of {way}", hearer)  # a barrier: after it, nothing is on its way
    heard = [message.text for message in hearer.messages[before:] if f"of the burst {way}" in message.text]
    return Burst.of(count, heard, seconds, stage.cpu() - used)


async def measure(samples: int, lines: int, progress: Callable[[str], None]) -> Figures:
    with tempfile.TemporaryDirectory(prefix="quackbridge-bench-") as folder:
        progress("starting the servers and the bridge")
        async with staged(Path(folder)) as stage:
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
        Console(width=100).print(figures.table())
    sys.exit(0 if figures.whole else 1)


if __name__ == "__main__":
    main()
