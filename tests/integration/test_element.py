"""Encrypted rooms and private conversations with a client that is not ours: matrix-js-sdk, which Element Web runs."""

import re
import signal
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.element import ElementPerson, ElementWeb, Heard
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope, unique
from tests.integration.test_matrix import eventually
from tests.integration.test_media import fetch, link

pytestmark = pytest.mark.servers

_WORD = re.compile(r"word ([0-9]+)\.")
_SECRET = "a-secret-that-nobody-stores"


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


async def both_ways(pond: Pond, alice: ElementPerson, bob: IrcPerson, place: str, words: str) -> None:
    await alice.say(place, f"{words} from alice")
    await bob.heard(f"{words} from alice")
    await bob.say(pond.channel, f"{words} from bob")
    await alice.hears(f"{words} from bob")


async def restart(daemon: Daemon, number: signal.Signals = signal.SIGKILL) -> None:
    await daemon.stop(number)
    await daemon.start()
    await daemon.ready()


def shields(person: ElementPerson, user: str) -> set[str]:
    """The shields of all sealed words of `user`."""
    return {each.shield for each in person.heard.values() if each.sender == user and each.shield}


def _target(heard: Heard) -> object:
    """What a message replies to."""
    return heard.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")


async def _is_shown(person: ElementPerson, key: str) -> bool:
    """Whether a reaction is there."""
    return any(each.content.get("m.relates_to", {}).get("key") == key for each in person.heard.values())


async def test_words_edits_replies_reactions_and_removals_are_carried(pond: Pond, element_web: ElementWeb) -> None:
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
        agreed = await bob.heard("I agree")
        assert pond.bob in agreed.text
        await bob.raw(f"@+draft/reply={agreed.id} PRIVMSG {pond.channel} :fine")
        answer = await alice.hears("fine")
        assert _target(answer) == next(each.id for each in alice.heard.values() if each.text == "I agree")
        reaction = {"rel_type": "m.annotation", "event_id": answer.id, "key": "👍"}
        await alice.put(place, "m.reaction", {"m.relates_to": reaction})
        await bob.heard("reacted 👍")
        await bob.raw(f"@+draft/reply={agreed.id};+draft/react=🦆 TAGMSG {pond.channel}")
        await eventually(lambda: _is_shown(alice, "🦆"))
        await alice.ask("redact", room=place, event=first)
        await bob.heard(lambda message: "removed" in message.text or "deleted" in message.text)
        assert not alice.unreadable
        assert shields(alice, pond.duck_id) == {"NONE"}


async def test_an_encrypted_file_is_a_link_that_gives_it(pond: Pond, element_web: ElementWeb) -> None:
    port, data = free_port(), b"quack " * 5_000
    pond.config["http"] = {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with people(pond, element_web) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        info = {"size": len(data), "mimetype": "text/plain"}
        file = {"msgtype": "m.file", "body": "quack.txt", "file": await alice.upload(data), "info": info}
        await alice.put(place, "m.room.message", file)
        assert await fetch(await link(bob, "quack.txt")) == (200, data)


async def test_a_private_conversation_is_answered_sealed_and_one_can_log_in_there(
    pond: Pond, element_web: ElementWeb
) -> None:
    user = await pond.synapse.register(unique("carol"), PASSWORD)
    assert quackbridge(pond.folder, "add-user", "carol", "--password-stdin", stdin=_SECRET).returncode == 0
    async with pond.daemon() as daemon, ElementPerson(element_web, pond.synapse.url, user) as carol:
        await daemon.ready()
        state = [{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
        request = {"is_direct": True, "invite": [pond.duck_id], "initial_state": state}
        place = str(await carol.ask("create", request=request))
        await carol.knows(place, pond.duck_id)
        await carol.say(place, "help")
        await carol.hears("You may say")
        await carol.say(place, f"login carol {_SECRET}")
        await carol.hears("Welcome, carol")
        await restart(daemon)
        await carol.say(place, "whoami")
        await eventually(lambda: _are_answered(carol, pond.duck_id, 3))
        assert shields(carol, pond.duck_id) == {"NONE"}
        answers = [each for each in carol.heard.values() if each.sender == pond.duck_id]
        assert all(each.sealed for each in answers if each.type == "m.room.message")
        assert not carol.unreadable


async def _are_answered(person: ElementPerson, user: str, times: int) -> bool:
    return len([each for each in person.heard.values() if each.sender == user and each.sealed]) >= times


async def test_a_room_that_becomes_encrypted_while_people_talk_gets_nothing_in_plain_afterwards(
    pond: Pond, element_web: ElementWeb
) -> None:
    async with people(pond, element_web, encrypted=False) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        for number in range(30):
            await bob.say(pond.channel, f"word {number}.")
            if number == 0:
                await alice.hears("word 0.", sealed=False)
            if number == 10:
                await alice.encrypt(place)
            if number == 15:
                await alice.say(place, "it is encrypted")
                await bob.heard("it is encrypted")
        await alice.hears("word 29.")
        said = [(int(word), each.sealed) for each in alice.heard.values() for word in _WORD.findall(each.text)]
        assert [number for number, _ in said] == [*range(30)]
        assert all(sealed for _, sealed in said[16:])


async def test_the_rotation_that_a_room_asks_for_is_kept_and_all_is_read(pond: Pond, element_web: ElementWeb) -> None:
    async with people(pond, element_web, encrypted=False) as (alice, bob, place), pond.daemon() as daemon:
        await alice.encrypt(place, rotation_period_msgs=2)
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        for number in range(5):
            await both_ways(pond, alice, bob, place, f"number {number}")
        await daemon.stop()
        await alice.say(place, "while it was away")
        await daemon.start()
        await bob.heard("while it was away")
        assert not alice.unreadable
        for user in (alice.user_id, pond.duck_id):
            sessions = Counter(each.session for each in alice.heard.values() if each.sender == user and each.session)
            assert len(sessions) >= 3
            assert max(sessions.values()) <= 2
