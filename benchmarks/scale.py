"""Measures what many links, many members and many waiting rooms cost: bridges of 1, 100 and 1,000 links and one with a
crowded channel, side by side on one Synapse and one InspIRCd, so that noise hits all alike."""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.carry import POLL_AGAIN, cpu_of
from benchmarks.crowd import crowd
from benchmarks.figures import TO_IRC, TO_MATRIX, Burst
from bridge.demo.daemon import Daemon
from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.servers import InspIRCd, Process, Synapse
from bridge.demo.servers.process import HOST

_AT_ONCE = 4  # requests to Synapse, which has one process
_SETTLED_S, _SETTLED_A_LINK_S = 5.0, 0.03  # seconds after `ready` in which a bridge asks more about its rooms
_WATCHED_S = 20.0  # seconds for which an idle daemon is watched
_LATE_S = 180.0  # seconds to wait for the last line of a backlog
_WARM_UP = 3
_HEARD = 300  # channels of a bridge in which `bob` is at most: a server takes a client into 1,000
_CROWDED = "crowded"
_PACED = "paced"
_FAST = {"burst": 100_000, "per_second": 100_000}
_LIMITED = {"burst": 5, "per_second": 2}
_BUSY, _QUIET = 40, 5  # lines in the room that is busy, and in the other


@dataclass(frozen=True, slots=True)
class Size:
    """One bridge. `first` and `again`: seconds from the start of the process to `ready`, when it joins all rooms and
    when it was in them before. `memory`: MB. `idle`: CPU milliseconds a second. `cpu` and `p50`: milliseconds a
    message, each way."""

    links: int
    members: int
    first: float
    again: float
    memory: float
    idle: float
    cpu: Mapping[str, float]
    p50: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Waiting:
    """`rooms` with `lines` each that waited while the bridge was away. `seconds`: from its start until the last."""

    rooms: int
    lines: int
    seconds: float
    lost: int
    doubled: int
    in_order: bool

    @property
    def whole(self) -> bool:
        return not self.lost and not self.doubled and self.in_order


@dataclass(frozen=True, slots=True)
class Fairness:
    """A line of another room while one is busy. `before`: most posts of the busy room that the channel's server got
    between the line's acceptance on Matrix and its arrival; `seconds`: the longest that took."""

    before: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Scale:
    sizes: Mapping[str, Size]
    waiting: Mapping[str, Waiting]
    fairness: Fairness

    @property
    def per_link(self) -> float:
        """Kilobytes of memory of a link: the largest bridge beside the smallest."""
        small, large = self._ends
        return (large.memory - small.memory) * 1e3 / (large.links - small.links)

    def times(self, way: str) -> float:
        """How many times the CPU of a message at the fewest links it takes at the most."""
        small, large = self._ends
        return large.cpu[way] / small.cpu[way]

    @property
    def _ends(self) -> tuple[Size, Size]:
        plain = [size for name, size in self.sizes.items() if name not in (_CROWDED, _PACED)]
        return min(plain, key=lambda size: size.links), max(plain, key=lambda size: size.links)

    @property
    def whole(self) -> bool:
        return all(waiting.whole for waiting in self.waiting.values())

    def json(self) -> dict[str, Any]:
        ratios = {"kb_per_link": self.per_link, "cpu_times": {way: self.times(way) for way in (TO_IRC, TO_MATRIX)}}
        return asdict(self) | ratios


