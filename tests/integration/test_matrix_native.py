"""The whole bridge: what is said and corrected on IRC is native on Matrix."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import Synapse
from tests.integration.pond import Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_matrix import eventually
from tests.integration.test_matrix_bodies import now, reads

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


async def test_a_correction_on_irc_edits_the_message_on_matrix(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        place = await alice.room_id(pond.room)
        await bob.say(pond.channel, "the helo is here")
        told = await alice.heard("the helo is here")
        await bob.say(pond.channel, "s/helo/hero/")

        async def edited() -> bool:
            return bool((await now(alice, place, told.id))["body"] == f"<{pond.bob}> the hero is here")

        await eventually(edited)
        profile = (await now(alice, place, told.id))["com.beeper.per_message_profile"]
        assert profile["displayname"] == pond.bob


async def test_a_member_on_irc_pings_one_on_matrix_and_reads_what_they_say(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        place = await alice.room_id(pond.room)
        await alice.rename("Alice in Wonderland")
        since = (await alice.call("GET", "sync", timeout="0"))["next_batch"]
        said = await alice.send(pond.room, "hello")
        await bob.heard("hello")
        async with asyncio.timeout(20):
            assert said in (await reads(alice, place, pond.duck_id, since, said))[0]
        await bob.say(pond.channel, "Alice in Wonderland: look, @room")
        told = await alice.heard("look, @room")
        content: Any = told.raw["content"]
        assert content["m.mentions"] == {"user_ids": [alice.user_id]}
