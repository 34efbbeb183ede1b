"""Replies, reactions, typing, topics and who comes and goes, on real servers: InspIRCd with client-only tags, ngIRCd
without any tags."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bridge.demo.servers import InspIRCd, Process, Synapse
from bridge.irc.dialect.operations import Operation, React, Redact, Say, SetTopic, encode
from bridge.model.event import Body, Change, EventKey, Membership, Message, Reaction, Topic
from bridge.model.outbox import Post
from bridge.network import Needless, PermanentError
from tests.integration.irc import PATIENCE, Ours, channel_of, ours, person
from tests.integration.pond import Pond
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


@pytest.fixture(params=["inspircd", "ngircd"])
def server(request: pytest.FixtureRequest, inspircd: InspIRCd, ngircd: NgIrcd) -> Process:
    return inspircd if request.param == "inspircd" else ngircd


def post(us: Ours, operation: Operation) -> Post:
    return Post.of(us.room, (unique("p"),), 0, encode(operation))


async def test_replies_and_reactions_are_passed_on_in_both_directions(inspircd: InspIRCd) -> None:
    async with ours(inspircd) as us, person(inspircd) as bob:
        await bob.join(us.room.id)
        channel = us.room.id
        asked = await us.network.send(post(us, Say("PRIVMSG", channel, "who is there?")))
        await bob.raw(f"@+draft/reply={asked} PRIVMSG {channel} :me")
        await bob.raw(f"@+draft/reply={asked};+draft/react=\U0001f44d TAGMSG {channel}")
        await bob.raw(f"@+draft/reply={asked};+draft/unreact=\U0001f44d TAGMSG {channel}")
        answer = await us.hears("me")
        assert isinstance(answer.body, Message)
        assert answer.body.reply_to == EventKey(us.room, asked)
        await us.sees(lambda body: isinstance(body, Reaction) and body.removed)
        found = [each.body for each in us.events if isinstance(each.body, Reaction)]
        key = EventKey(us.room, asked)
        assert found == [Reaction(key, "\U0001f44d"), Reaction(key, "\U0001f44d", removed=True)]

        await us.network.send(post(us, Say("PRIVMSG", channel, "hello", reply=answer.id)))
        known = await us.network.send(post(us, React(channel, answer.id, "\U0001f986")))
        line = await bob.line(lambda line: line.command == "PRIVMSG" and line.params[-1] == "hello")
        assert (line.tags["+draft/reply"], line.tags["+reply"]) == (answer.id, answer.id)
        line = await bob.line(lambda line: line.command == "TAGMSG" and line.source == us.settings.nick)
        assert (line.tags["+draft/reply"], line.tags["+draft/react"]) == (answer.id, "\U0001f986")
        assert line.tags["msgid"] == known


async def test_typing_is_passed_on_in_both_directions(inspircd: InspIRCd) -> None:
    async with ours(inspircd, per_second=1e6) as us, person(inspircd) as bob:
        await bob.join(us.room.id)
        await bob.raw(f"@+typing=active TAGMSG {us.room.id}")
        assert (await us.senses(active=True)).sender.address == bob.nick
        await bob.say(us.room.id, "there")
        assert (await us.senses(active=False)).sender.address == bob.nick
        await us.network.typing(us.room, active=True)
        line = await bob.line(lambda line: "+typing" in line.tags)
        assert (line.command, line.tags["+typing"]) == ("TAGMSG", "active")


async def test_who_comes_and_goes_is_heard_with_the_reason(server: Process) -> None:
    async with ours(server) as us, person(server) as op, person(server) as bob:
        channel = us.room.id
        for who in (op, bob):
            await who.join(channel)
        new = unique("bobby")
        was = bob.nick
        await bob.rename(new)
        await bob.part(channel, "for tea")
        await bob.join(channel)
        await op.quit("good night")
        await us.sees(lambda body: isinstance(body, Membership) and "good night" in body.detail)
        found = [
            (each.body.person.address, each.body.change) for each in us.events if isinstance(each.body, Membership)
        ]
        assert found == [
            (op.nick, Change.JOINED),
            (was, Change.JOINED),
            (was, Change.RENAMED),
            (new, Change.LEFT),
            (new, Change.JOINED),
            (op.nick, Change.LEFT),
        ]
        details = [each.body.detail for each in us.events if isinstance(each.body, Membership)]
        assert details[2] == new
        assert "for tea" in details[3]


async def test_a_kick_names_who_did_it_and_the_founder_of_the_channel_may_set_its_topic(server: Process) -> None:
    """We found the channel, so we are its operator."""
    async with ours(server) as us, person(server) as bob:
        channel = us.room.id
        await bob.join(channel)
        await us.network.send(post(us, SetTopic(channel, "hot water")))
        line = await bob.line(lambda line: line.command == "TOPIC")
        assert line.params[-1] == "hot water"
        await us.network.send(post(us, SetTopic(channel, "")))
        await bob.line(lambda line: line.command == "TOPIC" and line.params[-1] == "")
        with pytest.raises(Needless):  # what it is already
            await us.network.send(post(us, SetTopic(channel, "")))
        assert not any(isinstance(each.body, Topic) for each in us.events)


async def test_only_operators_may_set_the_topic_and_theirs_is_heard_and_so_are_those_they_kick(server: Process) -> None:
    async with person(server) as op, channel_of(op) as channel:
        await op.raw(f"MODE {channel} +t")
        await op.ping()
        async with ours(server, channel=channel) as us, person(server) as bob:
            await bob.join(channel)
            with pytest.raises(PermanentError, match="the bridge is no operator"):
                await us.network.send(post(us, SetTopic(channel, "mine")))
            await us.network.send(post(us, Say("PRIVMSG", channel, "so be it")))
            await op.raw(f"TOPIC {channel} :\x02theirs\x02")
            topic = await us.sees(lambda body: isinstance(body, Topic))
            assert (topic.body, topic.sender.address) == (Topic("theirs"), op.nick)
            await op.raw(f"KICK {channel} {bob.nick} :enough")
            kick = await us.sees(lambda body: isinstance(body, Membership) and body.change is Change.KICKED)
            assert isinstance(kick.body, Membership)
            assert (kick.sender.address, kick.body.person.address, kick.body.detail) == (op.nick, bob.nick, "enough")


async def test_a_server_that_removes_nothing_makes_a_removal_needless_and_one_without_tags_a_reaction(
    server: Process,
) -> None:
    async with ours(server) as us, person(server) as bob:
        await bob.join(us.room.id)
        with pytest.raises(Needless):
            await us.network.send(post(us, Redact(us.room.id, "id")))
        if isinstance(server, NgIrcd):
            with pytest.raises(Needless):
                await us.network.send(post(us, React(us.room.id, "id", "x")))
        await us.network.send(post(us, Say("PRIVMSG", us.room.id, "an answer", reply="id")))
        assert (await bob.heard("an answer")).text == "an answer"


@pytest.fixture
def colourless(tmp_path_factory: pytest.TempPathFactory) -> InspIRCd:
    extra = '<module name="blockcolor"><module name="stripcolor">'
    return InspIRCd(tmp_path_factory.mktemp("colourless"), extra=extra)


async def test_whether_colours_get_through_follows_the_modes_of_the_channel(colourless: InspIRCd) -> None:
    async with colourless, person(colourless) as op, channel_of(op) as channel:
        await op.raw(f"MODE {channel} +S")
        await op.ping()
        async with ours(colourless, channel=channel) as us:
            session = us.network._connection.session  # type: ignore[union-attr]
            await us.network.send(post(us, Say("PRIVMSG", channel, "a barrier")))
            assert not session.place(channel).colours
            for modes, colours in (("-S", True), ("+c", False), ("-c+n", True)):
                await op.raw(f"MODE {channel} {modes}")
                await op.say(channel, f"now {modes}")
                await us.hears(f"now {modes}")
                assert session.place(channel).colours is colours
            assert session.place(channel).nicks == {op.nick.lower(), us.settings.nick.lower()}


async def test_thirty_people_who_come_and_go_at_once_hold_no_message_up(inspircd: InspIRCd) -> None:
    async with ours(inspircd) as us:
        people = [person(inspircd) for _ in range(30)]
        for each in people:
            await each.connect()
        await asyncio.gather(*(each.join(us.room.id) for each in people))
        await us.network.send(post(us, Say("PRIVMSG", us.room.id, "welcome")))
        await asyncio.gather(*(each.quit("*.net *.split") for each in people))
        async with asyncio.timeout(PATIENCE), us.stir:
            await us.stir.wait_for(lambda: sum(_left(each.body) for each in us.events) == len(people))
        await us.network.send(post(us, Say("PRIVMSG", us.room.id, "gone")))


def _left(body: Body) -> bool:
    return isinstance(body, Membership) and body.change is Change.LEFT


# Through the whole bridge


@pytest.fixture
async def running(tmp_path: Path, synapse: Synapse, services: Anope) -> AsyncGenerator[Pond, None]:
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    async with pond.daemon() as daemon:
        await daemon.ready()
        yield pond


async def test_a_reply_with_a_tag_on_irc_is_a_reply_on_matrix_and_the_other_way_round(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await bob.say(running.channel, "who is there?")
        asked, carried = await bob.heard("who is there?"), await alice.heard("who is there?")
        reply: dict[str, Any] = {"m.relates_to": {"m.in_reply_to": {"event_id": carried.id}}}
        answer = await alice.send(running.room, "only me", **reply)
        heard = await bob.heard("only me")
        assert heard.raw["+draft/reply"] == asked.id
        await bob.raw(f"@+draft/reply={heard.id} PRIVMSG {running.channel} :good")
        back = await alice.heard("good")
        content: Any = back.raw["content"]
        assert content["m.relates_to"]["m.in_reply_to"]["event_id"] == answer


async def test_a_reaction_on_irc_is_one_on_matrix(running: Pond) -> None:
    async with running.people() as (alice, bob):
        said = await alice.send(running.room, "look, a duck")
        heard = await bob.heard("look, a duck")
        await bob.raw(f"@+draft/reply={heard.id};+draft/react=\U0001f986 TAGMSG {running.channel}")
        path = f"rooms/{quote(await alice.room_id(running.room))}/messages"
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE):
            while not found:
                recent = (await alice.call("GET", path, dir="b", limit="10"))["chunk"]
                found = [each["content"]["m.relates_to"] for each in recent if each["type"] == "m.reaction"]
        assert found == [{"rel_type": "m.annotation", "event_id": said, "key": "\U0001f986"}]
