"""What people are told while a room of their link is away or does not let us speak."""

import asyncio
import signal
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from bridge.relay.outages import SHORT
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


async def test_an_outage_and_its_end_are_announced_once_though_the_daemon_is_killed_meanwhile(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, own_services)
    config = {**pond.config, "outages": {"tell_after": "5s"}}
    write_config(pond.folder, config, {"home": PASSWORD})
    async with pond.people() as (alice, _), pond.daemon() as daemon:
        await daemon.ready()
        await pond.irc.kill()
        lost = f"I lost my connection to {pond.channel} on irc at"
        await alice.heard(lambda message: message.text.startswith(lost), timeout=20)
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
        assert len([message for message in alice.messages if "I keep your messages" in message.text]) == 1
        assert "3 messages from" in from_us[0]
        assert [text.partition("> ")[2] for text in from_us[1:]] == ["line 0", "line 1", "line 2"]


async def test_other_rooms_are_told_when_we_may_not_speak_in_a_channel_and_when_we_may_again(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, services)
    config = {**pond.config, "outages": {"tell_after": "3s"}}
    write_config(pond.folder, config, {"home": PASSWORD})
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.ask(f"MODE {pond.channel} +m", lambda line: line.command == "MODE")
        for number in range(3):
            await alice.send(pond.room, f"line {number}")
        said = f"{pond.channel} on irc has not let me speak since"
        await alice.heard(lambda message: said in message.text, timeout=20)
        await bob.ask(f"MODE {pond.channel} -m", lambda line: line.command == "MODE")
        await alice.heard(lambda message: f"I may speak in {pond.channel} on irc again" in message.text, timeout=20)
        from_us = [message.text for message in bob.messages if message.sender == pond.duck]
        assert [text.partition("> ")[2] for text in from_us if "> " in text] == ["line 0", "line 1", "line 2"]
