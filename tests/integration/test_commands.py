"""Commands of people on real servers: answers are heard on both networks, reminders and messages outlast a kill."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.daemon import Daemon, write_config
from tests.integration.pond import Pond
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd) -> Pond:
    pond = Pond(tmp_path, synapse, services, ngircd)
    await pond.dig()
    config: Any = pond.config
    config["bots"]["duck"] |= {
        "brain": ["commands", "rules", "echo"],
        "delay": 0,
        "hears": "all",
        "settings": {"commands": {"zone": "Europe/Berlin"}},
    }
    write_config(pond.folder, pond.config, {})
    return pond


@pytest.fixture
async def daemon(pond: Pond) -> AsyncGenerator[Daemon, None]:
    async with pond.daemon() as daemon:
        await daemon.ready()
        yield daemon


async def test_commands_are_answered_before_all_who_heard_them(pond: Pond, daemon: Daemon) -> None:
    async with pond.people() as (alice, bob):
        await alice.send(pond.room, "duck: calc 6 * 7")
        await bob.heard("<Little Yellow Duck> 42")
        await bob.say(pond.channel, "duck: poll Where? pond | lake")
        await alice.heard("Where? 1: pond")
        await alice.send(pond.room, "duck: vote 2")
        await bob.heard("1: pond (0) · 2: lake (1)")
        await bob.say(pond.channel, "duck: who am I?")
        await alice.heard("You are bob, a member.")
        async with pond.person(unique("eve")) as eve:
            await eve.join(pond.channel)
            await eve.say(pond.channel, "duck: tell alice: spam")
            await eve.heard("Only members can leave messages here")
        await bob.say(pond.channel, "nothing for the duck")
        await alice.heard("nothing for the duck")
        await alice.send(pond.room, f"duck: seen {pond.bob}")
        await bob.heard(f"{pond.bob} spoke here")


async def test_a_reminder_is_told_after_a_kill_in_private_and_once(pond: Pond, daemon: Daemon) -> None:
    async with pond.people() as (alice, bob):
        await alice.send(pond.room, "duck: remind me in 3 seconds to feed the duck")
        await bob.heard("I will remind you today")
        await bob.say(pond.channel, "duck: remind me in 4 seconds to swim")
        await bob.heard(lambda _: sum("I will remind you" in message.text for message in bob.messages) == 2)
        await daemon.stop(signal.SIGKILL)
        await asyncio.sleep(4)
        await daemon.start()
        await daemon.ready()
        told = await alice.heard("Reminder: feed the duck")
        assert told.room != pond.room
        assert (await bob.heard("Reminder: swim")).room == bob.nick
        await bob.say(pond.channel, "barrier")
        await alice.heard("barrier")
        assert sum("Reminder" in message.text for message in alice.messages) == 1
        assert sum("Reminder" in message.text for message in bob.messages) == 1


async def test_a_message_is_delivered_on_the_other_network_after_a_restart(pond: Pond, daemon: Daemon) -> None:
    async with pond.people() as (alice, bob):
        await bob.say(pond.channel, "duck: tell alice: the duck is fed")
        await alice.heard("I will tell alice when they speak here.")
        await daemon.stop()
        await daemon.start()
        await daemon.ready()
        async with MatrixPerson(pond.synapse.url, pond.alice) as again:
            await again.send(pond.room, "good evening")
        assert (await bob.heard(" ago: the duck is fed")).text.startswith(f"<Little Yellow Duck> {pond.alice}: ")
