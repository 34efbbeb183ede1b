"""Measures what keys cost at the start, in memory and on disk: `python -m benchmarks.keys`.

A store is made with the devices and the room keys of an encrypted network. Then one process after the other opens it as
the daemon does: without keys, with them, and with every room key used once.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from bridge.matrix.crypto.olm.group_sessions import MEGOLM
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.dialect.fields import table
from bridge.store import Lease
from bridge.store.sqlite import SqliteStore
from tests.matrix.crypto.parties import Party

_DUCK = "@duck:hs"
_WAYS = ("without keys", "with keys", "and each room key used once")


async def _lease(store: SqliteStore) -> Lease:
    lease = await store.acquire("home", "benchmark")
    assert lease is not None
    return lease


async def _fill(path: Path, devices: int, sessions: int) -> None:
    duck = await Party(_DUCK).begin()
    people = [await Party(f"@p{number}:hs").begin() for number in range(devices)]
    duck.learn(*people)
    for number in range(sessions):
        if not duck.published["one_time_keys"] and (body := duck.machine.upload(0, fallback=False)) is not None:
            duck.published["one_time_keys"] = {**table(body, "one_time_keys")}
            duck.machine.uploaded()
        duck.hear(people[number % devices].give_key(duck, room=f"!r{number}:hs"))
    await duck.rows.flush()
    async with aclosing(SqliteStore.open(path, time.time)) as store:
        await (await _lease(store)).remember(duck.memory.kept)


async def _begin(path: Path, way: int) -> None:
    """Print seconds and MB that the keys take in this process."""
    memory = psutil.Process().memory_info
    async with aclosing(SqliteStore.open(path, time.time)) as store:
        lease = await _lease(store)
        before, began = memory().rss, time.perf_counter()
        if way:
            rows = Rows(lease)
            await rows.load()
            machine = Machine(_DUCK, "DUCK", rows)
            if way > 1:
                for name in rows.of(MEGOLM):
                    room_id, session_id, _ = json.loads(name)
                    assert [*machine._olm.inbound_group_store.of(room_id, session_id)]
        seconds = time.perf_counter() - began
        click.echo(json.dumps({"seconds": seconds, "memory": (memory().rss - before) / 1e6}))


@click.command()
@click.option("--devices", default=300, show_default=True, help="Of other people.")
@click.option("--sessions", default=2000, show_default=True, help="Keys of room messages, from these devices.")
@click.option("--begin", nargs=2, hidden=True)
def main(devices: int, sessions: int, begin: tuple[str, str] | None) -> None:
    """Measure."""
    if begin is not None:
        asyncio.run(_begin(Path(begin[0]), int(begin[1])))
        return
    with tempfile.TemporaryDirectory(prefix="quackbridge-bench-") as folder:
        path = Path(folder) / "store.sqlite"
        asyncio.run(_fill(path, devices, sessions))
        shown = Table("", "seconds", "memory, MB", title=f"{path.stat().st_size / 1e6:.1f} MB on disk")
        for way, name in enumerate(_WAYS):
            command = [sys.executable, "-m", "benchmarks.keys", "--begin", str(path), str(way)]
            found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            shown.add_row(name, f"{found['seconds']:.2f}", f"{found['memory']:.1f}")
        Console().print(shown)


if __name__ == "__main__":
    main()
