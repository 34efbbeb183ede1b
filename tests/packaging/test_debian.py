"""The Debian package, on this machine: built, installed, run, upgraded, removed and purged. Nothing of it stays."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import cannot
from tests.installed import ROOT

pytestmark = [pytest.mark.real_time, pytest.mark.servers, pytest.mark.timeout(600)]

_CONFIG = """\
networks:
  irc: {type: irc, server: "127.0.0.1:9", tls: false, nick: duck}
links:
  pond: {rooms: ["irc/#pond"], bots: [duck]}
bots:
  duck: {use: "bots.duck:Duck"}
users: {database: /var/lib/quackbridge/users.json}
store: {path: /var/lib/quackbridge/quackbridge.sqlite}
"""
_ETC, _VAR = Path("/etc/quackbridge"), Path("/var/lib/quackbridge")


def run(*command: str, **more: object) -> str:
    done = subprocess.run([*command], capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return str(done.stdout)


def _missing() -> str:
    if shutil.which("dpkg-deb") is None or os.geteuid() != 0:
        return "a Debian package is installed by root, on Debian"
    if _ETC.exists() or _VAR.exists():
        return "quackbridge is installed here already"
    venv = subprocess.run(["/usr/bin/python3", "-c", "import ensurepip"], capture_output=True, check=False)
    return "" if venv.returncode == 0 else "python3-venv is not installed"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if reason := _missing():
        cannot(reason)
    built = tmp_path_factory.mktemp("package")
    environ = {**os.environ, "COMPRESSION": "none"}
    run(str(ROOT / "scripts" / "debian-package"), str(built), env=environ)
    (found,) = built.glob("*.deb")
    return found


@pytest.fixture
def machine(package: Path) -> Iterator[Path]:
    """This machine, with the package until the end of the test."""
    run("dpkg", "-i", str(package))
    try:
        yield package
    finally:
        subprocess.run(["dpkg", "--purge", "--force-all", "quackbridge"], capture_output=True, check=False)


def newer(package: Path, folder: Path) -> Path:
    """The same package with a higher version."""
    run("dpkg-deb", "-R", str(package), str(folder))
    control = folder / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("Version: ", "Version: 9"))
    (folder / "usr" / "share" / "doc" / "quackbridge" / "newer").touch()
    later = folder.with_name("newer.deb")
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(folder), str(later))
    return later


async def ready(folder: Path) -> None:
    """Run the daemon as its user, until it says that it is ready; then stop it."""
    user = pwd.getpwnam("quackbridge")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o777)
        listening.settimeout(60)
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        command += ["/usr/bin/quackbridge", "run", "-c", str(_ETC / "config.yaml")]
        environ = {"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(folder / "notify")}
        daemon = subprocess.Popen(command, env=environ, cwd=_VAR, stderr=subprocess.PIPE)  # noqa: ASYNC220
        try:
            told = ""
            while "READY=1" not in told:
                told += (await asyncio.to_thread(listening.recv, 4096)).decode()
            daemon.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(daemon.wait, 20) == 0
        finally:
            daemon.kill()
            daemon.communicate()


async def test_it_is_installed_run_upgraded_removed_and_purged(machine: Path, tmp_path: Path) -> None:
    shared = Path("/tmp") / f"{tmp_path.name}-{os.getpid()}"
    shared.mkdir(mode=0o755)
    try:
        assert run("quackbridge", "--version").startswith("quackbridge, version ")
        assert (_ETC.stat().st_mode & 0o777, _VAR.stat().st_mode & 0o777) == (0o750, 0o700)
        await _set_up_and_run(shared)
        config = _ETC / "config.yaml"
        config.write_text(_CONFIG)
        run("quackbridge", "init-db", "-c", str(config))
        run("quackbridge", "add-user", "alice", "--irc", "irc/alice", "-c", str(config))
        assert run("quackbridge", "check-config", "-c", str(config)) == "ok\n"
        await ready(shared)
        owners = {path.owner() for path in _VAR.rglob("*")}
        assert owners == {"quackbridge"}, "a command of root's took a file from the daemon"
        assert Path("/usr/share/man/man1/quackbridge.1.gz").exists()

        run("dpkg", "-i", str(newer(machine, tmp_path / "newer")))
        assert Path("/usr/share/doc/quackbridge/newer").exists()
        assert config.read_text() == _CONFIG
        await asyncio.to_thread((shared / "notify").unlink)
        await ready(shared)
        assert "alice" in run("quackbridge", "list-users", "-c", str(config))

        run("dpkg", "--remove", "quackbridge")
        assert not Path("/usr/bin/quackbridge").exists()
        assert config.exists()
        assert (_VAR / "users.json").exists()
        run("dpkg", "--purge", "quackbridge")
        left = [each for each in (_ETC, _VAR, Path("/usr/lib/quackbridge")) if each.exists()]
        assert left == []
        with pytest.raises(KeyError):
            pwd.getpwnam("quackbridge")
    finally:
        shutil.rmtree(shared, ignore_errors=True)


_SET_UP = """
from pathlib import Path
from bridge.model.people import Identity, Proof
from bridge.setup.answers import Answers, IrcAnswers, MatrixAnswers
from bridge.setup.files import write
matrix = MatrixAnswers("home", "http://127.0.0.1:9", "@duck:localhost", "secret", "#pond:localhost")
irc = IrcAnswers("irc", "127.0.0.1:9", False, "duck", "#pond")
admin = (Identity(Proof.MATRIX, "", "@alice:localhost"),)
write(Path("/etc/quackbridge/config.yaml"), Answers("pond", matrix, irc, "duck-only", "alice", admin))
"""


async def _set_up_and_run(shared: Path) -> None:
    """What `sudo quackbridge setup` writes in /etc/quackbridge is right for the daemon's user, and for the unit."""
    run("/usr/lib/quackbridge/bin/python", "-c", _SET_UP)
    assert {path.owner() for path in (_ETC, *_ETC.rglob("*"))} == {"quackbridge"}
    await ready(shared)
    unit = Path("/usr/lib/systemd/system/quackbridge.service").read_text()
    assert f"ReadWritePaths=-{_ETC / 'data'}\n" in unit
    shutil.rmtree(_ETC / "data")
    shutil.rmtree(_ETC / "secrets")
    await asyncio.to_thread((shared / "notify").unlink)


def test_it_has_what_a_package_has_and_nothing_that_others_may_change(package: Path) -> None:
    listed = run("dpkg-deb", "-c", str(package)).splitlines()
    names = {line.split()[5].removeprefix(".") for line in listed}
    assert {
        "/usr/bin/quackbridge",
        "/usr/lib/systemd/system/quackbridge.service",
        "/usr/lib/sysusers.d/quackbridge.conf",
        "/usr/share/man/man1/quackbridge.1.gz",
        "/usr/share/bash-completion/completions/quackbridge",
        "/usr/share/zsh/vendor-completions/_quackbridge",
        "/usr/share/doc/quackbridge/copyright",
        "/usr/share/doc/quackbridge/changelog.gz",
        "/usr/share/doc/quackbridge/config.example.yaml",
    } <= names
    assert [line for line in listed if line[0] != "l" and line[8] == "w"] == []
    assert {line.split()[1] for line in listed} == {"root/root"}
    assert not [name for name in names if "/pip/" in name]
