"""The commands that ask the running daemon over its socket, without `http`: reload, healthcheck, watch, history."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import Synapse
from bridge.relay.outages import SHORT
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import Pond, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


@pytest.fixture
async def daemon(pond: Pond) -> AsyncGenerator[Daemon, None]:
    async with pond.daemon() as daemon:
        yield await daemon.ready()


async def _up(pond: Pond, daemon: Daemon) -> Pond:
    """The pond, once its daemon is ready, and that was noticed."""
    await daemon.ready()
    await asyncio.sleep(2)
    return pond


async def _run(pond: Pond, *arguments: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(quackbridge, pond.folder, *arguments)
    return done.returncode, done.stdout, done.stderr


@asynccontextmanager
async def _watching(pond: Pond, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """A `quackbridge watch` beside the daemon."""
    command = (sys.executable, "-m", "bridge", *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=pond.folder, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process, has: str) -> str:
    """The next line with that in it."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while has not in (line := (await process.stdout.readline()).decode()):
            assert line, f"{has!r} was not shown"
    return line


async def test_a_reload_is_waited_for_and_says_what_came_of_it(pond: Pond, daemon: Daemon) -> None:
    config: Any = pond.config
    assert (await _run(pond, "reload"))[:2] == (0, "reloaded\n")
    config["links"]["pond"]["bots"] = ["drake"]
    write_config(pond.folder, config, {})
    code, _, said = await _run(pond, "reload")
    assert code == 2
    assert "links.pond.bots" in said
    assert said.startswith((f"{pond.folder / 'config.yaml'}:", "config.yaml:"))
    assert said.count("links.pond.bots") == 1
    assert "goes on with its previous configuration" in said
    code, told, _ = await _run(pond, "reload", "--json")
    assert (code, json.loads(told)["reloaded"]) == (2, False)
    config["links"]["pond"]["bots"] = ["duck"]
    config["networks"]["irc"]["nick"] = f"{pond.duck}x"
    write_config(pond.folder, config, {})
    assert (await _run(pond, "reload"))[:2] == (0, "reloaded\nstopped: irc\nstarted: irc\n")
    assert await daemon.stop() == 0
    code, _, said = await _run(pond, "reload")
    assert code == 3
    assert "the daemon does not run: start it with `quackbridge run`" in said


async def test_a_health_check_tells_a_daemon_that_works_from_one_that_is_stuck_and_from_none(
    pond: Pond, daemon: Daemon
) -> None:
    assert (await _run(pond, "healthcheck"))[:2] == (0, "ok\n")
    code, _, said = await _run(pond, "healthcheck", "-c", "nothing.yaml")
    assert code == 1
    assert "there is no nothing.yaml here; `quackbridge setup` makes one" in said
    code, told, _ = await _run(pond, "healthcheck", "-c", str(pond.folder / "config.yaml"))
    assert (code, told) == (0, "ok\n")
    daemon.send(signal.SIGSTOP)
    begun = time.monotonic()
    code, _, said = await _run(pond, "healthcheck")
    daemon.send(signal.SIGCONT)
    assert (code, said.strip()) == (1, "the daemon does not answer")
    assert time.monotonic() - begun < 15.0
    assert await daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    code, _, said = await _run(pond, "healthcheck")
    assert (code, said.strip()) == (1, "no daemon runs")


async def test_what_is_carried_is_watched_line_by_line_and_words_only_if_asked_for(pond: Pond, daemon: Daemon) -> None:
    async with pond.people() as (alice, bob), _watching(pond, "watch") as plain:
        async with _watching(pond, "watch", "--json", "--words") as full:
            await asyncio.sleep(2)  # until both watch
            await alice.send(pond.room, "a secret of the pond")
            await bob.heard("a secret of the pond")
            heard = await _line(plain, f" heard home/{pond.room} -> ")
            assert f"irc/{pond.channel}" in heard
            assert "secret" not in heard
            assert "alice" not in heard
            assert f" sent irc/{pond.channel} id " in await _line(plain, " sent ")
            shown = json.loads(await _line(full, '"heard"'))
            assert (shown["words"], shown["who"] != "") == ("a secret of the pond", True)
        async with pond.person("mallory") as mallory:
            await mallory.join(pond.channel)
            await mallory.say(pond.channel, "let me in")
            assert "(" in await _line(plain, f" refused irc/{pond.channel}")
        await bob.say(pond.duck, "login bob hunter2")
        await alice.send(pond.room, "barrier")
        while f"heard home/{pond.room}" not in (line := await _line(plain, "")):
            assert "hunter2" not in line
            assert pond.bob not in line
        os.kill(plain.pid, signal.SIGINT)
        async with asyncio.timeout(10):
            assert await plain.wait() == 130
        assert daemon.log


async def test_status_is_watched_without_a_terminal_and_prints_what_is_new(pond: Pond) -> None:
    async with (
        pond.people() as (_, bob),
        pond.daemon() as daemon,
        _watching(await _up(pond, daemon), "status", "--watch", "--json") as watching,
    ):
        first = json.loads(await _line(watching, '"running"'))
        assert (first["running"], first["status"]) == (True, "ok")
        await bob.ask(f"MODE {pond.channel} +b {pond.duck}!*@*", lambda line: line.command == "MODE")
        await bob.ask(f"KICK {pond.channel} {pond.duck} :out", lambda line: line.command == "KICK")
        second = json.loads(await _line(watching, '"running"'))
        assert second["rooms"][f"irc/{pond.channel}"]["ok"] is False
        os.kill(watching.pid, signal.SIGINT)
        async with asyncio.timeout(10):
            assert await watching.wait() == 130


async def test_an_outage_is_in_the_history_though_the_daemon_is_killed_in_the_middle_of_it(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, own_services)
    room = f"irc/{pond.channel}"
    async with pond.daemon() as daemon:
        await daemon.ready()
        code, told, _ = await _run(pond, "history", "--since", "1h", "--json")
        found = json.loads(told)
        assert (code, found["outages"], len(found["runs"]), found["dead"]) == (0, [], 1, 0)
        await pond.irc.kill()
        await asyncio.sleep(SHORT + 5)
        (outage,) = json.loads((await _run(pond, "history", "--json"))[1])["outages"]
        assert (f"{outage['network']}/{outage['room']}", outage["ended"]) == (room, None)
        await daemon.stop(signal.SIGKILL)
        assert "not over" in (await _run(pond, "history"))[1]
        await pond.irc.start()
        await daemon.start()
        await daemon.ready()
        await asyncio.sleep(3)
        found = json.loads((await _run(pond, "history", "--json"))[1])
        (over,) = found["outages"]
        assert over["began"] == outage["began"]
        assert over["ended"] is not None
        assert over["seconds"] >= SHORT
        assert [run["ended"] for run in found["runs"]] == [None, None]
        said = (await _run(pond, "history"))[1]
        assert room in said
        assert "killed" in said
