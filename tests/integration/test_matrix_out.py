"""Logged out, banned or away, under the whole bridge: deliveries wait, other rooms go on, and all arrives in order."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from bridge.demo.people import IrcPerson, MatrixError, MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import Pond
from tests.integration.servers import Anope
from tests.integration.test_matrix import eventually

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    return pond


def _lines(alice: MatrixPerson, pond: Pond) -> list[str]:
    texts = (message.text.split("\n") for message in alice.messages if message.sender == pond.duck_id)
    marked = [line for text in texts for line in text if line.startswith(f"<{pond.bob}>")]
    return [line.removeprefix(f"<{pond.bob}> ") for line in marked]


async def _says(bob: IrcPerson, pond: Pond, lines: Sequence[str]) -> None:
    for line in lines:
        await bob.say(pond.channel, line)
    await bob.ping()


def _wait(pond: Pond, number: int) -> Callable[[], Awaitable[bool]]:
    """So many messages wait for the Matrix room, and none is dead."""

    async def waits() -> bool:
        listed: list[Mapping[str, Any]] = json.loads(quackbridge(pond.folder, "outbox", "list", "--json").stdout)
        assert all(entry["state"] == "queued" for entry in listed)
        return len(listed) >= number

    return waits


@pytest.mark.long
async def test_a_logout_loses_no_message_and_keeps_the_device_if_a_password_is_configured(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        said, heard = [], []
        for turn in range(3):
            await _says(bob, pond, more := [f"line {turn}{number}" for number in range(5)])
            said += more
            async with MatrixPerson(pond.synapse.url, pond.duck) as other:
                await other.call("POST", "logout/all", {})
            for number in range(5):
                heard.append(f"alice {turn}{number}")
                await alice.send(pond.room, heard[-1])
        await _says(bob, pond, ["the end"])
        await alice.heard("the end")
        await bob.heard(heard[-1])
        await daemon.logged("logged_out")
    assert _lines(alice, pond) == [*said, "the end"]
    from_us = [message.text for message in bob.messages if message.sender == pond.duck and "alice " in message.text]
    assert [text.partition("> ")[2] for text in from_us] == heard
    devices = {line["device"] for line in daemon.log if line["event"] == "logged_in"}
    assert len(devices) == 1


@pytest.mark.timeout(240)
async def test_a_logout_with_only_a_token_stops_one_network_until_a_new_token_is_configured(pond: Pond) -> None:
    networks: Any = pond.config["networks"]
    networks["home"]["access_token_file"] = networks["home"].pop("password_file")
    async with pond.people() as (alice, bob), MatrixPerson(pond.synapse.url, pond.duck) as ours:
        write_config(pond.folder, pond.config, {"home": ours._token})
        async with pond.daemon() as daemon:
            await daemon.ready()
            async with MatrixPerson(pond.synapse.url, pond.duck) as other:
                await other.call("POST", "logout/all", {})
                await alice.send(pond.room, "are you there?")  # ends the sync that was under way
                refused = await daemon.logged("network_refused")
                assert "put a new one, or the password, into the configuration" in refused["reason"]
                await _says(bob, pond, [f"{pond.duck}: what a day", "one", "two"])
                await bob.heard(lambda message: message.sender == pond.duck and "what a day" in message.text)
                await eventually(_wait(pond, 2))
            async with MatrixPerson(pond.synapse.url, pond.duck) as again:
                write_config(pond.folder, pond.config, {"home": again._token})
                daemon.send(signal.SIGHUP)
                await alice.heard("two", timeout=90)  # what was tried meanwhile waits for a minute
                await bob.heard("are you there?", timeout=40)
    assert [line for line in _lines(alice, pond) if line in ("one", "two")] == ["one", "two"]


async def test_messages_that_wait_because_of_a_ban_arrive_in_order_when_it_is_lifted(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        place, user = await alice.room_id(pond.room), {"user_id": pond.duck_id, "reason": "too loud"}
        await alice.call("POST", f"rooms/{place}/ban", user)
        await daemon.logged("not_joined", lambda line: "banned by" in line["reason"] and pond.duck_id in line["hint"])
        await _says(bob, pond, said := [f"line {number}" for number in range(10)])
        await eventually(_wait(pond, 10))
        await _says(bob, pond, [f"{pond.duck}: what a day"])
        await bob.heard(lambda message: message.sender == pond.duck and "what a day" in message.text)
        await alice.call("POST", f"rooms/{place}/unban", {"user_id": pond.duck_id})
        with suppress(MatrixError):  # it may have joined by itself just now
            await alice.invite(place, pond.duck_id)
        await alice.heard("what a day", timeout=20)
    assert _lines(alice, pond)[:10] == said


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_two_thousand_messages_of_an_absence_arrive_once_in_order_and_in_bounded_memory(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await alice.send(pond.room, "before")
        await bob.heard("before")
        assert await daemon.stop() == 0
        for number in range(2000):
            await alice.send(pond.room, f"line {number}")
        await daemon.start()
        await daemon.ready()
        before = psutil.Process(daemon.pid).memory_info().rss
        await bob.heard("line 1999", timeout=120)
        grown = psutil.Process(daemon.pid).memory_info().rss - before
        await alice.send(pond.room, "after")
        await bob.heard("after")
    from_us = [message.text for message in bob.messages if message.sender == pond.duck and "line " in message.text]
    assert [text.partition("line ")[2].partition(" ")[0] for text in from_us] == [str(number) for number in range(2000)]
    assert grown < 40 * 2**20


_SILENT_DNS = """
import socket, time
def silent(*_, **__):
    print('{"event": "asked"}', file=__import__("sys").stderr, flush=True)
    time.sleep(60)
socket.getaddrinfo = silent
"""


async def test_a_dns_server_that_does_not_answer_does_not_keep_the_daemon_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_SILENT_DNS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}")
    home = {"type": "matrix", "homeserver": "https://pond.internal", "user": "@duck:pond.internal"}
    config = {
        "networks": {"home": {**home, "password_file": "secrets/home"}},
        "links": {"pond": {"rooms": ["home/#pond:pond.internal"]}},
        "users": {"database": "users.json"},
        "store": {"path": "store.sqlite"},
    }
    write_config(tmp_path, config, {"home": "quack-quack"})
    assert quackbridge(tmp_path, "init-db").returncode == 0
    command = (sys.executable, "-m", "bridge", "run")  # not forked: it is to read our sitecustomize
    daemon = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        assert daemon.stderr is not None
        async with asyncio.timeout(20):
            while b"asked" not in await daemon.stderr.readline():
                pass
        daemon.terminate()
        async with asyncio.timeout(5):
            assert await daemon.wait() == 0
    finally:
        if daemon.returncode is None:
            daemon.kill()
