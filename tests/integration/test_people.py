"""The demo's servers and people: people hear each other on each server, and a restarted server keeps its port."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.demo.people import IrcError, IrcPerson, MatrixPerson, NotHeard
from bridge.demo.servers import InspIRCd, Process, PyIrcd, ServerError, Synapse
from bridge.demo.servers.process import HOST
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


async def test_a_person_on_matrix_hears_messages_of_every_kind_and_in_order(synapse: Synapse) -> None:
    async with MatrixPerson(synapse.url, unique("alice")) as alice, MatrixPerson(synapse.url, unique("bob")) as bob:
        alias = unique("pond")
        room = await alice.create_room(alias)
        await bob.join(f"#{alias}:{synapse.server_name}")
        await alice.sees(room, bob.user_id)
        await alice.send(room, "one")
        await alice.me(room, "two")
        await alice.notice(f"#{alias}:{synapse.server_name}", "three")
        await alice.send_html(room, "four", "<b>four</b>")
        await bob.heard("four")
        assert [(m.text, m.kind) for m in bob.messages] == [
            ("one", "text"),
            ("two", "action"),
            ("three", "notice"),
            ("four", "text"),
        ]
        assert [m.id for m in await bob.history(room)] == [m.id for m in bob.messages]


async def test_a_private_matrix_conversation_is_joined_and_heard(synapse: Synapse) -> None:
    async with MatrixPerson(synapse.url, unique("alice")) as alice, MatrixPerson(synapse.url, unique("bob")) as bob:
        room = await alice.direct(bob.user_id)
        await alice.send(room, "psst")
        heard = await bob.heard("psst")
        assert (heard.room, heard.sender) == (room, alice.user_id)
        await alice.sees(room, bob.user_id)


async def test_a_person_on_matrix_hears_all_of_more_messages_than_one_sync_returns(synapse: Synapse) -> None:
    async with MatrixPerson(synapse.url, unique("alice")) as alice:
        room = await alice.create_room()
        async with MatrixPerson(synapse.url, unique("bob")) as bob:
            await bob.join(room)
            lines = [f"line {number}" for number in range(130)]
            async with asyncio.TaskGroup() as group:
                for line in lines:
                    group.create_task(alice.send(room, line))
            await bob.heard(lambda _: len(bob.messages) == len(lines), timeout=30)
            assert sorted(m.text for m in bob.messages) == sorted(lines)


async def test_waiting_for_a_message_in_vain_fails_and_names_what_was_heard_instead(synapse: Synapse) -> None:
    async with MatrixPerson(synapse.url, unique("alice")) as alice:
        room = await alice.create_room()
        await alice.send(room, "something else")
        await alice.heard("something else")
        with pytest.raises(NotHeard, match="something else"):
            await alice.heard("quack", timeout=0.1)


async def _talk(port: int) -> None:
    channel, nicks = f"#{unique('pond')}", (unique("alice"), unique("bob"))
    async with IrcPerson(HOST, port, nicks[0]) as alice, IrcPerson(HOST, port, nicks[1]) as bob:
        await alice.join(channel)
        await bob.join(channel)
        await alice.say(channel, "one: with a colon")
        await alice.me(channel, "waves")
        await alice.notice(nicks[1], "psst")
        await alice.ping()
        await bob.heard("psst")
        assert [(m.room, m.sender, m.text, m.kind) for m in bob.messages if m.sender == alice.nick] == [
            (channel, nicks[0], "one: with a colon", "text"),
            (channel, nicks[0], "waves", "action"),
            (nicks[1], nicks[0], "psst", "notice"),
        ]


async def test_two_people_can_talk_on_inspircd(inspircd: InspIRCd) -> None:
    await _talk(inspircd.port)


async def test_two_people_can_talk_on_ngircd(ngircd: NgIrcd) -> None:
    await _talk(ngircd.port)


async def test_two_people_can_talk_on_the_pure_python_irc_server(tmp_path: Path) -> None:
    async with PyIrcd(tmp_path / "pyircd") as server:
        await _talk(server.port)


async def test_services_prove_an_account_by_sasl_and_refuse_a_wrong_password(services: Anope) -> None:
    nick, port = unique("alice"), services.irc.port
    await services.register(nick, "secret")
    async with (
        IrcPerson(HOST, port, unique("bob"), caps=("account-tag", "message-tags")) as bob,
        IrcPerson(HOST, port, nick, sasl=(nick, "secret")) as alice,
    ):
        await alice.say(bob.nick, "it is me")
        assert (await bob.heard("it is me")).raw["account"] == nick
    with pytest.raises(IrcError, match="904"):
        await IrcPerson(HOST, port, nick, sasl=(nick, "wrong")).connect()


async def test_the_names_of_a_channel_are_without_prefixes(inspircd: InspIRCd) -> None:
    channel, nick = f"#{unique('pond')}", unique("alice")
    async with IrcPerson(HOST, inspircd.port, nick) as alice:
        await alice.join(channel)
        assert await alice.names(channel) == {nick}
        await alice.rename(f"{nick}x")
        assert await alice.names(channel) == {f"{nick}x"}


async def test_a_nick_in_use_is_refused(inspircd: InspIRCd) -> None:
    nick = unique("alice")
    async with IrcPerson(HOST, inspircd.port, nick):
        with pytest.raises(IrcError, match="433"):
            await IrcPerson(HOST, inspircd.port, nick).connect()


async def test_the_history_of_a_channel_is_played_to_a_person_who_joins(tmp_path: Path) -> None:
    async with (
        InspIRCd(tmp_path / "ircd", modes="ntH 500:1h") as server,
        IrcPerson(HOST, server.port, "alice") as alice,
        IrcPerson(HOST, server.port, "bob", caps=("batch", "server-time", "message-tags")) as bob,
    ):
        await alice.join("#pond")
        await alice.say("#pond", "before your time")
        await alice.ping()
        await bob.join("#pond")
        assert (await bob.heard("before your time")).raw["time"]


@pytest.mark.parametrize("server", [Synapse, InspIRCd, NgIrcd, PyIrcd])
async def test_a_killed_server_comes_back_on_its_port(server: Callable[[Path], Process], tmp_path: Path) -> None:
    async with server(tmp_path / "server") as running:
        port = running.port
        await running.kill()
        assert not await running.is_up()
        await running.restart()
        assert running.port == port
        assert await running.is_up()


async def test_a_person_on_matrix_goes_on_hearing_after_a_restart_of_the_homeserver(tmp_path: Path) -> None:
    async with Synapse(tmp_path / "synapse") as server, MatrixPerson(server.url, "alice") as alice:
        room = await alice.create_room()
        await server.kill()
        await server.start()
        await alice.send(room, "still there")
        await alice.heard("still there", timeout=20)


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no-such-file"):
        await InspIRCd(tmp_path / "ircd", extra='<include file="no-such-file">').start()
