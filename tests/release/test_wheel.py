"""The wheel: it has all that the program needs and nothing else, and works where the source is not."""

import json
import subprocess
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

import bridge
from tests.installed import ROOT, build_wheel, install, make_venv

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, make_venv(tmp_path_factory.mktemp("elsewhere") / "venv"))


def run(command: Path, folder: Path, *words: str) -> str:
    done = subprocess.run([str(command), *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_every_module_and_every_file_that_they_read_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    there = {
        str(path.relative_to(ROOT))
        for folder in ("bridge", "bots")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - names == set()
    assert {name.split("/")[0] for name in names} == {"bridge", "bots"} | {
        name.split("/")[0] for name in names if name.startswith("quackbridge-")
    }
    data = {name.partition(".data/data/")[2] for name in names if ".data/data/" in name}
    assert data == {str(path.relative_to(ROOT)) for path in (ROOT / "share").rglob("*") if path.is_file()}


def test_its_version_is_that_of_the_program(wheel: Path, command: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (each for each in packed.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(packed.read(name).decode())
    assert metadata["Version"] == bridge.__version__
    assert run(command, tmp_path, "--version") == f"quackbridge, version {bridge.__version__}\n"


def test_it_works_where_the_source_is_not(command: Path, tmp_path: Path) -> None:
    assert "check-config" in run(command, tmp_path, "--help")
    assert json.loads(run(command, tmp_path, "config-schema"))["title"] == "Config"
    assert "_QUACKBRIDGE_COMPLETE" in run(command, tmp_path, "completion", "bash")
    example = yaml.safe_load((ROOT / "config.example.yaml").read_text())
    config = {
        "networks": {"libera": {"type": "irc", "server": "irc.libera.chat:6697", "nick": "duck"}},
        "links": {"pond": {"rooms": ["libera/#pond"], "bots": ["duck"]}},
        "bots": {"duck": example["bots"]["duck"]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    run(command, tmp_path, "init-db")
    run(command, tmp_path, "add-user", "alice", "--irc", "libera/alice")
    assert run(command, tmp_path, "check-config") == "ok\n"
    assert "[Service]" in run(command, tmp_path, "systemd-unit")
    unit = run(command, tmp_path, "systemd-unit")
    assert f"ExecStart={command} run -c {tmp_path}/config.yaml" in unit


def test_help_is_there_at_once(command: Path, tmp_path: Path) -> None:
    """What `--help` imports decides how long it takes: some 70 ms with these left out, half a second with them."""
    code = "import sys; sys.argv = ['quackbridge', '--help']\nfrom bridge.__main__ import main\n"
    code += "try: main()\nfinally: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run(
        [str(command.with_name("python")), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    slow = {"nio", "aiohttp", "pydantic", "yaml", "numpy", "scipy", "sqlite3", "structlog", "tinydb", "rich", "irc"}
    assert "Carry conversations" in done.stdout
    assert slow & set(done.stderr.split()) == set()
