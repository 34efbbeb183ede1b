"""What systemd is told, over real sockets."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bridge.app import log
from bridge.app.systemd import Systemd
from tests.http.house import health_of

pytestmark = pytest.mark.real_time


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket on which systemd listens, and its name in the environment."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@{tmp_path}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(name.replace("@", "\0", 1))
        listening.settimeout(5)
        yield listening, name


async def heard(listening: socket.socket) -> list[str]:
    return (await asyncio.to_thread(listening.recv, 4096)).decode().splitlines()


async def test_each_change_is_told_and_numbers_that_only_tick_are_not(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    networks = {"home": "", "libera": "no connection"}
    systemd = Systemd({"NOTIFY_SOCKET": name})
    telling = asyncio.create_task(systemd.keep(lambda: health_of(networks), lambda: ""))
    try:
        assert await heard(listening) == ["STATUS=1/2 networks up, 0 links, outbox 0"]
        await asyncio.sleep(2.5)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.recv(4096)
        listening.settimeout(5)
        networks["libera"] = ""
        assert await heard(listening) == ["STATUS=2/2 networks up, 0 links, outbox 0"]
    finally:
        telling.cancel()


async def test_the_watchdog_is_fed_only_while_nothing_is_wedged(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    wedged = ""
    systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000", "WATCHDOG_PID": str(os.getpid())})
    feeding = asyncio.create_task(systemd.keep(lambda: health_of({}), lambda: wedged))
    try:
        assert [await heard(listening) for _ in range(3)].count(["WATCHDOG=1"]) >= 2
        wedged = "the store could not be written"
        await asyncio.sleep(0.5)
        listening.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                listening.recv(4096)
        await asyncio.sleep(1)
        with pytest.raises(BlockingIOError):
            listening.recv(4096)
    finally:
        feeding.cancel()


async def test_a_watchdog_for_another_process_is_not_fed(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"})
    feeding = asyncio.create_task(systemd.keep(lambda: health_of({}), lambda: ""))
    try:
        assert (await heard(listening))[0].startswith("STATUS=")
        listening.settimeout(0.7)
        with pytest.raises(TimeoutError):
            await heard(listening)
    finally:
        feeding.cancel()


async def test_a_reload_is_framed_and_its_time_is_told(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    systemd = Systemd({"NOTIFY_SOCKET": name})
    with suppress(ValueError), systemd.reloading():
        raise ValueError
    reloading, since = await heard(listening)
    assert reloading == "RELOADING=1"
    assert since.removeprefix("MONOTONIC_USEC=").isdecimal()
    assert await heard(listening) == ["READY=1"]


@pytest.mark.parametrize("name", ["", "relative/path", "/nowhere/at/all", "@nobody-listens", "/" + "x" * 200])
async def test_without_systemd_or_with_one_that_is_gone_nothing_happens(name: str) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "nonsense"})
    systemd.opening()
    systemd.ready()
    systemd.stopping()


async def test_only_the_stream_that_leads_to_the_journal_is_taken_for_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert log._is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not log._is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not log._is_journal(stream, {})
