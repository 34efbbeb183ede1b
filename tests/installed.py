"""The program as it is installed elsewhere: a wheel made of the present source, in an environment of its own."""

import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build_wheel(folder: Path) -> Path:
    """Build the wheel in `folder`, from a copy of the source, and return its path."""
    source, built = folder / "source", folder / "wheel"
    for name in ("bridge", "bots", "share"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(built), str(source)]
    if find_spec("setuptools") and find_spec("wheel"):  # nothing is downloaded
        command.insert(4, "--no-build-isolation")
    subprocess.run(command, check=True)
    (found,) = built.glob("*.whl")
    return found


def make_venv(folder: Path) -> Path:
    """Make an environment in `folder` that has what the program needs, and not the program; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


def install(wheel: Path, python: Path) -> Path:
    """Install `wheel` for `python`, without what it needs; return the command."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", str(wheel)]
    subprocess.run(command, check=True)
    return python.with_name("quackbridge")
