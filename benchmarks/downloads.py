"""Measures what large downloads through the bridge's links cost the messages that it carries meanwhile."""

import asyncio
import json
import random
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import click
from rich.console import Console

from benchmarks import large_files
from benchmarks.carry import POLL_AGAIN, Stage, crossing, staged
from benchmarks.figures import TO_IRC, TO_MATRIX
from benchmarks.spells import ALONE, Spell, summaries, table
from bridge.demo.servers.process import HOST, free_port

_AT_ONCE = 10  # downloads: as many as the bridge takes
_WARM_UP = 10  # messages each way that are not counted
_LOOK_S = 0.02  # seconds between looks at `/healthz`
SLOW, FAST, AROUND = "10 slow", "10 fast", "10 not through the bridge"
_LIMITS = {SLOW: "1M", AROUND: "6M"}
"""Bytes per second of each client. Those that do not ask the bridge get about as much as it gives to fast ones: they
show what the machine's other work costs."""
_KINDS = {"slow": SLOW, "fast": FAST, "around": AROUND}


async def _spell(stage: Stage, beside: str, samples: int, urls: Mapping[str, str], health: str) -> Spell:
    async with _downloads(beside, urls) as count:
        await asyncio.sleep(1.0)
        began, used, at = time.monotonic(), stage.cpu(), count()
        async with aiohttp.ClientSession() as http:
            looking = asyncio.create_task(_answers(http, health))
            taken: dict[str, list[float]] = {TO_IRC: [], TO_MATRIX: []}
            for number in range(samples):
                for way, hearer in ((TO_IRC, stage.bob), (TO_MATRIX, stage.reader)):
                    await asyncio.sleep(POLL_AGAIN * random.uniform(1.0, 2.0))
                    taken[way].append(await crossing(stage, way, f"{way} {began} {number}.", hearer))
            looking.cancel()
            await asyncio.wait({looking})
        seconds = time.monotonic() - began
        answers = looking.result()
        memory = stage.daemon.memory_info().rss / 1e6
        cpu = (stage.cpu() - used) / seconds
        return Spell(beside, taken[TO_IRC], taken[TO_MATRIX], answers, cpu, (count() - at) / seconds, memory)


async def _answers(http: aiohttp.ClientSession, url: str) -> list[float]:
    """Seconds until each answer, until cancelled."""
    taken: list[float] = []
    try:
        while True:
            await asyncio.sleep(_LOOK_S)
            began = time.monotonic()
            async with http.get(url) as answer:
                assert answer.status == 200
            taken.append(time.monotonic() - began)
    except asyncio.CancelledError:
        return taken


@asynccontextmanager
async def _downloads(beside: str, urls: Mapping[str, str]) -> AsyncGenerator[Callable[[], float], None]:
    """Clients that download for as long as the context lasts; gives how many bytes they all have."""
    if beside == ALONE:
        yield lambda: 0.0
        return
    limit = ["--limit-rate", _LIMITS[beside]] if beside in _LIMITS else []
    clients = [
        # each from an address of its own; they are as unimportant as the source: their CPU is not ours
        await asyncio.create_subprocess_exec(
            *("nice", "-n", "19", "curl", "-sSf", "--retry", "0", "-o", "/dev/null", "-w", "%{size_download}\n"),
            *(*limit, "-H", f"X-Forwarded-For: 192.0.2.{number}", urls[beside]),
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(_AT_ONCE)
    ]
    try:
        yield lambda: float(sum(_written(client.pid) for client in clients))
        ended = [client.returncode for client in clients if client.returncode is not None]
        assert not ended, f"downloads ended: {ended}"
    finally:
        for client in clients:
            if client.returncode is None:
                client.kill()
            await client.wait()


def _written(pid: int) -> int:
    """Bytes that a process has written."""
    found = re.search(r"^wchar: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


async def measure(samples: int, pairs: int, kinds: Sequence[str], progress: Callable[[str], None]) -> list[Spell]:
    port = free_port()
    more = {
        "http": {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}"},
        "media": {"max_size": "100G"},
    }
    health = f"http://{HOST}:{port}/healthz"
    with tempfile.TemporaryDirectory(prefix="quackbridge-bench-") as folder:
        progress("starting the servers and the bridge")
        async with staged(Path(folder), large_files.before, more) as stage:
            through = await _link(stage)
            urls = {SLOW: through, FAST: through, AROUND: stage.url + large_files.PATH}
            await _spell(stage, ALONE, _WARM_UP, urls, health)
            spells = []
            for number in range(pairs):
                for beside in (each for kind in kinds for each in (ALONE, kind)):
                    progress(f"{number + 1} of {pairs}: {beside}")
                    spells.append(await _spell(stage, beside, samples, urls, health))
            return spells


async def _link(stage: Stage) -> str:
    """The link that people on IRC get to a large file."""
    info = {"size": large_files.SIZE, "mimetype": "video/mp4"}
    content = {"msgtype": "m.video", "body": "long.mp4", "url": "mxc://large.example/large", "info": info}
    await stage.alice.send_event(stage.linked, "m.room.message", content)
    heard = await stage.bob.heard(lambda heard: "long.mp4" in heard.text)
    found = re.search(r"http://\S+", heard.text)
    assert found is not None
    return found[0]


@click.command()
@click.option("--samples", default=6, show_default=True, help="Messages each way in a spell.")
@click.option("--pairs", default=14, show_default=True, help="Spells of each kind.")
@click.option("--beside", multiple=True, type=click.Choice([*_KINDS]), help="What the downloads are; all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, samples: int, pairs: int, beside: Sequence[str], as_json: bool) -> None:
    """Measure."""
    notes = Console(stderr=True)
    kinds = [_KINDS[name] for name in beside or _KINDS]
    spells = asyncio.run(measure(samples, pairs, kinds, lambda words: notes.print(f"{words} ...", style="dim")))
    found = summaries(spells)
    if as_json:
        click.echo(json.dumps({name: one.json() for name, one in found.items()}, indent=2))
    else:
        Console(width=140).print(table(found))


if __name__ == "__main__":
    main()
