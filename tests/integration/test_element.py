"""Encrypted rooms and private conversations with a client that is not ours: matrix-js-sdk, which Element Web runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from tests.integration.daemon import write_config
from tests.integration.element import ElementPerson, ElementWeb
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_media import fetch, link

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


@asynccontextmanager
async def people(
    pond: Pond, clients: ElementWeb, *, encrypted: bool = True, **settings: Any
) -> AsyncGenerator[tuple[ElementPerson, IrcPerson, str], None]:
    """Alice, bob, and the id of the room."""
    async with (
        ElementPerson(clients, pond.synapse.url, pond.synapse.user_id(pond.alice), **settings) as alice,
        pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob,
    ):
        await bob.join(pond.channel)
        place = str(await alice.ask("join", room=pond.room))
        if encrypted:
            await alice.encrypt(place)
        yield alice, bob, place


async def _both_ways(pond: Pond, alice: ElementPerson, bob: IrcPerson, place: str, words: str) -> None:
    await alice.say(place, f"{words} from alice")
    await bob.heard(f"{words} from alice")
    await bob.say(pond.channel, f"{words} from bob")
    await alice.hears(f"{words} from bob")


async def test_words_edits_replies_and_files_are_carried(pond: Pond, element_web: ElementWeb) -> None:
    port, data = free_port(), b"quack " * 5_000
    pond.config["http"] = {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with people(pond, element_web) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        first = await alice.say(place, "the frist word")
        await bob.heard("the frist word")
        edit = {"m.new_content": {"msgtype": "m.text", "body": "the first word"}}
        relation = {"rel_type": "m.replace", "event_id": first}
        await alice.say(place, "* the first word", **edit, **{"m.relates_to": relation})
        await bob.heard("s/frist/first/")
        await bob.say(pond.channel, "somthing else")
        said = await alice.hears("somthing else")
        await bob.say(pond.channel, "s/somthing/something/")
        new = await alice.hears("something else")
        assert new.content["m.relates_to"]["event_id"] == said.id
        await alice.say(place, "I agree", **{"m.relates_to": {"m.in_reply_to": {"event_id": said.id}}})
        assert pond.bob in (await bob.heard("I agree")).text
        info = {"size": len(data), "mimetype": "text/plain"}
        file = {"msgtype": "m.file", "body": "quack.txt", "file": await alice.upload(data), "info": info}
        await alice.put(place, "m.room.message", file)
        assert await fetch(await link(bob, "quack.txt")) == (200, data)
        assert not alice.unreadable
