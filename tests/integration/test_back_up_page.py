"""docs/how-to/back-up.md, word for word: its blocks are run by a shell, with an installed command and a real daemon.

What belongs to the machine is replaced by small programs of the same names: `sudo` runs the command, `systemctl` starts
and stops the daemon, `pipx` installs the program into an environment of the test.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, closing, suppress
from pathlib import Path

import pytest

from bridge.model.event import Room
from bridge.model.outbox import Addressed
from bridge.store import Commit
from bridge.store.migrations import VERSION
from bridge.store.sqlite import SqliteStore
from tests.data.stores import frozen_store
from tests.events import matrix, said
from tests.installed import build_wheel, make_venv

pytestmark = [pytest.mark.real_time, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "back-up.md").read_text()
_CONFIG = """\
networks:
  home: {type: matrix, homeserver: "http://127.0.0.1:9", user: "@duck:localhost", password_file: secrets/home}
  irc: {type: irc, server: "127.0.0.1:9", tls: false, nick: duck}
links:
  pond: {rooms: ["home/#pond:localhost", "irc/#pond"]}
"""
_SYSTEMCTL = """\
#!/bin/sh -e
# systemctl start|stop|restart|disable [--now] quackbridge
for last; do :; done
[ "$last" = quackbridge ]
stop() {
    [ ! -e "$STATE/pid" ] || {
        kill "$(cat "$STATE/pid")"
        while kill -0 "$(cat "$STATE/pid")" 2>/dev/null; do sleep 0.05; done
        rm "$STATE/pid"
    }
}
start() {
    rm -f data/quackbridge.sqlite.sock
    quackbridge run >"$STATE/log" 2>&1 & echo $! >"$STATE/pid"
    for try in $(seq 600); do
        [ ! -S data/quackbridge.sqlite.sock ] || return 0
        sleep 0.05
    done
    cat "$STATE/log" >&2
    return 1
}
echo "systemctl $*" >>"$STATE/asked"
case $1 in stop | disable) stop ;; start) start ;; restart) stop; start ;; esac
"""
_PIPX = """\
#!/bin/sh -e
# pipx install --force NAME | upgrade NAME | uninstall NAME
echo "pipx $*" >>"$STATE/asked"
case $1 in
    uninstall) "$PYTHON" -m pip --python "$VENV/bin/python" uninstall --quiet --yes quackbridge ;;
    *) "$PYTHON" -m pip --python "$VENV/bin/python" install --quiet --no-deps --no-index --force-reinstall "$WHEEL" ;;
esac
"""
_OURS = ("PYTHON", "QUACKBRIDGE", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY")
_SUDO = '#!/bin/sh\nexec "$@"\n'


def blocks(title: str) -> Sequence[str]:
    """The blocks of a section that are to be run."""
    section = re.search(rf"(?ms)^## {title}\n(.*?)(?=^## |\Z)", PAGE)
    assert section is not None, title
    return re.findall(r"(?ms)^```sh\n(.*?)^```", section[1])


class Machine:
    """A folder with a configuration, and the programs that the page uses."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._environ = environ
        self._socket = folder / "data" / "quackbridge.sqlite.sock"

    def run(self, commands: str, last: Sequence[int] = (0,)) -> str:
        """What the commands print. They must all succeed; the last one may have another exit code."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder, env=self._environ, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode in last, f"{commands}\n{done.stdout}{done.stderr}"
        return done.stdout

    def names(self) -> list[str]:
        return [user["name"] for user in json.loads(self.run("quackbridge list-users --json"))]

    def waiting(self) -> set[str]:
        """The ids of the deliveries that wait."""
        return {each["id"] for each in json.loads(self.run("quackbridge outbox list --json"))}

    def asked(self) -> Sequence[str]:
        """What was asked of the machine so far."""
        return Path(self._environ["STATE"], "asked").read_text().splitlines()

    def runs(self) -> bool:
        """Whether a daemon runs that can be asked."""
        pid = Path(self._environ["STATE"], "pid")
        return pid.exists() and Path("/proc", pid.read_text().strip()).exists() and self._socket.is_socket()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it is installed elsewhere."""
    return build_wheel(tmp_path_factory.mktemp("built"))


