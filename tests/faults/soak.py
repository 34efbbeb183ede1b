"""A soak: many messages each way for minutes, random faults, and what became of messages, memory and files."""

import asyncio
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from bridge.demo.servers import InspIRCd, Synapse
from bridge.irc.client import IrcNetwork
from tests.faults import faults
from tests.faults.scene import Fault, Outcome, Scene, judge, scene
from tests.integration.servers import Anope

EVERY = 10.0  # seconds from one fault to the next
MEMORY_GROWTH = 20.0  # MB: the last third of one process's life over the third after its first
MEMORY = 150.0  # MB
WAL = 16.0  # MB
FILE = 3.0  # kB of SQLite file a message, for the map keeps every one for `remember`
IN_DOUBT = IrcNetwork.window  # posts that may come twice for each time that the IRC server, and its history, is killed

_HISTORY = "notH 2000:1h"  # a minute, at the full rate: what is said in a longer absence, the server forgets
_MB = 1e6
_LATE = 60.0  # seconds after the end, after which what has not arrived is lost


async def _cut(scene: Scene) -> float:
    return await faults.ways_cut(scene)


_RESTARTS: dict[str, Fault] = {
    "daemon killed": faults.stopped_for(1),
    "daemon stopped": faults.ended(signal.SIGTERM, 1),
}
_TROUBLE: dict[str, Fault] = {
    "IRC server killed": partial(faults.irc_killed, away=2),
    "homeserver killed": partial(faults.homeserver_killed, away=2),
    "both servers killed": partial(faults.both_killed, away=2),
    "IRC black hole": partial(faults.irc_black_holed, seconds=8),
    "homeserver black hole": partial(faults.homeserver_black_holed, seconds=8),
    "connections reset": _cut,
    "disk full": partial(faults.disk_full, seconds=2),
}
_FORGET = ("IRC server killed", "both servers killed")  # and the history with them


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds from the start, MB of resident memory, of the SQLite file, of its WAL; which process it was."""

    at: float
    memory: float
    file: float
    wal: float
    pid: int


@click.command()
@click.option("--minutes", type=click.FloatRange(0.2, 60), default=10.0, show_default=True)
@click.option("--messages", type=click.IntRange(10, 100_000), help="In all; by default 2000 a minute.")
@click.option("--seed", type=int, help="Of the faults; by default a new one.")
@click.option("--without", multiple=True, type=click.Choice([*_RESTARTS, *_TROUBLE]), help="A fault to leave out.")
def main(minutes: float, messages: int | None, seed: int | None, without: tuple[str, ...]) -> None:
    """Talk through faults; status 1 where a message was lost, doubled, out of order, or something grew."""
    seed = int.from_bytes(os.urandom(4)) if seed is None else seed
    click.echo(f"--seed {seed}")
    with tempfile.TemporaryDirectory(prefix="soak") as name:
        soak = Soak(minutes * 60, messages or round(2000 * minutes), seed, {*without})
        problems = asyncio.run(soak.run(Path(name)))
    for problem in problems:
        click.echo(problem)
    sys.exit(bool(problems))


class Soak:
    """One run of `seconds` with `messages` in all. Bounded: it gives up after three times that, and two minutes."""

    def __init__(self, seconds: float, messages: int, seed: int, without: set[str]) -> None:
        self._seconds = seconds
        self._each = messages // 2
        self._seed = seed
        self._rng = random.Random(seed)
        self._without = without
        self._samples: list[Sample] = []
        self._done: Counter[str] = Counter()
        self._start = 0.0

    async def run(self, folder: Path) -> list[str]:
        """What is wrong, after the table was printed."""
        irc = InspIRCd(folder / "ircd", services=True, modes=_HISTORY)
        pond = folder / "pond"
        pond.mkdir()
        rate = self._each / self._seconds
        async with asyncio.timeout(self._seconds * 3 + 120):
            async with (
                Synapse(folder / "synapse") as synapse,
                irc,
                Anope(folder / "anope", irc) as services,
                scene(pond, synapse, irc, services, self._seed, rate) as place,
            ):
                outcome = await self._soak(place)
        self._print(outcome)
        return [*self._wrong(outcome), *grown(self._samples, self._each * 2)]

    async def _soak(self, place: Scene) -> Outcome:
        self._start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            around = [
                group.create_task(place.traffic.irc.watch(), name="bob watches"),
                group.create_task(self._measure(place), name="measure"),
            ]
            talking = group.create_task(place.traffic.talk(self._each), name="talk")
            await self._trouble(place, talking.done)
            await talking
            await place.traffic.arrived(_LATE)
            for task in around:
                task.cancel()
        return judge(place.traffic, self._start, time.monotonic())

    async def _trouble(self, place: Scene, over: Callable[[], bool]) -> None:
        """A fault every 10 s. The daemon is only restarted in the first half: the other half shows how one grows."""
        while not over():
            early = time.monotonic() - self._start < self._seconds / 2
            names = sorted({*_TROUBLE, *(_RESTARTS if early else ())} - self._without)
            if not names:
                return
            name = self._rng.choice(names)
            if name in _FORGET:
                await place.traffic.heard(_LATE)
            start = time.monotonic()
            await (_TROUBLE | _RESTARTS)[name](place)
            self._done[name] += 1
            click.echo(f"{time.monotonic() - self._start:6.0f} s  {name}, {place.traffic.missing()} under way")
            await asyncio.sleep(max(0.0, start + EVERY - time.monotonic()))

    async def _measure(self, place: Scene) -> None:
        while True:
            try:
                memory = psutil.Process(place.daemon.pid).memory_info().rss / _MB
                file = place.daemon.folder / "data" / "quackbridge.sqlite"
                at = time.monotonic() - self._start
                self._samples.append(Sample(at, memory, _size(file), _size(Path(f"{file}-wal")), place.daemon.pid))
            except psutil.Error:
                pass  # it is being killed
            await asyncio.sleep(2)

    def _wrong(self, outcome: Outcome) -> list[str]:
        allowed = IN_DOUBT * sum(self._done[name] for name in _FORGET)
        found = []
        for name, verdict, doubled in (("to IRC", outcome.to_irc, allowed), ("to Matrix", outcome.to_matrix, 0)):
            if verdict.owed < self._each:
                found.append(f"{name}: only {verdict.owed} of {self._each} were acknowledged")
            if verdict.lost or verdict.out_of_order or len(verdict.doubled) > doubled:
                found.append(f"{name}: {verdict}")
        return found

    def _print(self, outcome: Outcome) -> None:
        table = Table("", "owed", "lost", "doubled", "out of order", box=None)
        for name, it in (("Matrix to IRC", outcome.to_irc), ("IRC to Matrix", outcome.to_matrix)):
            table.add_row(name, *map(str, (it.owed, len(it.lost), len(it.doubled), len(it.out_of_order))))
        sizes = Table("second", "memory, MB", "file, MB", "WAL, MB", box=None)
        for sample in self._samples[:: max(1, len(self._samples) // 12)]:
            sizes.add_row(f"{sample.at:.0f}", f"{sample.memory:.1f}", f"{sample.file:.2f}", f"{sample.wal:.2f}")
        console = Console()
        console.print(table, sizes, ", ".join(f"{times} x {name}" for name, times in self._done.items()))


def _size(path: Path) -> float:
    return path.stat().st_size / _MB if path.exists() else 0.0


def grown(samples: Sequence[Sample], messages: int) -> list[str]:
    """What grew beyond its bound. Memory is compared within the life of the last process."""
    if not samples:
        return ["nothing was measured"]
    last = [sample.memory for sample in samples if sample.pid == samples[-1].pid]
    third = len(last) // 3
    growth = statistics.median(last[-third:]) - statistics.median(last[third : 2 * third]) if third else 0.0
    file = FILE * messages / 1000 + 1  # an empty one has its pages too
    bounds = (
        ("memory", max(sample.memory for sample in samples), MEMORY),
        ("growth of memory", growth, MEMORY_GROWTH),
        ("file", max(sample.file for sample in samples), file),
        ("WAL", max(sample.wal for sample in samples), WAL),
    )
    return [f"{name}: {value:.1f} MB, more than {bound:.1f}" for name, value, bound in bounds if value > bound]


if __name__ == "__main__":
    main()
