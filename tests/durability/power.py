"""The power cuts: a run of the store is recorded, and the disks that it may leave at any moment are opened."""

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.store import StoreError
from tests.durability import trace
from tests.durability.disk import Disk, Image
from tests.durability.promises import Promises, Values
from tests.durability.survey import BrokenStoreError, survey
from tests.durability.trace import Operation, Said

ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0  # seconds
_EACH = 3  # disks for one moment


def workload(folder: Path, seed: int, batches: int, planted: Sequence[str] = ()) -> Sequence[str]:
    """The command that runs the workload below `folder`, from `ROOT`."""
    return (sys.executable, "-m", "tests.durability.workload", str(folder), str(seed), str(batches), *planted)


def record(folder: Path, seed: int, batches: int, planted: Sequence[str] = ()) -> Sequence[Operation]:
    """What the workload does below `folder`, which is made for it."""
    folder.mkdir()
    log = folder.with_suffix(".trace")
    command = [*trace.COMMAND, "-o", str(log), *workload(folder, seed, batches, planted)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=_PATIENCE, check=True)
    operations = trace.read(log, folder)
    log.unlink()
    return operations


@dataclass(frozen=True, slots=True)
class Cut:
    """A disk as a power cut after that many operations may leave it, and what is broken on it."""

    operations: int
    image: Image
    broken: Sequence[str]


async def cuts(operations: Sequence[Operation], folder: Path, rng: random.Random, share: float) -> AsyncIterator[Cut]:
    """Disks after a random `share` of the operations, several each; `folder` is where each is opened."""
    disk, promises = Disk(), Promises()
    for number, operation in enumerate(operations):
        disk.apply(number, operation)
        if isinstance(operation, Said):
            promises.hear(operation)
        if rng.random() >= share:
            continue
        for _ in range(_EACH):
            image = disk.image(rng)
            found = await _found(image, folder)
            broken = [found] if isinstance(found, str) else list(promises.broken(found))
            yield Cut(number + 1, image, broken)


async def _found(image: Image, folder: Path) -> Values | str:
    """What the store finds on that disk, or why it cannot be used."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        return await survey(folder)
    except (StoreError, sqlite3.Error, BrokenStoreError) as error:
        return f"{type(error).__name__}: {error}"
