"""Private talk through the real daemon, both ways: by a puppet on IRC, and in a room with a ghost on Matrix."""

import asyncio
import signal
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from tests.conftest import need
from tests.integration.pond import Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_ghost_talks_alive import reachable, register
from tests.integration.test_own_nick import nick, with_puppets

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, own_synapse: Synapse, services: Anope) -> Pond:
    need(Synapse, Anope)
    found = await dug(tmp_path, own_synapse, services)
    reachable(found)
    with_puppets(found)
    await register(found)
    return found


def _to_bob(pond: Pond, bob: IrcPerson) -> list[str]:
    """What alice's puppet has said to bob."""
    return [each.text for each in bob.messages if each.room == bob.nick and each.sender == nick(pond)]


async def _to_alice(alice: MatrixPerson, room: str, ghost: str) -> list[str]:
    return [line for each in await alice.history(room) if each.sender == ghost for line in each.text.split("\n")]


async def test_a_private_line_to_a_puppet_comes_from_the_ghost_and_the_answer_from_the_puppet(pond: Pond) -> None:
    ghost = pond.synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await daemon.logged("ghost_talks_available")
        await alice.send(pond.room, "hello")
        await bob.heard("hello")
        await bob.say(nick(pond), "psst")
        heard = await alice.heard("psst")
        assert (heard.sender, heard.text) == (ghost, "psst")
        await alice.send(heard.room, "yes?")
        answer = await bob.heard("yes?")
        assert (answer.sender, answer.room, answer.text) == (nick(pond), bob.nick, "yes?")
        content = {"msgtype": "m.text", "body": "a reply", "m.relates_to": {"m.in_reply_to": {"event_id": heard.id}}}
        await alice.send_event(heard.room, "m.room.message", content)
        await bob.heard("a reply")
        assert not [each for each in bob.messages if each.room == pond.channel and "yes?" in each.text]


async def test_alice_begins_and_nothing_is_lost_or_doubled_when_the_daemon_is_killed(pond: Pond) -> None:
    ghost = pond.synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await daemon.logged("ghost_talks_available")
        await bob.say(pond.channel, "hello all")
        await alice.heard("hello all")
        place = await alice.direct(ghost)
        await alice.send(place, "out 0")
        await bob.heard("out 0")
        for number in range(1, 10):
            await alice.send(place, f"out {number}")
            await asyncio.sleep(0.1)
            if number == 5:
                await daemon.stop(signal.SIGKILL)
        await daemon.start()
        await daemon.ready()
        await bob.heard("out 9", timeout=40)
        await pond.synapse.restart()
        await alice.send(place, "out 10")
        await bob.heard("out 10", timeout=40)
        said = _to_bob(pond, bob)
        assert [*dict.fromkeys(said)] == [f"out {number}" for number in range(11)]
        assert len(said) <= 12  # the one that was on its way when the daemon was killed may be said twice
        for number in range(10):
            await bob.say(nick(pond), f"in {number}")
        await alice.heard("in 9", timeout=30)
        assert await _to_alice(alice, place, ghost) == [f"in {number}" for number in range(10)]


async def test_a_guest_who_invites_a_ghost_is_told_why_it_does_not_come(pond: Pond) -> None:
    ghost = pond.synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.say(pond.channel, "hello all")
        await alice.heard("hello all")
        async with MatrixPerson(pond.synapse.url, "mallory") as mallory:
            place = await mallory.direct(ghost)
            await mallory.sees(place, ghost, "leave")
            await mallory.send(place, "hello?")
            path = f"rooms/{place}/state/m.room.member/{ghost}"
            assert "Only members of this bridge" in (await mallory.call("GET", path))["reason"]
        await daemon.logged("ghost_talk_refused")
        assert _to_bob(pond, bob) == []
