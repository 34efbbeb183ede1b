"""Private talk between a member on Matrix and people on IRC, through the real daemon: Synapse, InspIRCd, services."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.daemon import Daemon
from tests.integration.pond import Pond
from tests.integration.servers import Anope
from tests.integration.test_own_nick import nick, with_puppets

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    """With puppets, whose nicks no other test has."""
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    with_puppets(pond)
    return pond


class Talk:
    """Alice, with her private room, and bob, who writes to her puppet."""

    def __init__(self, pond: Pond, alice: MatrixPerson, bob: IrcPerson, daemon: Daemon) -> None:
        self.pond = pond
        self.alice = alice
        self.bob = bob
        self.daemon = daemon
        self.room = ""

    @property
    def puppet(self) -> str:
        return nick(self.pond)

    async def begins(self) -> None:
        """Alice's puppet comes, and bob begins to talk to it."""
        await self.alice.send(self.pond.room, "hello")
        await self.bob.heard("hello")
        await self.bob.say(self.puppet, "psst")
        self.room = (await self.reads("psst")).room

    async def reads(self, text: str) -> Heard:
        """What alice reads in private, of the duck."""
        return await self.alice.heard(
            lambda heard: text in heard.text and heard.sender == self.pond.duck_id and self.is_private(heard)
        )

    def is_private(self, heard: Heard) -> bool:
        return not self.room or heard.room == self.room

    async def hears(self, text: str) -> Heard:
        """What bob hears in private."""
        return await self.bob.heard(lambda heard: text in heard.text and heard.room == self.bob.nick)

    def said_to_bob(self) -> list[str]:
        return [each.text for each in self.bob.messages if each.room == self.bob.nick and each.sender == self.puppet]

    def said_to_alice(self) -> list[str]:
        return [
            each.text for each in self.alice.messages if each.room == self.room and each.sender == self.pond.duck_id
        ]


@asynccontextmanager
async def talking(pond: Pond) -> AsyncGenerator[Talk, None]:
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        talk = Talk(pond, alice, bob, daemon)
        await talk.begins()
        yield talk


async def test_what_is_said_to_a_puppet_stands_with_its_owner_who_answers_by_the_puppets_nick(pond: Pond) -> None:
    async with talking(pond) as talk:
        alice, bob = talk.alice, talk.bob
        assert (await talk.reads("psst")).text == f"{bob.nick}: psst"
        assert talk.room != await alice.room_id(pond.room)
        await alice.send(talk.room, f"{bob.nick}: yes?")
        heard = await talk.hears("yes?")
        assert (heard.sender, heard.text, heard.kind) == (talk.puppet, "yes?", "text")
        line = await talk.reads("psst")
        answered: dict[str, Any] = {"m.relates_to": {"m.in_reply_to": {"event_id": line.id}}}
        await alice.send(talk.room, "a reply", **answered)
        assert (await talk.hears("a reply")).text == "a reply"
        assert not [each for each in bob.messages if each.room == pond.channel and "yes?" in each.text]


async def test_each_kind_of_words_is_carried_both_ways(pond: Pond) -> None:
    async with talking(pond) as talk:
        alice, bob = talk.alice, talk.bob
        await bob.me(talk.puppet, "waves")
        assert (await talk.reads("waves")).text == f"* {bob.nick} waves"
        await bob.notice(talk.puppet, "take note")
        assert (await talk.reads("take note")).kind == "notice"
        await bob.say(talk.puppet, "\x02bold\x02 words")
        assert (await talk.reads("words")).text == f"{bob.nick}: bold words"
        await alice.send_html(talk.room, f"{bob.nick}: one two", f"{bob.nick}: one <strong>two</strong>")
        assert "one \x02two" in (await talk.hears("two")).text
        await alice.send(talk.room, f"{bob.nick}: first\nsecond")
        await talk.hears("second")
        assert talk.said_to_bob()[-2:] == ["first", "second"]
