"""After a power cut at any moment the store opens, is whole, and has kept what it promised."""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.durability.disk import Disk, Image
from tests.durability.planted import CHECKPOINTS
from tests.durability.power import Cut, cuts, record
from tests.durability.trace import Operation, Synced, Written
from tests.durability.workload import STORE

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("strace")]

SEED = int(os.environ.get("QUACKBRIDGE_SEED") or int.from_bytes(os.urandom(4)))
BATCHES = 60

LONG = [pytest.mark.long, pytest.mark.timeout(1200)]
"""Power cuts after every single operation take minutes: `make faults`."""


@pytest.mark.parametrize(
    ("share", "arranged"),
    [
        (0.05, [CHECKPOINTS]),
        pytest.param(1.0, [CHECKPOINTS], marks=LONG),
        pytest.param(1.0, [], marks=LONG),
    ],
)
async def test_every_promise_of_the_store_holds_after_a_power_cut(
    share: float, arranged: Sequence[str], place: Path, tmp_path: Path
) -> None:
    operations = record(place / "run", SEED, BATCHES, arranged)
    if arranged:
        assert _starts(operations, f"{STORE}-wal") >= 3, "the journal did not wrap"
        assert sum(isinstance(each, Synced) and each.path == str(STORE) for each in operations) >= 5, "no checkpoints"
    seen = 0
    async for cut in cuts(operations, place / "disk", random.Random(SEED), share):
        seen += 1
        assert not cut.broken, _explained(cut, tmp_path)
    assert seen > len(operations) * share


def test_the_recorded_operations_reproduce_every_file_that_was_written(place: Path) -> None:
    disk = Disk()
    for number, operation in enumerate(record(place / "run", SEED, BATCHES)):
        disk.apply(number, operation)
    left = {str(path.relative_to(place / "run")): path.read_bytes() for path in _files(place / "run")}
    assert len(left) > 1
    assert disk.whole() == left


LOST = "is None, not"
SENT_AGAIN = "is 'queued', not 'sent'"
DAMAGED = "Unusable: "
HALF = "is half done"
NOT_LEFT = "row uncopied crypto olm "


@pytest.mark.parametrize(
    ("planted", "signs"),
    [
        ("synchronous-normal", {LOST, SENT_AGAIN}),
        ("synchronous-off", {LOST}),
        pytest.param("synchronous-off", {DAMAGED}, marks=pytest.mark.long),  # rarely: seconds
        ("cursor-first", {HALF}),
        ("cursor-last", {HALF}),
        ("planned-later", {HALF}),
        ("told-later", {HALF}),
        ("rows-later", {HALF}),
        ("rows-not-flushed", {NOT_LEFT}),
        ("answered-early", {LOST}),
        ("folder-not-synced", {LOST}),
    ],
)
async def test_a_planted_error_in_durability_is_found(planted: str, signs: set[str], place: Path) -> None:
    missing = set(signs)
    operations = record(place / "run", SEED, 30, [planted])
    async for cut in cuts(operations, place / "disk", random.Random(SEED), share=0.3):
        missing -= {sign for sign in signs if any(sign in each for each in cut.broken)}
        if not missing:
            return
    pytest.fail(f"{planted}: {missing} was not seen; QUACKBRIDGE_SEED={SEED}")


def _files(folder: Path) -> Sequence[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _starts(operations: Sequence[Operation], path: str) -> int:
    """How often the file was written from its beginning."""
    return sum(isinstance(each, Written) and (each.path, each.offset) == (path, 0) for each in operations)


def _explained(cut: Cut, folder: Path) -> str:
    _keep(cut.image, folder)
    broken = "\n".join(cut.broken)
    return f"after {cut.operations} operations, QUACKBRIDGE_SEED={SEED}, the disk is kept in {folder}:\n{broken}"


def _keep(image: Image, folder: Path) -> None:
    for name, content in image.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
