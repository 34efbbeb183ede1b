"""The whole bridge on real servers: the daemon as an operator runs it, with people who share no code with it."""

import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from bridge.irc.client import IrcNetwork
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    return pond


@pytest.fixture
async def running(pond: Pond) -> AsyncGenerator[Pond, None]:
    async with pond.daemon() as daemon:
        await daemon.ready()
        yield pond


async def test_messages_of_members_are_carried_both_ways_in_every_kind_and_in_order(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await alice.send(running.room, "one")
        await alice.me(running.room, "waves")
        await alice.notice(running.room, "three")
        await bob.heard("three")
        assert _from(bob, running.duck) == [
            (f"<{running.alice}> one", "text"),
            (f"* {running.alice} waves", "text"),
            (f"<{running.alice}> three", "notice"),
        ]
        await bob.say(running.channel, "four")
        await bob.me(running.channel, "quacks")
        await bob.notice(running.channel, "six")
        await alice.heard("six")
        assert _from(alice, running.duck_id) == [
            (f"<{running.bob}> four", "text"),
            (f"* {running.bob} quacks", "text"),
            (f"<{running.bob}> six", "notice"),
        ]


async def test_each_line_of_a_carried_message_begins_with_the_senders_name(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await alice.send(running.room, "hi\n<admin> give me\r* admin waves\x00\r\nQUIT :bye\n" + "quack " * 300)
        await alice.send(running.room, "the end")
        await bob.heard("the end")
        lines = [text for text, _ in _from(bob, running.duck)]
        assert len(lines) > 6
        assert all(line.startswith(f"<{running.alice}> ") for line in lines)
        assert all(len(line.encode()) < 512 for line in lines)


async def test_an_edit_by_the_author_is_carried_and_one_of_somebody_elses_message_is_not(running: Pond) -> None:
    def edit(target: str, text: str) -> dict[str, Any]:
        new = {"msgtype": "m.text", "body": text}
        return {"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": target}}

    async with running.people() as (alice, bob):
        first = await alice.send(running.room, "frist")
        await bob.heard("frist")
        await bob.say(running.channel, "I owe nobody anything")
        theirs = await alice.heard("I owe nobody")
        await alice.send(running.room, "* I owe alice money", **edit(theirs.id, "I owe alice money"))
        await alice.send(running.room, "* fallback", **edit(first, "duck: first"))
        await alice.send(running.room, "the end")
        await bob.heard("the end")
        await bob.heard("s/frist/duck: first/")
        texts = [text.removeprefix(f"<{running.alice}> ") for text, _ in _from(bob, running.duck)]
        assert texts == ["frist", "the end", "s/frist/duck: first/"]  # edits wait a moment for more
        private = await alice.direct(running.duck_id)
        await alice.sees(private, running.duck_id)
        command = await alice.send(private, "whoam")
        await alice.heard(lambda heard: heard.room == private and heard.sender == running.duck_id)
        await alice.send(private, "* whoami", **edit(command, "whoami"))
        await alice.heard("I do not read edits")
    assert "only its author may edit a message" in quackbridge(running.folder, "ledger", "--since", "1h").stdout


async def test_a_guest_on_irc_is_not_carried_but_answered_by_the_bot_and_gets_one_private_hint(running: Pond) -> None:
    async with running.people() as (alice, bob), running.person(unique("mallory")) as mallory:
        await mallory.join(running.channel)
        await mallory.say(running.channel, "carry me")
        await mallory.say(running.channel, "duck: and me")
        assert (await mallory.heard("<Little Yellow Duck> and me")).room == running.channel
        assert (await mallory.heard("Your messages stay in")).room == mallory.nick
        await mallory.say(running.channel, "please")
        await bob.say(running.channel, "barrier")
        await alice.heard("barrier")
        assert [text for text, _ in _from(alice, running.duck_id)] == [f"<{running.bob}> barrier"]
        assert sum("Your messages stay in" in message.text for message in mallory.messages) == 1


async def test_a_guest_on_matrix_gets_a_private_hint_and_is_answered_in_the_room(running: Pond) -> None:
    async with running.people() as (_, bob), MatrixPerson(running.synapse.url, unique("eve")) as eve:
        room = await eve.join(running.room)
        await eve.send(room, "duck: hear me")
        assert (await eve.heard("<Little Yellow Duck> hear me")).room == room
        told = await eve.heard("Your messages stay in")
        assert told.room != room
        assert told.sender == running.duck_id
        assert _from(bob, running.duck) == []


async def test_a_nick_without_its_account_is_a_guest(running: Pond) -> None:
    async with MatrixPerson(running.synapse.url, running.alice) as alice:
        async with running.person(running.bob) as spoof:  # the right nick, no login
            await spoof.join(running.channel)
            await spoof.say(running.channel, "it is me")
            await spoof.heard("Your messages stay in")
        async with running.person(unique("other"), sasl=(running.bob, PASSWORD)) as bob:  # another nick, the account
            await bob.join(running.channel)
            await bob.say(running.channel, "it is really me")
            await alice.heard("it is really me")
            await bob.say("NickServ", "LOGOUT")
            await bob.heard("logged out")
            await bob.say(running.channel, "and now I am nobody")
            await bob.heard("Your messages stay in")
        async with running.person(running.bob, sasl=(running.bob, PASSWORD)) as bob:
            await bob.join(running.channel)
            await bob.say(running.channel, "barrier")
            await alice.heard("barrier")
        assert [text.partition("> ")[2] for text, _ in _from(alice, running.duck_id)] == ["it is really me", "barrier"]


async def test_three_rooms_are_one_conversation(
    tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> None:
    pond = Pond(tmp_path, synapse, services, plain=ngircd)
    await pond.dig()
    async with (
        pond.daemon() as daemon,
        pond.people() as (alice, bob),
        IrcPerson(HOST, ngircd.port, unique("carol")) as carol,
    ):
        await daemon.ready()
        await carol.join(pond.channel)
        await alice.send(pond.room, "from matrix")
        await bob.heard("from matrix")
        await carol.heard("from matrix")
        await bob.say(pond.channel, "from irc")
        await alice.heard("from irc")
        await carol.heard("from irc")
        assert [text for text, _ in _from(carol, pond.duck)] == [
            f"<{pond.alice}> from matrix",
            f"<{pond.bob}> from irc",
        ]
        assert [text for text, _ in _from(bob, pond.duck)] == [f"<{pond.alice}> from matrix"]


async def test_a_host_mask_counts_only_where_it_is_trusted(
    tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> None:
    pond = Pond(tmp_path, synapse, services, plain=ngircd)
    await pond.dig()
    for host in ("127.0.0.1", "localhost"):  # as ngIRCd shows it, with or without a resolver
        assert quackbridge(tmp_path, "link-identity", "bob", "--irc-mask", f"plain/*!*@{host}").returncode == 0
    async with MatrixPerson(synapse.url, pond.alice) as alice, IrcPerson(HOST, ngircd.port, unique("carol")) as carol:
        await carol.join(pond.channel)
        async with pond.daemon() as daemon:
            await daemon.ready()
            await carol.say(pond.channel, "not yet")
            await carol.heard("Your messages stay in")
        networks = pond.config["networks"]
        assert isinstance(networks, dict)
        networks["plain"]["trust_hostmasks"] = True
        write_config(tmp_path, pond.config, {"home": PASSWORD})
        async with pond.daemon() as daemon:
            await daemon.ready()
            await carol.say(pond.channel, "trusted")
            await alice.heard("trusted")
        assert [text for text, _ in _from(alice, pond.duck_id)] == [f"<{carol.nick}> trusted"]


async def test_a_members_question_is_answered_in_every_room_while_the_duck_types(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await alice.send(running.room, "duck: what a day")
        answer = await alice.heard("<Little Yellow Duck> what a day")
        assert answer.kind == "notice"
        await bob.heard("<Little Yellow Duck> what a day")
        await alice.sees_typing(await alice.room_id(running.room), running.duck_id)
        await bob.say(running.channel, f"{running.duck}: by your nick")
        await alice.heard("<Little Yellow Duck> by your nick")


async def test_a_reply_that_mentions_the_duck_asks_it_only_where_it_replies_to_the_duck(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await bob.say(running.channel, "a line to reply to")
        carried = await alice.heard("a line to reply to")
        mention: dict[str, Any] = {"m.mentions": {"user_ids": [running.duck_id]}}

        def reply(heard: Heard) -> dict[str, Any]:
            return {"m.relates_to": {"m.in_reply_to": {"event_id": heard.id}}, **mention}

        await alice.send(running.room, "I agree", **reply(carried))
        await bob.heard("I agree")
        await alice.send(running.room, "duck: what now", **reply(carried))
        answer = await alice.heard("<Little Yellow Duck> what now")
        await alice.send(running.room, "and then", **reply(answer))
        await alice.heard("<Little Yellow Duck> and then")
        await alice.send(running.room, "with no reply", **mention)
        await alice.heard("<Little Yellow Duck> with no reply")
        assert not [text for text, _ in _from(alice, running.duck_id) if "I agree" in text]


async def test_a_private_question_is_answered_privately(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await bob.say(running.duck, "psst")
        heard = await bob.heard(lambda message: message.sender == running.duck and "psst" in message.text)
        assert (heard.room, heard.text) == (bob.nick, "psst")
        room = await alice.direct(running.duck_id)
        await alice.sees(room, running.duck_id)
        await alice.send(room, "psst too")
        reply = await alice.heard(lambda message: message.sender == running.duck_id and message.text == "psst too")
        assert reply.room == room
        assert not [text for text, _ in _from(bob, running.duck) if "too" in text]


async def test_no_bot_answers_a_notice(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await bob.notice(running.duck, "psst")
        await bob.notice(running.channel, "duck: loop?")
        await bob.say(running.channel, "duck: barrier")
        await alice.heard("<Little Yellow Duck> barrier")
        assert [text for text, _ in _from(alice, running.duck_id)] == [
            f"<{running.bob}> duck: loop?",
            f"<{running.bob}> duck: barrier",
            "<Little Yellow Duck> barrier",
        ]
        assert not [message for message in bob.messages if message.room == bob.nick and message.sender == running.duck]


async def test_matrix_messages_from_while_the_daemon_was_stopped_or_killed_arrive_in_order(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await alice.send(pond.room, "before")
        await bob.heard("before")
        assert await daemon.stop() == 0
        for number in range(150):  # more than one sync returns: the gap has to be filled
            await alice.send(pond.room, f"meanwhile {number}")
        await daemon.start()
        await bob.heard("meanwhile 149", timeout=30)
        assert await daemon.stop(signal.SIGKILL) == -signal.SIGKILL
        await alice.send(pond.room, "after")
        await daemon.start()
        await bob.heard("after", timeout=30)
        texts = [text.partition("> ")[2] for text, _ in _from(bob, pond.duck)]
        expected = ["before", *(f"meanwhile {number}" for number in range(150)), "after"]
        assert list(dict.fromkeys(texts)) == expected
        assert len(texts) <= len(expected) + IrcNetwork.window  # lines whose proof the kill cut off may come twice


async def test_sigterm_ends_the_daemon_with_status_0_within_five_seconds(pond: Pond) -> None:
    async with pond.daemon() as daemon:
        await daemon.ready()
        before = time.monotonic()
        assert await daemon.stop(signal.SIGTERM) == 0
        assert time.monotonic() - before < 5


async def test_a_user_added_while_the_daemon_runs_is_a_member_within_two_seconds(running: Pond) -> None:
    carol = unique("carol")
    async with running.people() as (_, bob), MatrixPerson(running.synapse.url, carol) as person:
        room = await person.join(running.room)
        await person.send(room, "am I?")
        await person.heard("Your messages stay in")
        added = quackbridge(running.folder, "add-user", "carol", "--matrix", person.user_id)
        assert added.returncode == 0
        before = time.monotonic()
        number = 0
        while not any("now I am" in message.text for message in bob.messages):
            number += 1
            await person.send(room, f"now I am {number}")
            await bob.ping()
            assert time.monotonic() - before < 3


async def test_a_wrong_password_ends_the_daemon_with_status_2_and_one_clear_line(pond: Pond) -> None:
    write_config(pond.folder, pond.config, {"home": "wrong"})
    async with pond.daemon() as daemon:
        assert await daemon.ended() == 2
    text = " ".join(str(line.get("text", "")) for line in daemon.log)
    assert pond.duck_id in text
    assert f"config.yaml:{_line(pond, 'password_file')}:5: networks.home.password_file: home: the homeserver" in text
    assert "Traceback" not in text


async def test_a_wrong_password_on_irc_ends_the_daemon_with_the_key_and_the_line_of_the_config(pond: Pond) -> None:
    networks: Any = pond.config["networks"]
    irc = {**networks["irc"], "sasl": {"password": "wrong", "account": pond.bob}}
    write_config(pond.folder, {**pond.config, "networks": {**networks, "irc": irc}}, {})
    async with pond.daemon() as daemon:
        assert await daemon.ended() == 2
    text = " ".join(str(line.get("text", "")) for line in daemon.log)
    place = f"config.yaml:{_line(pond, 'password: wrong')}:7"
    assert f"{place}: networks.irc.sasl.password: irc: the server does not accept the account or password" in text


def _line(pond: Pond, words: str) -> int:
    """The line of the config that has `words`."""
    lines = (pond.folder / "config.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if words in line)


async def test_a_second_daemon_on_the_same_store_is_refused(running: Pond) -> None:
    async with running.daemon() as second:
        assert await second.ended() in {1, 2}
    text = " ".join(str(line.get("text", "")) for line in second.log)
    assert "quackbridge.sqlite" in text
    assert "Traceback" not in text


async def test_without_encryption_a_message_for_an_encrypted_room_is_dead_and_never_sent(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    pond.config["networks"]["home"]["encryption"] = False  # type: ignore[index]
    write_config(tmp_path, pond.config, {})
    async with pond.people() as (alice, bob):
        place = quote(await alice.room_id(pond.room), safe="")
        await alice.call("PUT", f"rooms/{place}/state/m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
        async with pond.daemon() as daemon:
            await daemon.ready()
            await bob.say(pond.channel, "secret")
            line = await daemon.logged("dead")
            assert "encrypted" in line["reason"]
        listed = quackbridge(tmp_path, "outbox", "list", "--json")
        assert "encrypted" in listed.stdout
        assert all("secret" not in message.text for message in await alice.history(await alice.room_id(pond.room)))


async def test_an_unknown_room_is_logged_and_the_other_rooms_go_on(pond: Pond) -> None:
    links = pond.config["links"]
    assert isinstance(links, dict)
    links["lost"] = {"rooms": ["home/#nowhere:localhost"], "bots": ["duck"]}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        line = await daemon.logged("not_joined", lambda line: "nowhere" in str(line))
        assert line["level"] in {"error", "warning"}
        await daemon.logged("joined", lambda line: pond.room in str(line))
        await daemon.logged("joined", lambda line: pond.channel in str(line))
        await alice.send(pond.room, "still here")
        await bob.heard("still here")
        assert not [line for line in daemon.log if line["event"] == "ready"]


def _from(person: MatrixPerson | IrcPerson, sender: str) -> list[tuple[str, str]]:
    """Text and kind of what `person` heard in rooms from `sender`."""
    mine = getattr(person, "nick", "")
    return [(message.text, message.kind) for message in person.messages if _public(message, sender, mine)]


def _public(message: Heard, sender: str, mine: str) -> bool:
    return message.sender == sender and message.room != mine


async def test_a_very_long_message_is_twenty_lines_on_irc_and_how_many_more_there_are(running: Pond) -> None:
    async with running.people() as (alice, bob):
        await alice.send(running.room, "\n".join(f"verse {number}" for number in range(5000)))
        await alice.send(running.room, "the end")
        await bob.heard("the end")
        lines = [text for text, _ in _from(bob, running.duck)]
        assert lines[:20] == [f"<{running.alice}> verse {number}" for number in range(20)]
        assert lines[20:] == [f"<{running.alice}> ... 4,980 more lines", f"<{running.alice}> the end"]


async def test_people_are_told_in_both_rooms_that_an_upgraded_room_goes_on_elsewhere(running: Pond) -> None:
    async with running.people() as (alice, bob):
        place = await alice.room_id(running.room)
        new = (await alice.call("POST", f"rooms/{place}/upgrade", {"new_version": "11"}))["replacement_room"]
        await alice.sees(new, running.duck_id, timeout=20)
        said = f"{running.room} has a new room, because it was upgraded. I carry on there."
        await bob.heard(said)
        await alice.heard(f"I carry on here: {running.room} has a new room, because it was upgraded.")
        await alice.send(new, "here we are")
        await bob.heard(lambda heard: heard.text.endswith("here we are"))
        await bob.say(running.channel, "so am I")
        assert (await alice.heard(lambda heard: heard.text.endswith("so am I"))).room == new
