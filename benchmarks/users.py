"""What a large allowlist costs: 10,000 users with 20,000 identities, next to a single user."""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import yaml
from rich.console import Console
from rich.table import Table

from bridge.demo.servers import InspIRCd
from bridge.demo.servers.process import HOST
from bridge.model.casemap import Casemapping
from bridge.model.people import Identity, Proof, Sender
from bridge.users import User
from bridge.users.tinydb import TinyUsers

_USERS = 10_000
_TIMES = 5
_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured: `aim` is the most that it should be, in the same unit."""

    what: str
    value: float
    aim: float
    unit: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def main(*, as_json: bool) -> None:
    """Measure, and print it beside what we aim at."""
    with tempfile.TemporaryDirectory() as name:
        figures = [*_measure(Path(name))]
    if as_json:
        click.echo(json.dumps([{"what": f.what, "value": f.value, "aim": f.aim, "unit": f.unit} for f in figures]))
        return
    table = Table("10,000 users, 20,000 identities", "measured", "aim", box=None)
    for figure in figures:
        table.add_row(figure.what, f"{figure.value:.3g} {figure.unit}", f"{figure.aim:g} {figure.unit}")
    Console().print(table)


def _measure(folder: Path) -> Iterator[Figure]:
    small, large = folder / "small", folder / "large"
    for place, many in ((small, 1), (large, _USERS)):
        _make(place, many)
    yield Figure("add-user, the whole command", _median(lambda turn: _add(large, turn)), 0.5, "s")
    yield Figure("the same with one user", _median(lambda turn: _add(small, turn)), 0.5, "s")
    users = TinyUsers(large / "users.json")
    for what, sender in _senders().items():
        yield Figure(f"identify, {what}", _identify(users, sender), 10, "µs")
    yield Figure("longest pause of the event loop while the file changes", asyncio.run(_pause(large)), 20, "ms")
    if not InspIRCd.missing():
        with _ircd(folder) as port:
            starts = [_start(place, port) for _ in range(_TIMES) for place in (small, large)]
        longer = statistics.median(starts[1::2]) - statistics.median(starts[::2])
        yield Figure("the daemon's start to `ready`, longer than with one user", longer, 1, "s")


def _make(folder: Path, many: int) -> None:
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(_config(1)))
    users = TinyUsers.create(folder / "users.json")
    users.add(*(_user(number) for number in range(many)))


def _user(number: int) -> User:
    mask = Identity(Proof.IRC_MASK, "irc", f"*!*@host{number}.isp.example")
    account = Identity(Proof.IRC, "irc", f"User{number}")
    return User(
        f"user{number}", identities=(Identity(Proof.MATRIX, "", f"@user{number}:hs"), mask if number % 4 else account)
    )


def _config(port: int) -> Mapping[str, object]:
    irc = {"type": "irc", "server": f"{HOST}:{port}", "tls": False, "nick": "duck", "trust_hostmasks": True}
    return {
        "networks": {"irc": irc},
        "links": {"pond": {"rooms": ["irc/#pond"]}},
        "users": {"database": "users.json"},
        "store": {"path": "store.sqlite"},
    }


def _median(measured: Callable[[int], float]) -> float:
    return statistics.median(measured(turn) for turn in range(_TIMES))


def _add(folder: Path, turn: int) -> float:
    command = [sys.executable, "-m", "bridge", "add-user", f"new{turn}", "--matrix", f"@new{turn}:hs"]
    before = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before


def _senders() -> Mapping[str, Sender]:
    def irc(*proofs: Identity) -> Sender:
        return Sender("irc", "x", "x", proofs, Casemapping.RFC1459)

    return {
        "a Matrix id": Sender("home", "x", "x", (Identity(Proof.MATRIX, "", "@user9000:hs"),)),
        "an account": irc(Identity(Proof.IRC, "irc", "USER8000")),
        "a host mask": irc(Identity(Proof.IRC_MASK, "irc", "x!y@host9001.isp.example")),
        "a guest": irc(Identity(Proof.IRC, "irc", "nobody"), Identity(Proof.IRC_MASK, "irc", "x!y@else.example")),
    }


def _identify(users: TinyUsers, sender: Sender) -> float:
    users.identify(sender)
    before = time.perf_counter()
    for _ in range(_CALLS):
        users.identify(sender)
    return (time.perf_counter() - before) / _CALLS * 1e6


async def _pause(folder: Path) -> float:
    """The most milliseconds by which a timer is late while we reload, as the daemon does, what another process has
    changed. The median of several changes, since the machine is slow at times."""
    users = TinyUsers(folder / "users.json")
    _ask(users)
    worst = []
    for turn in range(_TIMES):
        await asyncio.to_thread(_add, folder, 1000 + turn)
        late: list[float] = []
        ticking = asyncio.create_task(_tick(late))
        assert await asyncio.to_thread(users.refresh), "the change was not seen"
        _ask(users)
        await asyncio.sleep(0.05)
        ticking.cancel()
        worst.append(max(late))
    return statistics.median(worst) * 1e3


async def _tick(late: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - before - 0.001)


def _ask(users: TinyUsers) -> None:
    for sender in _senders().values():
        users.identify(sender)


@contextmanager
def _ircd(folder: Path) -> Iterator[int]:
    runner = asyncio.Runner()
    server = InspIRCd(folder / "ircd")
    runner.run(server.start())
    try:
        yield server.port
    finally:
        runner.run(server.stop())
        runner.close()


def _start(folder: Path, port: int) -> float:
    """Seconds from the command to `ready`."""
    (folder / "config.yaml").write_text(yaml.safe_dump(_config(port)))
    before = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "bridge", "run"], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stderr is not None
        for line in daemon.stderr:
            if '"ready"' in line:
                break
        took = time.perf_counter() - before
        daemon.terminate()
        daemon.communicate()
    return took


if __name__ == "__main__":
    main()
