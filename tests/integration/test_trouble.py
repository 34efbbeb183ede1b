"""Servers that die, freeze and come back under the whole bridge."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from tests.integration.daemon import quackbridge
from tests.integration.pond import dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


async def test_messages_from_while_the_irc_server_was_killed_arrive_in_order_when_it_is_back(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, own_services)
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


async def test_a_message_that_was_removed_while_the_irc_server_was_away_is_not_delivered(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, own_services)
    async with pond.people() as (alice, _), pond.daemon() as daemon:
        await daemon.ready()
        await pond.irc.kill()
        await daemon.logged("offline")
        slip = await alice.send(pond.room, "my address is 5 Pond Lane")
        await alice.send(pond.room, "sorry, wrong room")
        await alice.redact(pond.room, slip)
        await asyncio.sleep(1)
        await pond.irc.start()
        async with pond.person("dave") as dave:
            await dave.join(pond.channel)
            await alice.send(pond.room, "the end")
            await dave.heard("the end", timeout=20)
            assert not [message for message in dave.messages if "Pond Lane" in message.text]
        assert "Pond Lane" not in quackbridge(pond.folder, "outbox", "list").stdout
        ledger = json.loads(quackbridge(pond.folder, "ledger", "--json").stdout)
        assert not ledger["lost"]


async def test_messages_from_while_the_homeserver_was_killed_arrive_in_order_when_it_is_back(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, own_synapse, services)
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


async def test_a_frozen_irc_server_does_not_keep_the_daemon_from_stopping(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, own_services)
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


async def test_messages_that_arrive_before_our_quit_are_carried_though_the_server_has_no_history(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    """Bob talks until he sees our QUIT; the order of his lines shows which came before it."""
    pond = await dug(tmp_path, synapse, services)
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
