"""After a kill or a disk error at any system call, the store is whole and has kept what it promised."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.durability.planted import CHECKPOINTS
from tests.durability.power import ROOT, workload
from tests.durability.promises import Promises
from tests.durability.survey import survey
from tests.durability.trace import Said
from tests.durability.workload import STORE
from tests.integration.daemon import quackbridge, write_config

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("strace")]

SEED = int(os.environ.get("QUACKBRIDGE_SEED") or int.from_bytes(os.urandom(4)))
BATCHES = 30
MANY = pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(1200)])

JOURNAL = f"{STORE}-wal"
WRITES, SYNCS = 400, 40  # of the journal, by the thread that writes: at least that many
DATA_WRITES, DATA_SYNCS = (31, 60), (3, 5)  # of the file itself by that thread, where it takes more than making it did
_TOGETHER = 2  # runs at the same time


@dataclass(frozen=True, slots=True)
class Fault:
    """What strace does to a system call of the workload; `when` counts those of one thread, `file` '' is any."""

    call: str
    does: str
    when: str
    file: str = ""

    def command(self, folder: Path, log: Path) -> Sequence[str]:
        quick = () if self.does.startswith("signal") else ("--seccomp-bpf",)  # with which strace 6.1 sends no signals
        only = ("-P", str(folder / self.file)) if self.file else ()
        inject = f"inject={self.call}:{self.does}:when={self.when}"
        return ("strace", "-f", *quick, "-o", str(log), *only, "-e", f"trace={self.call}", "-e", inject)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `status` is negative where a signal did it; `said` is what it promised, `errors` its last words,
    `injected` how often strace let a call fail, and `full` how often the store said that it was full."""

    status: int
    said: Promises
    errors: str
    injected: int
    full: int


