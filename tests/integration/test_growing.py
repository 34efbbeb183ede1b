"""The answer of a language model that comes piece by piece, on real servers: edits on Matrix, one line on IRC."""

import signal
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people.heard import Heard
from bridge.demo.servers import Synapse
from tests.bots.llm.server import Answer, Server, streams
from tests.integration.daemon import write_config
from tests.integration.pond import Pond, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers

WORDS = ("Nobody", " comes", " tonight,", " but the", " ducks.")
WHOLE = "".join(WORDS)


async def _pond(tmp_path: Path, synapse: Synapse, services: Anope, server: Server) -> Pond:
    pond = await dug(tmp_path, synapse, services)
    config: Any = pond.config
    model = {"url": server.url, "model": "small"}
    config["bots"]["duck"] |= {"brain": ["llm", "echo"], "delay": 0, "settings": {"llm": model}}
    write_config(pond.folder, pond.config, {})
    return pond


def _slowly(pause: float = 0.7) -> Answer:
    return streams(*WORDS, pause=pause)


def _is_whole(message: Heard) -> bool:
    return message.text.endswith(WHOLE)


def _edited(message: Heard) -> str:
    """The event that it edits; '' for none."""
    content: Any = message.raw.get("content")
    relation = content.get("m.relates_to", {})
    return str(relation["event_id"]) if relation.get("rel_type") == "m.replace" else ""


async def test_an_answer_grows_by_edits_of_one_event_and_is_one_line_on_irc(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    async with Server(_slowly()).run() as server:
        pond = await _pond(tmp_path, synapse, services, server)
        async with pond.daemon() as daemon, pond.people() as (alice, bob):
            await daemon.ready()
            await alice.send(pond.room, "duck: who comes?")
            begun = await alice.heard("…")
            await bob.heard(WHOLE)
            await alice.heard(_is_whole)
            await bob.say(pond.channel, "barrier")
            await alice.heard("barrier")
            grown = [each for each in alice.messages if _edited(each)]
            assert {_edited(each) for each in grown} == {begun.id}
            assert _is_whole(grown[-1])
            assert 2 <= len(grown) <= 5
            ours = [each.text for each in bob.messages if "Little Yellow Duck" in each.text]
            assert ours == [f"<Little Yellow Duck> {WHOLE}"]


async def test_an_answer_that_a_kill_has_cut_off_is_made_whole_and_said_once(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    async with Server(_slowly(60.0), _slowly(0.1)).run() as server:
        pond = await _pond(tmp_path, synapse, services, server)
        async with pond.daemon() as daemon, pond.people() as (alice, bob):
            await daemon.ready()
            await bob.say(pond.channel, "duck: who comes?")
            begun = await alice.heard("Nobody …")
            await daemon.stop(signal.SIGKILL)
            await daemon.start()
            await daemon.ready()
            await bob.heard(WHOLE)
            assert _edited(await alice.heard(_is_whole)) == begun.id
            await alice.send(pond.room, "barrier")
            await bob.heard("barrier")
            assert sum(WHOLE in each.text for each in bob.messages) == 1
            assert sum(map(_is_whole, alice.messages)) == 1
