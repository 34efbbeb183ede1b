"""The daemon as systemd starts it: with a socket to tell its state on, and the journal as its log."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


async def until(listening: socket.socket, wanted: Callable[[str], bool], within: float = 30.0) -> list[str]:
    """What is told until one line is `wanted`."""
    told: list[str] = []
    async with asyncio.timeout(within):
        while not any(map(wanted, told)):
            told += (await asyncio.to_thread(listening.recv, 4096)).decode().splitlines()
    return told


async def test_it_is_ready_without_its_networks_and_says_when_they_come_and_what_is_wedged(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, services)
    away = pond.irc_network(free_port())
    pond.config["networks"] = {**pond.config["networks"], "away": away}  # type: ignore[dict-item]
    pond.config["http"] = {"listen": f"{HOST}:{free_port()}"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    log = tmp_path / "journal"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening, log.open("w") as journal:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(40)
        where = os.fstat(journal.fileno())
        environ = {
            **os.environ,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "1000000",
            "JOURNAL_STREAM": f"{where.st_dev}:{where.st_ino}",
        }
        command = [sys.executable, "-m", "bridge", "run"]
        daemon = subprocess.Popen(command, cwd=pond.folder, env=environ, stderr=journal)  # noqa: ASYNC220
        try:
            told = await until(listening, lambda line: line == "READY=1")
            assert "STATUS=opening the store" in told
            assert not any("networks up" in line and not line.startswith("STATUS=0/3") for line in told)
            await until(listening, lambda line: line.startswith("STATUS=2/3 networks up, 1 link,"))
            daemon.send_signal(signal.SIGHUP)
            told = await until(listening, lambda line: line == "RELOADING=1")
            await until(listening, lambda line: line == "READY=1")
            with closing(sqlite3.connect(pond.folder / "data" / "quackbridge.sqlite", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(9)
                while await _waits(listening):
                    listening.recv(4096)
                listening.settimeout(2)
                with pytest.raises(TimeoutError):
                    await until(listening, lambda line: line == "WATCHDOG=1", within=10)
                other.execute("ROLLBACK")
            listening.settimeout(40)
            await until(listening, lambda line: line == "WATCHDOG=1")
            daemon.terminate()
            await until(listening, lambda line: line == "STOPPING=1")
            assert await asyncio.to_thread(daemon.wait, 20) == 0
        finally:
            daemon.kill()
            daemon.wait()
    lines = log.read_text().splitlines()
    assert {line[:3] for line in lines} <= {"<3>", "<4>", "<6>"}
    assert all("timestamp" not in json.loads(line[3:]) for line in lines)
    assert any(line.startswith("<4>") and '"offline"' in line for line in lines)


async def _waits(listening: socket.socket) -> bool:
    listening.settimeout(0)
    try:
        return bool(listening.recv(4096, socket.MSG_PEEK))
    except BlockingIOError:
        return False