@dataclass(slots=True)
class Bridge:
    """One daemon with its links; all are `name-0`, `name-1` and so on, on both networks."""

    name: str
    links: int
    daemon: Daemon
    channels: Sequence[str]
    rooms: Sequence[str]
    """Their ids on Matrix."""
    taken: dict[str, list[float]] = field(default_factory=lambda: {TO_IRC: [], TO_MATRIX: []})
    used: dict[str, float] = field(default_factory=lambda: {TO_IRC: 0.0, TO_MATRIX: 0.0})
    first: float = 0.0
    again: float = 0.0
    idle: float = 0.0
    memory: float = 0.0

    @property
    def cpu(self) -> float:
        return cpu_of(self.daemon.pid)

    async def start(self) -> float:
        """Seconds to `ready`."""
        began = time.monotonic()
        await self.daemon.start()
        return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Field:
    """The servers, and who speaks: `alice` on Matrix and `bob` on IRC, members of all bridges."""

    folder: Path
    synapse: Synapse
    irc: InspIRCd
    alice: MatrixPerson
    bob: IrcPerson

    async def bridge(self, name: str, links: int, flood: Mapping[str, float]) -> Bridge:
        """Make the rooms and the daemon of a bridge; it is not started yet."""
        names = [f"{name}-{number}" for number in range(links)]
        rooms = await _side_by_side(self.alice.create_room(each) for each in names)
        channels = [f"#{each}" for each in names]
        for start in range(0, min(links, _HEARD), 10):
            await self.bob.raw(f"JOIN {','.join(channels[start : min(start + 10, _HEARD)])}")
        await self.bob.ping(_LATE_S)
        user = await self.synapse.register(f"duck-{name}", "quack-quack")
        daemon = Daemon(self.folder / name, self._config(name, user, channels, flood), {"home": "quack-quack"})
        daemon.up_within_s = _LATE_S
        daemon.prepare()
        await daemon.run("init-db")
        await daemon.run("add-user", "alice", "--matrix", self.alice.user_id)
        await daemon.run("add-user", "bob", "--irc-mask", f"pond/bob!*@{self.irc.mask_host}")
        return Bridge(name, links, daemon, channels, rooms)

    def _config(self, name: str, user: str, channels: Iterable[str], flood: Mapping[str, float]) -> dict[str, object]:
        return {
            "networks": {
                "home": {
                    "type": "matrix",
                    "homeserver": self.synapse.url,
                    "user": user,
                    "password_file": "secrets/home",
                },
                "pond": {
                    "type": "irc",
                    "server": f"{HOST}:{self.irc.port}",
                    "tls": False,
                    "nick": f"duck-{name}",
                    "trust_hostmasks": True,
                    "flood": dict(flood),
                },
            },
            "links": {
                channel[1:]: {"rooms": [f"home/{channel}:{self.synapse.server_name}", f"pond/{channel}"]}
                for channel in channels
            },
            "users": {"database": "data/users.json"},
            "store": {"path": "data/quackbridge.sqlite"},
        }


