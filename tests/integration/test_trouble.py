"""Servers that die, freeze and come back under the whole bridge."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson, MatrixPerson, NotHeard
from bridge.demo.servers import InspIRCd, Synapse
from bridge.relay.outages import SHORT
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


@pytest.fixture
async def own_services(tmp_path: Path) -> AsyncGenerator[Anope, None]:
    """An IRC server of the test's own, which it may kill."""
    async with InspIRCd(tmp_path / "ircd", services=True) as irc, Anope(tmp_path / "anope", irc) as services:
        yield services


@pytest.fixture
async def own_synapse(tmp_path: Path) -> AsyncGenerator[Synapse, None]:
    async with Synapse(tmp_path / "synapse") as server:
        yield server


async def _pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    folder = tmp_path / "pond"
    folder.mkdir()
    pond = Pond(folder, synapse, services)
    await pond.dig()
    return pond


async def test_what_is_said_while_the_irc_server_is_away_arrives_in_order_when_it_is_back(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await _pond(tmp_path, synapse, own_services)
    async with pond.people() as (alice, _), pond.daemon() as daemon:
        await daemon.ready()
        await pond.irc.kill()
        await daemon.logged("offline")
        for number in range(20):
            await alice.send(pond.room, f"line {number}")
        await pond.irc.start()
        async with pond.person("dave") as dave:
            await dave.join(pond.channel)
            await alice.send(pond.room, "the end")
            await dave.heard("the end", timeout=20)
            heard = [message.text.partition("> ")[2] for message in dave.messages if message.sender == pond.duck]
            said = [*(f"line {number}" for number in range(20)), "the end"]
            assert heard == said[-len(heard) :]  # from when dave was back, who may be later than the bridge
        assert await daemon.stop() == 0
    listed = [line for line in daemon.log if line["event"] == "sent" and line["room"] == f"irc/{pond.channel}"]
    assert len(listed) == 21


async def test_what_is_said_while_the_homeserver_is_away_arrives_in_order_when_it_is_back(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    pond = await _pond(tmp_path, own_synapse, services)
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await own_synapse.kill()
        for number in range(20):
            await bob.say(pond.channel, f"line {number}")
        await bob.ping()
        await own_synapse.start()
        await alice.heard("line 19", timeout=40)
        lines = [line for message in alice.messages for line in message.text.split("\n")]
        assert lines == [f"<{pond.bob}> line {number}" for number in range(20)]


async def test_a_server_that_has_frozen_does_not_keep_the_daemon_from_ending(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await _pond(tmp_path, synapse, own_services)
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        os.killpg(pond.irc.pid, signal.SIGSTOP)
        await alice.send(pond.room, "into the ice")
        while not json.loads(quackbridge(pond.folder, "outbox", "list", "--json").stdout):
            await alice.sees(await alice.room_id(pond.room), alice.user_id)
        before = time.monotonic()
        assert await daemon.stop() == 0
        assert time.monotonic() - before < 5
        os.killpg(pond.irc.pid, signal.SIGCONT)
        await daemon.start()
        await bob.heard("into the ice", timeout=20)


async def test_people_are_told_of_an_outage_and_of_its_end_once_though_the_daemon_is_killed_in_it(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await _pond(tmp_path, synapse, own_services)
    config = {**pond.config, "outages": {"tell_after": "5s"}}
    write_config(pond.folder, config, {"home": PASSWORD})
    async with pond.people() as (alice, _), pond.daemon() as daemon:
        await daemon.ready()
        await pond.irc.kill()
        await alice.heard(lambda message: message.text.startswith(f"I lost {pond.channel} on irc at"), timeout=20)
        for number in range(3):
            await alice.send(pond.room, f"line {number}")
        await daemon.stop(signal.SIGKILL)
        await daemon.start()
        await asyncio.sleep(SHORT)
        await pond.irc.start()
        async with pond.person("dave") as dave:
            await dave.join(pond.channel)
            await alice.heard(
                lambda message: message.text.startswith(f"I am back in {pond.channel} on irc"), timeout=60
            )
            await dave.heard("line 2", timeout=20)
            from_us = [message.text for message in dave.messages if message.sender == pond.duck]
        assert len([message for message in alice.messages if "I keep what you say here" in message.text]) == 1
        assert "3 messages from" in from_us[0]
        assert [text.partition("> ")[2] for text in from_us[1:]] == ["line 0", "line 1", "line 2"]


async def test_people_are_told_that_we_may_not_speak_where_they_want_to_be_heard(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await _pond(tmp_path, synapse, services)
    config = {**pond.config, "outages": {"tell_after": "3s"}}
    write_config(pond.folder, config, {"home": PASSWORD})
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.ask(f"MODE {pond.channel} +m", lambda line: line.command == "MODE")
        for number in range(3):
            await alice.send(pond.room, f"line {number}")
        said = f"I may not speak in {pond.channel} on irc since"
        await alice.heard(lambda message: said in message.text, timeout=20)
        await bob.ask(f"MODE {pond.channel} -m", lambda line: line.command == "MODE")
        await alice.heard(lambda message: f"I may speak in {pond.channel} on irc again" in message.text, timeout=20)
        from_us = [message.text for message in bob.messages if message.sender == pond.duck]
        assert [text.partition("> ")[2] for text in from_us if "> " in text] == ["line 0", "line 1", "line 2"]


async def test_what_is_said_before_we_have_left_is_carried_though_the_server_remembers_nothing(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    """Bob talks all the while; the server's own order tells what he said before we were gone."""
    pond = await _pond(tmp_path, synapse, services)
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        stopping = asyncio.create_task(daemon.stop())
        number = 0
        while not any(line.command == "QUIT" and line.source == pond.duck for line in bob.lines):
            await bob.say(pond.channel, f"line {number}")
            number += 1
            await asyncio.sleep(0.001)
        assert await stopping == 0
        await bob.ping()
        gone = next(at for at, line in enumerate(bob.lines) if (line.command, line.source) == ("QUIT", pond.duck))
        said = [line.params[-1] for line in bob.lines[:gone] if (line.command, line.source) == ("PRIVMSG", pond.bob)]
        await daemon.start()
        await alice.heard(said[-1], timeout=30)
        lines = [line.rpartition("> ")[2] for message in alice.messages for line in message.text.split("\n")]
        assert lines == said


@pytest.mark.parametrize("trouble", ["a full disk", "a reader that is gone", "a reader that does not read"])
async def test_a_log_that_cannot_be_written_does_not_keep_messages_from_being_carried(
    tmp_path: Path, synapse: Synapse, services: Anope, trouble: str
) -> None:
    pond = await _pond(tmp_path, synapse, services)
    reader, writer = os.pipe()
    if trouble == "a full disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writer)
    elif trouble == "a reader that is gone":
        os.close(reader)
    else:
        os.set_blocking(writer, False)
        written = 1
        while written:
            try:
                written = os.write(writer, b"x" * 4096)
            except BlockingIOError:
                written = 0
        os.set_blocking(writer, True)
    command = (sys.executable, "-m", "bridge", "run")
    process = await asyncio.create_subprocess_exec(*command, cwd=pond.folder, stderr=writer, start_new_session=True)
    os.close(writer)
    try:
        async with pond.people() as (alice, bob):
            await _until_carried(alice, bob, pond)
            for number in range(20):
                await alice.send(pond.room, f"line {number}")
            await bob.heard("line 19", timeout=20)
        os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


async def _until_carried(alice: MatrixPerson, bob: IrcPerson, pond: Pond) -> None:
    """The daemon cannot say when it is ready."""
    for number in range(60):
        await alice.send(pond.room, f"are you there? {number}")
        with suppress(NotHeard):
            await bob.heard("are you there?", timeout=1)
            return
    raise AssertionError("nothing is carried")