@pytest.fixture
def machine(tmp_path: Path, wheel: Path) -> Iterator[Machine]:
    venv, tools, folder, state = (tmp_path / name for name in ("venv", "tools", "pond", "state"))
    for each in (tools, folder, state):
        each.mkdir()
    make_venv(venv)
    for name, text in (("systemctl", _SYSTEMCTL), ("pipx", _PIPX), ("sudo", _SUDO)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environ |= {"PATH": f"{tools}:{venv / 'bin'}:{os.environ['PATH']}", "STATE": str(state), "VENV": str(venv)}
    machine = Machine(folder, environ | {"PYTHON": sys.executable, "WHEEL": str(wheel)})
    machine.run("pipx install quackbridge")
    (folder / "config.yaml").write_text(_CONFIG)
    (folder / "secrets").mkdir(mode=0o700)
    (folder / "secrets" / "home").touch(mode=0o600)
    (folder / "secrets" / "home").write_text("quack")
    machine.run("quackbridge init-db && quackbridge add-user alice --matrix @alice:localhost --role admin")
    yield machine
    with suppress(OSError, ValueError):
        os.kill(int((state / "pid").read_text()), signal.SIGKILL)


async def _queue(path: Path) -> str:
    """Alice has said something that waits for IRC. The id of the delivery."""
    event = said(Room("home", "#pond:localhost"), matrix("alice"), "quack", time=time.time())
    async with aclosing(SqliteStore.open(path, time.time)) as store:
        home = await store.acquire("home", "test")
        assert home is not None
        assert await store.acquire("irc", "test") is not None
        await home.commit(Commit.owing([Addressed(event, Room("irc", "#pond"))]))
        (entry,) = await store.outbox()
        return str(entry.delivery)


def test_the_page_has_blocks_for_each_of_its_sections() -> None:
    counts = {title: len(blocks(title)) for title in ("Back up", "Restore", "Upgrade", "Uninstall")}
    assert counts == {"Back up": 1, "Restore": 3, "Upgrade": 2, "Uninstall": 1}


def test_a_backup_is_made_while_the_daemon_runs_and_restored_as_the_page_says(machine: Machine) -> None:
    (back_up,), (users, store, new_machine) = blocks("Back up"), blocks("Restore")
    waits = asyncio.run(_queue(machine.folder / "data" / "quackbridge.sqlite"))
    machine.run("sudo systemctl start quackbridge")
    assert "copied into backups/" in machine.run(back_up)
    machine.run("quackbridge add-user bob")
    machine.run(users)
    assert (machine.names(), machine.runs()) == (["alice"], True)

    machine.run(f"quackbridge outbox drop {waits}")
    machine.run(store)
    assert (machine.waiting(), machine.runs()) == ({waits}, True)
    machine.run("sudo systemctl stop quackbridge")
    kept = sorted(path.name for path in (machine.folder / "data").glob("*.bak"))
    assert [name.partition(".")[0] for name in kept] == ["quackbridge", "users", "users"]

    for lost in ("data", "config.yaml", ".config.yaml.last"):
        machine.run(f"rm -r {lost}")
    assert machine.run(new_machine) == "ok\n"
    assert (machine.folder / "config.yaml").read_text() == _CONFIG
    machine.run(store)
    assert (machine.names(), machine.waiting(), machine.runs()) == (["alice"], {waits}, True)


def test_an_older_store_is_upgraded_and_its_backup_can_be_gone_back_to(machine: Machine) -> None:
    upgrade, go_back = blocks("Upgrade")
    data = machine.folder / "data"
    shutil.copy(frozen_store(VERSION - 1), data / "quackbridge.sqlite")
    (data / "quackbridge.sqlite").chmod(0o600)
    machine.run(upgrade, last=(0, 1))  # `status`: the networks of this test are away
    assert machine.runs()
    assert (data / f"quackbridge.sqlite.v{VERSION - 1}.bak").exists()
    machine.run("quackbridge add-user bob")
    machine.run(go_back)
    assert (machine.names(), machine.runs()) == (["alice"], True)
    with closing(sqlite3.connect(data / "quackbridge.sqlite")) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert machine.asked()[-4:] == [
        "systemctl restart quackbridge", "systemctl stop quackbridge",
        "pipx install --force quackbridge==0.1.0", "systemctl start quackbridge",
    ]  # fmt: skip


def test_nothing_is_left_of_an_uninstalled_bridge(machine: Machine) -> None:
    machine.run("sudo systemctl start quackbridge && quackbridge backup")
    (uninstall,) = blocks("Uninstall")
    machine.run(uninstall)
    assert [*machine.folder.iterdir()] == []
    assert machine.run("command -v quackbridge || echo gone") == "gone\n"
    assert not Path(machine._environ["STATE"], "pid").exists()