@asynccontextmanager
async def _field(folder: Path) -> AsyncGenerator[Field, None]:
    async with (
        Synapse(folder / "synapse") as synapse,
        InspIRCd(folder / "irc", modes="notH 500:1h", services=True) as irc,
        MatrixPerson(synapse.url, "alice") as alice,
        IrcPerson(HOST, irc.port, "bob") as bob,
    ):
        yield Field(folder, synapse, irc, alice, bob)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: bridges of so many links each, one with `members` in its channel, `rooms` with `lines` waiting
    in each, and `samples` messages each way over each bridge."""

    links: Sequence[int]
    members: int
    rooms: int
    lines: int
    samples: int


async def measure(plan: Plan, say: Callable[[str], None]) -> Scale:
    with tempfile.TemporaryDirectory(prefix="quackbridge-scale-") as name:
        say("starting the servers")
        async with _field(Path(name)) as field_, AsyncExitStack() as stack:
            await stack.enter_async_context(crowd(field_.irc, f"#{_CROWDED}-0", plan.members))
            bridges = [
                await _started(field_, stack, label, links, say)
                for label, links in [*((f"of-{links}", links) for links in plan.links), (_CROWDED, 1)]
            ]
            await asyncio.sleep(_SETTLED_S + _SETTLED_A_LINK_S * max(plan.links))
            say("watching the idle bridges")
            await _watch(bridges)
            say(f"{plan.samples} messages each way over each bridge, in turns")
            await _carry(field_, bridges, plan.samples)
            sizes = {bridge.name: _size(bridge, plan) for bridge in bridges}
            for bridge in bridges:
                await bridge.daemon.stop()
            say(f"{plan.rooms} rooms with {plan.lines} lines each wait")
            largest = max(bridges, key=lambda bridge: bridge.links)
            backlog = await _backlog(field_, largest, plan.rooms, plan.lines)
            await largest.daemon.stop()
            say("one busy room and a quiet one, on a network with a flood limit")
            paced = await field_.bridge(_PACED, 2, _LIMITED)
            stack.push_async_callback(paced.daemon.stop)
            await paced.start()
            return Scale(sizes, backlog, await _fairness(field_, paced))


async def _started(field_: Field, stack: AsyncExitStack, name: str, links: int, say: Callable[[str], None]) -> Bridge:
    """A bridge that has joined its rooms and was started again. `stack` stops it."""
    say(f"making the rooms of {links} links")
    bridge = await field_.bridge(name, links, _FAST)
    say(f"starting the bridge of {links} links, twice")
    stack.push_async_callback(bridge.daemon.stop)
    bridge.first = await bridge.start()
    await bridge.daemon.stop()
    bridge.again = await bridge.start()
    return bridge


def _size(bridge: Bridge, plan: Plan) -> Size:
    members = plan.members if bridge.name == _CROWDED else 2
    cpu = {way: used * 1000 / plan.samples for way, used in bridge.used.items()}
    p50 = {way: median(taken) * 1000 for way, taken in bridge.taken.items()}
    return Size(bridge.links, members, bridge.first, bridge.again, bridge.memory, bridge.idle, cpu, p50)


async def _watch(bridges: Iterable[Bridge]) -> None:
    """What each daemon uses while nothing happens."""
    before = {bridge.name: bridge.cpu for bridge in bridges}
    await asyncio.sleep(_WATCHED_S)
    for bridge in bridges:
        bridge.idle = (bridge.cpu - before[bridge.name]) * 1000 / _WATCHED_S
        bridge.memory = psutil.Process(bridge.daemon.pid).memory_info().rss / 1e6


async def _carry(field_: Field, bridges: Sequence[Bridge], samples: int) -> None:
    """Messages one at a time, in random order. What an idle daemon uses in that time is left out."""
    turns = [(bridge, way) for bridge in bridges for way in (TO_IRC, TO_MATRIX)]
    rng = random.Random(1)
    for number in range(-_WARM_UP, samples):
        rng.shuffle(turns)
        for bridge, way in turns:
            text, used, began = f"{bridge.name} {number} {way}.", bridge.cpu, time.monotonic()
            taken = await _crossing(field_, bridge, way, text)
            await asyncio.sleep(POLL_AGAIN)
            spent = bridge.cpu - used - bridge.idle / 1000 * (time.monotonic() - began)
            if number >= 0:
                bridge.taken[way].append(taken)
                bridge.used[way] += spent


async def _crossing(field_: Field, bridge: Bridge, way: str, text: str) -> float:
    hearer = field_.bob if way == TO_IRC else field_.alice
    hearing = asyncio.ensure_future(hearer.heard(lambda heard: heard.text.endswith(text), _LATE_S))
    said = time.monotonic()
    if way == TO_IRC:
        await field_.alice.send(bridge.rooms[0], text)
    else:
        await field_.bob.say(bridge.channels[0], text)
    return (await hearing).at - said


async def _backlog(field_: Field, bridge: Bridge, rooms: int, lines: int) -> dict[str, Waiting]:
    """Say `lines` in each of `rooms` rooms each way while the bridge is away, and start it."""
    numbers = range(min(rooms, bridge.links))
    await _side_by_side(_say_all(field_.alice, bridge.rooms[number], number, lines) for number in numbers)
    for line in range(lines):
        for number in numbers:
            await field_.bob.say(bridge.channels[number], f"line {line}{_of(number)}")
    await field_.bob.ping(_LATE_S)
    began = time.monotonic()
    await bridge.start()
    return {
        way: await _arrived(person, began, len(numbers), lines)
        for way, person in ((TO_IRC, field_.bob), (TO_MATRIX, field_.alice))
    }


async def _arrived(person: IrcPerson | MatrixPerson, began: float, rooms: int, lines: int) -> Waiting:
    """What became of the numbered lines that `person` hears from the bridge."""
    ends = [await person.heard(_is_last(number, lines), _LATE_S) for number in range(rooms)]
    bursts = []
    for number in range(rooms):
        texts = [heard.text for heard in person.messages if _is_of_bridge(heard) and _of(number) in heard.text]
        bursts.append(Burst.of(lines, texts, 1.0, 0.0))
    lost, doubled = sum(burst.lost for burst in bursts), sum(burst.doubled for burst in bursts)
    in_order = all(burst.in_order for burst in bursts)
    return Waiting(rooms, lines, max(end.at for end in ends) - began, lost, doubled, in_order)


def _is_last(number: int, lines: int) -> Callable[[Heard], bool]:
    end = f"line {lines - 1}{_of(number)}"
    return lambda heard: end in heard.text and _is_of_bridge(heard)


def _is_of_bridge(heard: Heard) -> bool:
    return heard.sender.removeprefix("@").startswith("duck-")


def _of(number: int) -> str:
    return f" of backlog {number}."


async def _say_all(alice: MatrixPerson, room: str, number: int, lines: int) -> None:
    for line in range(lines):
        await alice.send(room, f"line {line}{_of(number)}")


async def _fairness(field_: Field, bridge: Bridge) -> Fairness:
    """Fill one room, and speak in another once the burst that the flood limit allows is over."""
    busy, bob = bridge.channels[0], field_.bob
    await _say_all(field_.alice, bridge.rooms[0], 0, _BUSY)
    await bob.heard(f"line {int(_LIMITED['burst'])}{_of(0)}", _LATE_S)
    most, longest = 0, 0.0
    for number in range(_QUIET):
        text = f"quiet {number}."
        began = time.monotonic()
        await field_.alice.send(bridge.rooms[1], text)
        before = len(bob.messages)
        heard = await bob.heard(text, _LATE_S)
        between = bob.messages[before : bob.messages.index(heard)]
        most = max(most, sum(message.room == busy for message in between))
        longest = max(longest, heard.at - began)
        await asyncio.sleep(1.0)
    return Fairness(most, longest)


async def _side_by_side(work: Iterable[Awaitable[Any]]) -> list[Any]:
    """The results, of a few at a time."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Awaitable[Any]) -> Any:
        async with turn:
            return await each

    return await asyncio.gather(*map(one, work))


