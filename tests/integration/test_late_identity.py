"""Words that were said while the bridge was away are carried as those of who said them, or not at all."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bridge.demo.servers import InspIRCd, Synapse
from tests.conftest import need
from tests.integration.daemon import quackbridge
from tests.integration.pond import dug
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers


async def test_words_of_a_stranger_who_had_a_members_nick_and_host_are_not_carried_as_the_members(
    tmp_path: Path, synapse: Synapse
) -> None:
    need(InspIRCd, Anope)
    async with (
        InspIRCd(tmp_path / "irc", services=True, modes="notH 500:1h") as irc,
        Anope(tmp_path / "anope", irc) as services,
        AsyncExitStack() as stack,
    ):
        pond = await dug(tmp_path, synapse, services)
        keeper = await stack.enter_async_context(pond.person(unique("keeper")))
        await keeper.join(pond.channel)  # else the channel ends with its last member, and its history with it
        async with pond.person(pond.bob) as stranger, pond.daemon() as daemon:
            await stranger.join(pond.channel)
            await daemon.ready()
            await daemon.stop()
            await stranger.say(pond.channel, "I am bob, believe me")
            await keeper.heard("believe me")
        async with pond.people() as (alice, bob):
            await asyncio.sleep(1.1)  # who speaks in the second of their sign-on could be somebody else
            await bob.say(pond.channel, "I have just come")
            async with pond.daemon() as daemon:
                await daemon.ready()
                await bob.say(pond.channel, "and you are back")
                await alice.heard("and you are back")
            assert [message.text for message in alice.messages if "bob" in message.text.split(">")[0]] == [
                f"<{pond.bob}> I have just come",
                f"<{pond.bob}> and you are back",
            ]
            ledger = quackbridge(pond.folder, "ledger", "--since", "1h").stdout
            assert "sent while the bridge was away, and the network does not prove by whom" in ledger
