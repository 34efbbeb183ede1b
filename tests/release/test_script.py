"""`make release` refuses what must not be released, and packs the same content to the same bytes."""

import io
import shutil
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from tests.installed import ROOT

pytestmark = pytest.mark.real_time


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with what the script looks at before it begins."""
    tree = tmp_path / "tree"
    (tree / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "release", tree / "scripts")
    (tree / "bridge").mkdir()
    (tree / "bridge" / "__init__.py").write_text('__version__ = "9.9.9"\n')
    (tree / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n")
    (tree / ".gitignore").write_text("__pycache__\n")
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=duck", "-c", "user.email=duck@pond", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=tree, check=True)
    return tree


def release(tree: Path) -> str:
    done = subprocess.run(
        ["scripts/release"], cwd=tree, env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "PYTHONPATH": "."},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert not (tree / "dist").exists()
    return done.stderr


def test_a_version_without_a_heading_in_the_changelog_is_not_released(tree: Path) -> None:
    assert "CHANGELOG.md has no heading '## [9.9.9]'" in release(tree)


def test_changes_that_are_not_committed_are_not_released(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text("## [9.9.9]\n")
    assert "There are changes that are not committed" in release(tree)


def test_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    sums = []
    for number, names in enumerate((("a", "b"), ("b", "a"))):
        path = tmp_path / f"{number}.tar.gz"
        with tarfile.open(path, "w:gz") as packed:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mtime, entry.uid, entry.uname = 2, 1000 * number, number, f"user{number}"
                packed.addfile(entry, io.BytesIO(b"hi"))
        subprocess.run([sys.executable, str(ROOT / "scripts" / "normalised-sdist"), str(path), "12345"], check=True)
        sums.append(sha256(path.read_bytes()).hexdigest())
        with tarfile.open(path) as packed:
            assert {entry.name: (entry.mtime, entry.uid, entry.uname) for entry in packed} == {
                "a": (12345, 0, ""),
                "b": (12345, 0, ""),
            }
    assert sums[0] == sums[1]