def _tables(scale: Scale) -> Iterable[Table]:
    table = Table("", *(f"{size.links} ({name})" for name, size in scale.sizes.items()), title="links")
    sizes = [*scale.sizes.values()]
    table.add_row("members of the channel", *(str(size.members) for size in sizes))
    table.add_row("ready, the first time, s", *(f"{size.first:.1f}" for size in sizes))
    table.add_row("ready, after a restart, s", *(f"{size.again:.1f}" for size in sizes))
    table.add_row("resident memory, MB", *(f"{size.memory:.1f}" for size in sizes))
    table.add_row("CPU of an idle bridge, ms a second", *(f"{size.idle:.1f}" for size in sizes))
    for way in (TO_IRC, TO_MATRIX):
        table.add_row(f"CPU a message, {way}, ms", *(f"{size.cpu[way]:.2f}" for size in sizes))
        table.add_row(f"p50, {way}, ms", *(f"{size.p50[way]:.1f}" for size in sizes))
    yield table
    table = Table("waiting", *scale.waiting, title=f"memory of a link: {scale.per_link:.1f} kB")
    every = [*scale.waiting.values()]
    table.add_row("rooms, lines each", *(f"{each.rooms}, {each.lines}" for each in every))
    table.add_row("all there after the start, s", *(f"{each.seconds:.1f}" for each in every))
    table.add_row("lost, doubled, in order", *(f"{each.lost}, {each.doubled}, {each.in_order}" for each in every))
    table.add_row("CPU, most links beside fewest", *(f"{scale.times(way):.2f} x" for way in scale.waiting))
    yield table
    yield Table(f"beside a busy room: {scale.fairness.before} of its posts before, {scale.fairness.seconds:.1f} s")


@click.command()
@click.option("--links", "sizes", multiple=True, type=int, default=(1, 100, 1000), show_default=True)
@click.option("--members", default=20_000, show_default=True, help="People in the crowded channel.")
@click.option("--rooms", default=200, show_default=True, help="Rooms with a backlog.")
@click.option("--lines", default=5, show_default=True, help="Lines that wait in each.")
@click.option("--samples", default=40, show_default=True, help="Messages each way over each bridge.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, sizes: Sequence[int], members: int, rooms: int, lines: int, samples: int, as_json: bool) -> None:
    """Measure; the status is 1 where a line was lost, doubled or out of order."""
    servers: tuple[type[Process], ...] = (Synapse, InspIRCd)
    if missing := [reason for server in servers if (reason := server.missing())]:
        raise click.ClickException("; ".join(missing))
    notes = Console(stderr=True)
    began = time.monotonic()

    def say(words: str) -> None:
        notes.print(f"{time.monotonic() - began:4.0f} s  {words} ...", style="dim")

    found = asyncio.run(measure(Plan(sizes, members, rooms, lines, samples), say))
    if as_json:
        click.echo(json.dumps(found.json(), indent=2))
    else:
        Console(width=110).print(*_tables(found))
    sys.exit(0 if found.whole else 1)


if __name__ == "__main__":
    main()
