"""What people on IRC see of replies, reactions, edits and deletions, on real servers."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.pond import Pond
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


@pytest.fixture
async def running(tmp_path: Path, synapse: Synapse, services: Anope) -> AsyncGenerator[Pond, None]:
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    async with pond.daemon() as daemon:
        await daemon.ready()
        yield pond


def _reply(target: str) -> dict[str, Any]:
    return {"m.relates_to": {"m.in_reply_to": {"event_id": target}}}


def _edit(target: str, text: str) -> dict[str, Any]:
    new = {"msgtype": "m.text", "body": text}
    return {"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": target}}


async def _react(alice: MatrixPerson, room: str, target: str, key: str) -> None:
    relation = {"rel_type": "m.annotation", "event_id": target, "key": key}
    await alice.send_event(room, "m.reaction", {"m.relates_to": relation})


async def test_people_on_irc_are_shown_what_others_do_as_they_would_write_it_themselves(running: Pond) -> None:
    async with running.people() as (alice, bob):
        name = running.alice
        await bob.say(running.channel, "shall we meet?")
        asked = await alice.heard("shall we meet?")
        first = await alice.send(running.room, "yes", **_reply(asked.id))
        assert (await bob.heard("yes")).text == f"<{name}> {running.bob}: yes"
        slip = await alice.send(running.room, "at nien", **_reply(asked.id))
        line = await bob.heard("nien")
        assert line.text == f'<{name}> (re {running.bob}: "shall we meet?") at nien'
        await alice.send(running.room, "* at nine", **_edit(slip, "at nine"))
        assert (await bob.heard("s/")).text == f"<{name}> s/nien/nine/"
        await _react(alice, running.room, asked.id, "👍")
        await _react(alice, running.room, asked.id, "🎉")
        told = await bob.heard("reacted", 30)
        assert (told.text, told.kind) == (f'{name} reacted 👍 🎉 to "shall we meet?"', "notice")
        await alice.redact(running.room, first)
        told = await bob.heard("deleted")
        assert (told.text, told.kind) == (f"{name} deleted a message", "notice")