async def _run(fault: Fault, folder: Path, arranged: Sequence[str]) -> Ended:
    folder.mkdir()
    log = folder.with_suffix(".log")
    process = await asyncio.create_subprocess_exec(
        *fault.command(folder, log),
        *workload(folder, SEED, BATCHES, arranged),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    said, full = Promises(), 0
    for line in out.splitlines(keepends=True):
        if line.endswith(b"\n"):  # an unfinished line: the process was killed while it wrote it
            said.hear(Said(json.loads(line)))
            full += line.startswith(b'{"full"')
    assert process.returncode is not None
    return Ended(process.returncode, said, errors.decode(), log.read_text().count("(INJECTED)"), full)


async def _runs(faults: Sequence[Fault], place: Path, *arranged: str) -> Sequence[tuple[Fault, Ended]]:
    """How the workload ended with each of the faults; what it left was found whole, with all that it had promised."""
    places = asyncio.Semaphore(_TOGETHER)

    async def one(number: int, fault: Fault) -> tuple[Fault, Ended]:
        async with places:
            ended = await _run(fault, place / str(number), arranged)
        if (place / str(number) / STORE).exists() or ended.said.certain:
            broken = list(ended.said.broken(await survey(place / str(number))))
            assert not broken, f"{_seeded(fault, ended)}\n{broken}"
        return fault, ended

    return await asyncio.gather(*(one(number, fault) for number, fault in enumerate(faults)))


def _seeded(fault: Fault, ended: Ended) -> str:
    return f"QUACKBRIDGE_SEED={SEED} {fault}: ended with {ended.status}, {ended.injected} injected\n{ended.errors}"


@pytest.mark.parametrize("runs", [6, MANY])
async def test_a_kill_at_any_system_call_leaves_the_store_whole(runs: int, place: Path) -> None:
    rng = random.Random(SEED)
    faults = [
        *(Fault("pwrite64", "signal=KILL", str(rng.randint(1, WRITES))) for _ in range(runs)),
        *(Fault("fdatasync", "signal=KILL", str(rng.randint(1, SYNCS))) for _ in range(runs // 2)),
        Fault("unlink", "signal=KILL", "1"),
        Fault("mkdir", "signal=KILL", "1"),
    ]
    for fault, ended in await _runs(faults, place):
        assert ended.status == -signal.SIGKILL, _seeded(fault, ended)


@pytest.mark.parametrize("runs", [2, MANY])
async def test_an_error_of_the_disk_ends_the_process(runs: int, place: Path) -> None:
    rng = random.Random(SEED)
    faults = [
        *(Fault("pwrite64", "error=EIO", str(rng.randint(1, WRITES)), JOURNAL) for _ in range(runs)),
        *(Fault("fdatasync", "error=EIO", str(rng.randint(1, SYNCS)), JOURNAL) for _ in range(runs)),
    ]
    for fault, ended in await _runs(faults, place):
        assert ended.injected == 1, _seeded(fault, ended)
        assert ended.status == 1, _seeded(fault, ended)
        assert "OperationalError: disk I/O error" in ended.errors, _seeded(fault, ended)


@pytest.mark.parametrize("runs", [2, MANY])
async def test_an_error_in_a_checkpoint_loses_nothing_and_does_not_end_the_process(runs: int, place: Path) -> None:
    rng = random.Random(SEED)
    errors = ["EIO", "ENOSPC"]
    faults = [
        *(
            Fault("pwrite64", f"error={rng.choice(errors)}", str(rng.randint(*DATA_WRITES)), str(STORE))
            for _ in range(runs)
        ),
        *(Fault("fdatasync", "error=EIO", str(rng.randint(*DATA_SYNCS)), str(STORE)) for _ in range(runs)),
    ]
    for fault, ended in await _runs(faults, place, CHECKPOINTS):
        assert ended.injected >= 1, _seeded(fault, ended)
        assert ended.status == 0, _seeded(fault, ended)


@pytest.mark.parametrize("runs", [2, MANY])
async def test_an_error_while_the_store_is_made_leaves_no_store_or_a_whole_one(runs: int, place: Path) -> None:
    rng = random.Random(SEED)
    calls = [("pwrite64", 10), ("fdatasync", 2), ("openat", 1)]  # and how many of them it takes, at least
    faults = [
        Fault(call, "error=EIO", str(rng.randint(1, last)), str(STORE)) for call, last in calls for _ in range(runs)
    ]
    for fault, ended in await _runs(faults, place):
        assert ended.injected == 1, _seeded(fault, ended)
        assert ended.status == 1, _seeded(fault, ended)
        assert "Unusable" in ended.errors, _seeded(fault, ended)


@pytest.mark.parametrize("runs", [2, MANY])
async def test_a_full_disk_is_waited_out_and_all_work_is_finished(runs: int, place: Path) -> None:
    rng = random.Random(SEED)
    firsts = [
        rng.randint(30, WRITES) for _ in range(runs)
    ]  # late enough that a lease exists: only then is a full disk waited out
    faults = [Fault("pwrite64", "error=ENOSPC", f"{first}..{first + 40}", JOURNAL) for first in firsts]
    for fault, ended in await _runs(faults, place):
        assert ended.status == 0, _seeded(fault, ended)
        assert ended.injected > 1, _seeded(fault, ended)
        assert ended.full >= 1, _seeded(fault, ended)
        assert not ended.said.under_way, _seeded(fault, ended)


async def test_an_error_of_the_disk_ends_the_daemon(place: Path) -> None:
    nowhere = "127.0.0.1:1"  # no server is needed for the first write
    networks = {
        "home": {"type": "matrix", "homeserver": f"http://{nowhere}", "user": "@duck:hs", "password_file": "secrets/a"},
        "pond": {"type": "irc", "server": nowhere, "tls": False, "nick": "duck"},
    }
    config = {"networks": networks, "links": {"pond": {"rooms": ["home/#pond:hs", "pond/#pond"]}}}
    write_config(place, config | {"store": {"path": str(STORE)}}, {"a": "secret"})
    assert quackbridge(place, "init-db").returncode == 0
    fault = Fault("fdatasync", "error=EIO", "1", JOURNAL)
    process = await asyncio.create_subprocess_exec(
        *fault.command(place, place / "log"),
        *(sys.executable, "-m", "bridge", "run"),
        cwd=place,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert "(INJECTED)" in (place / "log").read_text()
    assert process.returncode == 1
    assert b"disk I/O error" in errors
