"""Messages that arrive late, that are too old, and that can never be delivered, on real servers."""

import asyncio
import json
from pathlib import Path

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers

WHY = "the room is encrypted, and encryption is off for this bridge"
_ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


async def _pond(folder: Path, synapse: Synapse, services: Anope, **outbox: str) -> Pond:
    pond = Pond(folder, synapse, services)
    await pond.dig()
    pond.config = {**pond.config, "outbox": outbox}
    pond.config["networks"]["home"]["encryption"] = False  # type: ignore[index]
    write_config(folder, pond.config, {"home": PASSWORD})
    return pond


async def _with_encrypted_room(pond: Pond) -> str:
    """Link one more room, to which nothing can ever be delivered; its name in the config."""
    alias = unique("secret")
    async with MatrixPerson(pond.synapse.url, pond.alice) as alice:
        await alice.create_room(alias, initial_state=[_ENCRYPTION])
    name = f"home/#{alias}:{pond.synapse.server_name}"
    pond.config["links"]["pond"]["rooms"].append(name)  # type: ignore[index]
    write_config(pond.folder, pond.config, {})
    return name


async def test_a_reply_by_the_bot_tells_the_sender_that_a_message_can_never_be_delivered(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await _pond(tmp_path, synapse, services)
    encrypted = await _with_encrypted_room(pond)
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        said = await alice.send(pond.room, "can all of you hear me?")
        told = await alice.heard(f"not delivered to {encrypted}: {WHY}", timeout=20)
        event = await alice.call("GET", f"rooms/{await alice.room_id(pond.room)}/event/{told.id}")
        assert event["content"]["msgtype"] == "m.notice"
        assert event["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": said}}
        await alice.send(pond.room, "the room goes on")
        await bob.heard("the room goes on")
        for _ in range(50):
            if len(dead := await asyncio.to_thread(_dead, tmp_path)) == 2:
                break
            await asyncio.sleep(0.2)
    assert dead == [WHY, WHY]


def _dead(folder: Path) -> list[str]:
    """Why messages can never be delivered."""
    listed = json.loads(quackbridge(folder, "outbox", "list", "--json").stdout)
    return [entry["reason"] for entry in listed if entry["state"] == "dead"]


async def test_a_reaction_by_the_bot_tells_the_sender_that_a_message_can_never_be_delivered(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await _pond(tmp_path, synapse, services, tell_dead="reaction")
    encrypted = await _with_encrypted_room(pond)
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        said = await alice.send(pond.room, "can all of you hear me?")
        await bob.heard("can all of you hear me?")
        path = f"rooms/{await alice.room_id(pond.room)}/messages"
        async with asyncio.timeout(20):
            while True:
                recent = (await alice.call("GET", path, dir="b", limit="20"))["chunk"]
                if found := [event for event in recent if event["type"] == "m.reaction"]:
                    break
                await asyncio.sleep(0.2)
        (reaction,) = found
        assert reaction["content"]["m.relates_to"]["event_id"] == said
        assert reaction["sender"] == pond.duck_id
        assert reaction["content"]["m.relates_to"]["key"] == f"not delivered to {encrypted}: {WHY}"[:100]


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_message_that_is_too_old_is_reported_as_lost_and_a_late_one_shows_its_time(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await _pond(tmp_path, synapse, services, max_age="100s")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        assert await daemon.stop() == 0
        await alice.send(pond.room, "too old")
        await asyncio.sleep(50)
        await alice.send(pond.room, "late")
        await asyncio.sleep(65)
        await daemon.start()
        await alice.send(pond.room, "now")
        late = await bob.heard(lambda message: message.text.endswith(f"UTC] <{pond.alice}> late"), timeout=30)
        assert late.text.startswith("[")
        await bob.heard(f"<{pond.alice}> now", timeout=30)
        await bob.heard(lambda message: "could not be delivered here: waited too long" in message.text, timeout=30)
        assert not [message for message in bob.messages if message.text.endswith("> too old")]
