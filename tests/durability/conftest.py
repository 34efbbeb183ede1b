"""What the tests of durability need: strace, and a temporary place for simulated disks."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.store import reserve
from tests.conftest import cannot
from tests.durability.workload import RESERVE

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def strace() -> None:
    """Skip where strace is missing or may not trace our processes."""
    if shutil.which("strace") is None:
        cannot("strace is not installed")
    tried = subprocess.run(
        ["strace", "--seccomp-bpf", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        cannot(f"strace cannot be used here: {tried.stderr.strip()}")


@pytest.fixture(autouse=True)
def _small_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "SIZE", RESERVE)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, in memory where there is such a place: these disks are opened a thousand times."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else tmp_path) as folder:
        yield Path(folder)
