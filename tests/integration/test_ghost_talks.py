"""Members talk with people on IRC in rooms of two with ghosts, on a real homeserver that tells us by transactions."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import free_port
from bridge.model.event import Edit, EventKey, Message, Reaction, Redaction
from bridge.model.outbox import Known
from bridge.model.text import words
from bridge.network import FaceRemoved, PermanentError
from tests.conftest import need, running
from tests.integration.ghosttalk import Home, Ours, home, members, person, private, talking
from tests.integration.haunted import member, remove
from tests.integration.irc import Log
from tests.integration.servers import unique

pytestmark = pytest.mark.servers

_SEALED = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    need(Synapse)
    found = home(tmp_path_factory.mktemp("talking"), free_port())
    with running(found.server):
        yield found


async def _declined(us: Ours, place: str, ghost: str) -> str:
    """Why the ghost has declined the invitation, or has left."""
    async with asyncio.timeout(15):
        while (found := await member(us.alice, place, ghost)).get("membership") != "leave":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return str(found.get("reason", ""))


async def test_a_member_begins_a_talk_and_the_first_words_are_heard(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        bob = person()
        ghost = await us.appears(network, bob)
        place = await us.alice.direct(ghost)
        first = await us.alice.send(place, "are you there?")  # the ghost may not be there yet
        await us.alice.sees(place, ghost)
        second = await us.alice.send(place, "hello?")
        await us.until(lambda: len(us.heard) >= 2)
        assert [event.id for event in us.heard] == [first, second]
        event = us.heard[0]
        assert event.room == us.talk(bob)
        assert event.sender.address == us.alice.user_id
        assert isinstance(event.body, Message)
        assert event.body.mentions == (f"libera/{bob.address}",)
        answer = await us.tell(network, bob, "yes")
        heard = await us.alice.heard("yes")
        assert (heard.room, heard.sender, heard.id) == (place, ghost, answer)


async def test_a_person_on_irc_begins_a_talk_and_the_room_is_kept(where: Home, log: Log) -> None:
    async with talking(where) as us:
        bob = person(account="")
        event = private(bob, "psst")
        async with us.runs() as network:
            await us.appears(network, bob)
            await us.until(lambda: log.of("ghost_talks_available"))
            sent = await us.carry(network, event, bob)
            assert await us.carry(network, event, bob) == sent  # a repeat is the same event
            heard = await us.alice.heard("psst")
            assert (heard.sender, heard.id) == (us.ghost(bob), sent)
            place = heard.room
            assert f"ghost-room {place}" in us.memory.kept  # before she says anything
            path = f"rooms/{place}/state/m.room.member/{us.alice.user_id}"
            joined = await us.alice.call("GET", path, format="event")
            assert joined["unsigned"]["prev_content"]["is_direct"] is True
            await us.alice.send(place, "who is there?")
            await us.until(lambda: us.texts() == ["who is there?"])
            assert us.heard[0].room == us.talk(bob)
        async with us.runs(listens=False) as network:
            await us.until(lambda: len(log.of("ghost_talks_available")) == 1)
        async with us.runs() as network:
            await us.until(lambda: len(log.of("ghost_talks_available")) == 2)
            assert await us.carry(network, event, bob, again=True) == sent
            await us.tell(network, bob, "me again")
            assert (await us.alice.heard("me again")).room == place
            await us.alice.send(place, "still there?")
            await us.until(lambda: us.texts() == ["who is there?", "still there?"])
            await us.alice.leave(place)
            await us.until(lambda: not [key for key in us.memory.kept if key.startswith("ghost-room ")])
            await us.tell(network, bob, "do not go")
            assert (await us.alice.heard("do not go")).room != place


async def test_while_the_homeserver_does_not_reach_us_no_ghost_speaks_in_private(where: Home, log: Log) -> None:
    async with talking(where) as us, us.runs(listens=False) as network:
        bob = person()
        await us.appears(network, bob)
        await us.until(lambda: log.of("ghost_talks_unavailable"))
        with suppress(PermanentError):  # the bridge's own account tells it, if it can
            await us.tell(network, bob, "psst")
        assert {heard.sender for heard in us.alice.messages if "psst" in heard.text} <= {us.user}
        assert not [key for key in us.memory.kept if key.startswith("ghost-room ")]


async def test_edits_replies_and_removals_go_both_ways(where: Home, log: Log) -> None:
    async with talking(where) as us, us.runs() as network:
        bob = person()
        ghost = await us.appears(network, bob)
        await us.until(lambda: log.of("ghost_talks_available"))
        event = private(bob, "wrong")
        sent = await us.carry(network, event, bob)
        place = (await us.alice.heard("wrong")).room
        known = Known(event.key, bob, "wrong", ids=(sent,))
        edit = replace(event, id=unique("$"), body=Edit(event.key, words("right")))
        edited = await us.carry(network, edit, bob, known)
        found = await us.alice.call("GET", f"rooms/{place}/event/{edited}")
        assert (found["sender"], found["content"]["m.new_content"]["body"]) == (ghost, "right")
        reply = {"msgtype": "m.text", "body": "why?", "m.relates_to": {"m.in_reply_to": {"event_id": sent}}}
        asked = await us.alice.send_event(place, "m.room.message", reply)
        await us.until(lambda: us.heard)
        said = us.heard[0]
        assert isinstance(said.body, Message)
        assert said.body.reply_to == EventKey(us.talk(bob), sent)
        told = Known(said.key, said.sender, "why?", ids=(asked,))
        answer = await us.carry(network, private(bob, "because", reply_to=said.key), bob, told)
        found = await us.alice.call("GET", f"rooms/{place}/event/{answer}")
        assert found["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": asked}}
        reaction = replace(event, id=unique("$"), body=Reaction(said.key, "+1"))
        await us.carry(network, reaction, bob, told)
        await us.carry(network, replace(event, id=unique("$"), body=Redaction(event.key)), bob, known)
        assert not (await us.alice.call("GET", f"rooms/{place}/event/{sent}"))["content"]
        await us.alice.redact(place, asked)
        await us.until(lambda: len(us.heard) == 2)
        assert us.heard[1].body == Redaction(said.key)


async def test_guests_and_ghosts_of_people_who_are_not_known_are_refused_in_a_sentence(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        bob, eve = person(), person()
        ghost = await us.appears(network, bob)
        us.refuses[eve.address] = "eve is banned"
        other = await us.appears(network, eve)
        assert await _declined(us, await us.alice.direct(other), other) == "eve is banned"
        us.refuses[us.alice.user_id] = "only members"
        told = [await _declined(us, await us.alice.direct(ghost), ghost) for _ in range(7)]
        assert told == ["only members"] * 4 + [""] * 3  # with the first, five in an hour
        assert us.heard == []
        assert us.batches[-1].changes  # what was to be done was kept, and is done
        await us.until(lambda: not [key for key in us.memory.kept if key.startswith(("ghost-errand ", "ghost-room "))])


async def test_a_group_is_left_with_a_sentence(where: Home) -> None:
    async with talking(where) as us, us.runs() as network, MatrixPerson(where.server.url, unique("carol")) as carol:
        ghost = await us.appears(network, person())
        place = await us.alice.create_room(preset="private_chat", invite=[carol.user_id, ghost])
        assert "rooms of two" in await _declined(us, place, ghost)
        assert (await us.alice.heard("rooms of two")).room == place
        public = await us.alice.create_room(preset="public_chat", invite=[ghost])
        assert "rooms of two" in await _declined(us, public, ghost)
        place = await us.alice.direct(ghost)
        await us.alice.send(place, "hello")
        await us.until(lambda: us.texts() == ["hello"])
        await us.alice.invite(place, carol.user_id)
        assert "somebody else" in await _declined(us, place, ghost)
        await us.alice.send(place, "we are three")
        await carol.sees(place, ghost, "leave")
        assert us.texts() == ["hello"]


async def test_a_ghost_says_once_that_it_cannot_read_encrypted_messages_and_leaves(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        bob = person()
        ghost = await us.appears(network, bob)
        place = await us.alice.create_room(
            preset="trusted_private_chat", is_direct=True, invite=[ghost], initial_state=[_SEALED]
        )
        await _declined(us, place, ghost)
        said = [heard.text for heard in await us.alice.history(place)]
        assert len(said) == 1
        assert f"msg libera/{bob.address} hello" in said[0]
        place = await us.alice.direct(ghost)  # one that is encrypted only later
        await us.alice.send(place, "hello")
        await us.until(lambda: us.texts() == ["hello"])
        await us.alice.call("PUT", f"rooms/{place}/state/m.room.encryption", _SEALED["content"])
        await _declined(us, place, ghost)
        assert [heard.text for heard in await us.alice.history(place) if heard.sender == ghost] == said


@pytest.mark.parametrize("how", ["kick", "ban"])
async def test_a_ghost_that_was_removed_does_not_come_back_by_itself(where: Home, log: Log, how: str) -> None:
    async with talking(where) as us:
        bob = person()
        async with us.runs() as network:
            ghost = await us.appears(network, bob)
            await us.until(lambda: log.of("ghost_talks_available"))
            place = await us.alice.create_room(preset="private_chat", is_direct=True, invite=[ghost])
            await us.until(lambda: f"ghost-room {place}" in us.memory.kept)
            await remove(us.alice, place, ghost, how, "leave me alone")
            await us.until(lambda: "leave me alone" in us.memory.kept.get(f"ghost-room {place}", ""))
            with pytest.raises(FaceRemoved, match="leave me alone"):
                await us.tell(network, bob, "please")
        async with us.runs() as network:
            await us.until(lambda: len(log.of("ghost_talks_available")) == 2)
            with pytest.raises(FaceRemoved, match="leave me alone"):
                await us.tell(network, bob, "please")
            other = await us.alice.direct(ghost)
            await us.alice.sees(other, ghost)
            await us.until(lambda: f"ghost-room {other}" in us.memory.kept)
            await us.tell(network, bob, "thanks")
            assert (await us.alice.heard("thanks")).room == other


async def test_two_people_have_one_room(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        bob = person()
        ghost = await us.appears(network, bob)
        first = await us.alice.direct(ghost)
        await us.until(lambda: f"ghost-room {first}" in us.memory.kept)
        second = await us.alice.direct(ghost)
        await _declined(us, first, ghost)
        await us.tell(network, bob, "here")
        assert (await us.alice.heard("here")).room == second
        assert [key for key in us.memory.kept if key.startswith("ghost-room ")] == [f"ghost-room {second}"]
        assert dict(await members(us.alice, second)) == {us.alice.user_id: "join", ghost: "join"}
