"""A channel that does not let us speak for a while, over a restart of the bridge: what waits is sent in the end."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bridge.demo.servers import InspIRCd, Synapse
from tests.conftest import need
from tests.integration.pond import dug
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("modes", ["not", "notH 500:1h"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_what_waits_for_a_moderated_channel_is_sent_when_it_is_open_again_also_after_a_restart(
    tmp_path: Path, synapse: Synapse, modes: str, restarted: bool
) -> None:
    need(InspIRCd, Anope)
    async with (
        InspIRCd(tmp_path / "irc", services=True, modes=modes) as irc,
        Anope(tmp_path / "anope", irc) as services,
        AsyncExitStack() as stack,
    ):
        pond = await dug(tmp_path, synapse, services)
        op = await stack.enter_async_context(pond.person(unique("op")))
        await op.join(pond.channel)
        async with pond.people() as (alice, bob):
            async with pond.daemon() as daemon:
                await daemon.ready()
                await alice.send(pond.room, "before")
                await bob.heard("before")
                await op.ask(f"MODE {pond.channel} +m", lambda line: line.command == "MODE")
                for text in ("one", "two", "three"):
                    await alice.send(pond.room, text)
                await daemon.logged("cannot_speak")
                if restarted:
                    await daemon.stop()
                    await daemon.start()
                    await daemon.ready()
                    await daemon.logged("cannot_speak")
                await op.ask(f"MODE {pond.channel} -m", lambda line: line.command == "MODE")
                await bob.heard("three", timeout=30)
            assert [message.text for message in bob.messages if f"<{pond.alice}>" in message.text] == [
                f"<{pond.alice}> {text}" for text in ("before", "one", "two", "three")
            ]
