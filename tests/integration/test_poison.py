"""One message that a server does not bear does not keep others from being carried: real servers that filter."""

import os
from pathlib import Path

import pytest

from bridge.demo.servers import InspIRCd, Synapse
from tests.conftest import need
from tests.integration.daemon import quackbridge
from tests.integration.pond import dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers

_FILTER = '<module name="regex_glob"><module name="filter"><filteropts engine="glob">' + (
    '<keyword pattern="*poison*" action="{}" reason="no" flags="*">'
)


@pytest.mark.parametrize(
    ("action", "modes", "cut_off"), [("kill", "not", 3), ("kill", "notH 500:1h", 3), ("block", "not", 0)]
)
async def test_a_message_for_which_the_server_punishes_us_is_dead_and_the_others_are_carried(
    tmp_path: Path, synapse: Synapse, action: str, modes: str, cut_off: int
) -> None:
    need(InspIRCd, Anope)
    filtering = _FILTER.format(action)
    async with (
        InspIRCd(tmp_path / "irc", services=True, modes=modes, extra=filtering) as irc,
        Anope(tmp_path / "anope", irc) as services,
    ):
        pond = await dug(tmp_path, synapse, services)
        async with pond.people() as (alice, bob), pond.daemon() as daemon:
            await daemon.ready()
            await alice.send(pond.room, "one")
            await bob.heard("one")  # without history, it would be in doubt when the server has cut us off
            for text in ("some poison", "two", "three"):
                await alice.send(pond.room, text)
            await bob.heard("three", timeout=60)
            assert [message.text for message in bob.messages if "alice" in message.text] == [
                f"<{pond.alice}> {text}" for text in ("one", "two", "three")
            ]
            await daemon.logged("dead")
            assert len([line for line in daemon.log if line.get("event") == "offline"]) == cut_off
            assert "some poison" in quackbridge(pond.folder, "outbox", "list", "--json").stdout


_SPAM_CHECKER = """
class Checker:
    def __init__(self, config, api):
        api.register_spam_checker_callbacks(check_event_for_spam=self.check)

    async def check(self, event):
        return "no poison here" if "poison" in str(event.content.get("body")) else "NOT_SPAM"
"""


async def test_a_message_that_the_homeserver_refuses_is_dead_and_the_others_are_carried(
    tmp_path: Path, services: Anope, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(Synapse)
    (tmp_path / "quackbridge_spam_checker.py").write_text(_SPAM_CHECKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    checking = {"modules": [{"module": "quackbridge_spam_checker.Checker"}]}
    async with Synapse(tmp_path / "synapse", extra=checking) as synapse:
        pond = await dug(tmp_path, synapse, services)
        async with pond.people() as (alice, bob), pond.daemon() as daemon:
            await daemon.ready()
            for text in ("one", "some poison", "two", "three"):
                await bob.say(pond.channel, text)
            await alice.heard("three", timeout=60)
            assert [message.text for message in alice.messages if "bob" in message.text] == [
                f"<{pond.bob}> {text}" for text in ("one", "two", "three")
            ]
            await daemon.logged("dead")
