"""A member with a nick of their own, through the real daemon: Synapse, InspIRCd with services."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import Pond
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    """With puppets, whose nicks no other test has."""
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    with_puppets(pond)
    return pond


def with_puppets(pond: Pond) -> None:
    config: dict[str, Any] = pond.config
    config["links"]["pond"]["puppets"] = "members"
    config["networks"]["irc"]["puppets"] = {"nick": "{name}" + unique("p"), "connect_every": "off"}
    write_config(pond.folder, pond.config, {})


def nick(pond: Pond, name: str = "alice") -> str:
    config: dict[str, Any] = pond.config
    return str(config["networks"]["irc"]["puppets"]["nick"].replace("{name}", name))


@asynccontextmanager
async def bridged(pond: Pond) -> AsyncGenerator[tuple[MatrixPerson, IrcPerson], None]:
    """Alice, bob, who is an operator of the channel, and the daemon."""
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        yield alice, bob


async def _says(alice: MatrixPerson, pond: Pond, bob: IrcPerson, text: str) -> Heard:
    """Alice says something on Matrix; what bob hears of it."""
    await alice.send(pond.room, text)
    return await bob.heard(text)


async def test_a_member_speaks_as_themselves_and_is_answered_by_their_nick(pond: Pond) -> None:
    async with bridged(pond) as (alice, bob):
        await alice.rename("Alice Lee")
        heard = await _says(alice, pond, bob, "quack")
        assert (heard.sender, heard.text) == (nick(pond), "quack")
        await bob.say(pond.channel, f"{nick(pond)}: yes indeed")
        answer = await alice.heard("yes indeed")
        assert "Alice Lee: yes indeed" in answer.text
        seen = [heard.text for heard in alice.messages if heard.sender == pond.duck_id and "quack" in heard.text]
        assert not [text for text in seen if text.startswith("<")]


async def test_who_wants_no_puppet_has_none_from_the_next_words_on(pond: Pond) -> None:
    async with bridged(pond) as (alice, bob):
        await _says(alice, pond, bob, "one")
        assert quackbridge(pond.folder, "set-puppet", "alice", "off").returncode == 0
        shown = json.loads(quackbridge(pond.folder, "show-user", "alice", "--json").stdout)
        assert shown["puppet"] is False
        await bob.line(lambda line: line.command == "QUIT" and line.source == nick(pond))
        heard = await _says(alice, pond, bob, "two")
        assert heard.sender == pond.duck
        assert "> two" in heard.text
        room = await alice.direct(pond.duck_id)
        await alice.send(room, "puppet on")
        await alice.heard("You have a nick of your own on IRC from your next words on")
        assert (await _says(alice, pond, bob, "three")).sender == nick(pond)


@pytest.mark.parametrize("verb", ["ban-user", "remove-user"])
async def test_the_puppet_of_who_is_banned_or_removed_quits_at_once(verb: str, pond: Pond) -> None:
    async with bridged(pond) as (alice, bob):
        await _says(alice, pond, bob, "one")
        assert quackbridge(pond.folder, verb, "alice").returncode == 0
        await bob.line(lambda line: line.command == "QUIT" and line.source == nick(pond), timeout=5)
        await asyncio.sleep(0)
        assert not any("has left" in heard.text for heard in alice.messages)


async def test_who_is_kicked_is_told_by_whom_in_private_and_comes_back_with_the_next_words(pond: Pond) -> None:
    async with bridged(pond) as (alice, bob):
        await _says(alice, pond, bob, "one")
        await bob.raw(f"KICK {pond.channel} {nick(pond)} :enough")
        told = await alice.heard("has kicked your nick")
        assert f"{bob.nick} has kicked your nick {nick(pond)} from {pond.channel} (enough)" in told.text
        assert told.room != await alice.room_id(pond.room)
        assert (await _says(alice, pond, bob, "two")).sender == nick(pond)


async def test_who_is_banned_from_the_channel_is_told_that_nobody_has_heard_them(pond: Pond) -> None:
    async with bridged(pond) as (alice, bob):
        await _says(alice, pond, bob, "one")
        await bob.raw(f"MODE {pond.channel} +b {nick(pond)}!*@*")
        await bob.ping()
        await alice.send(pond.room, "two")
        told = await alice.heard("not delivered to")
        assert "banned" in told.text
        await bob.ping()
        assert not any("two" in heard.text for heard in bob.messages)


async def test_two_bridges_that_share_a_channel_and_have_different_rooms_do_not_go_round_in_circles(
    pond: Pond, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each carries what the members of the other say once, as words of people on IRC."""
    other = Pond(tmp_path_factory.mktemp("other"), pond.synapse, pond.services, channel=pond.channel)
    await other.dig()
    with_puppets(other)
    for each in (pond, other):
        each.config["links"]["pond"]["guests"] = "relay"  # type: ignore[index]
        write_config(each.folder, each.config, {})
    async with AsyncExitStack() as stack:
        for each in (pond, other):
            await (await stack.enter_async_context(each.daemon())).ready()
        alice = await stack.enter_async_context(MatrixPerson(pond.synapse.url, pond.alice))
        carol = await stack.enter_async_context(MatrixPerson(other.synapse.url, other.alice))
        bob = await stack.enter_async_context(pond.person(unique("bob")))
        await bob.join(pond.channel)
        for number in range(5):
            await alice.send(pond.room, f"ping{number}")
            await carol.heard(f"ping{number}")
            await carol.send(other.room, f"pong{number}")
            await alice.heard(f"pong{number}")
        await bob.say(pond.channel, "the end")
        for person in (alice, carol):
            await person.heard("the end")
        for word in (f"{word}{number}" for word in ("ping", "pong") for number in range(5)):
            for messages in (alice.messages, carol.messages, bob.messages):
                assert len([heard for heard in messages if word in heard.text]) == 1, word
