"""Private talk between a member on Matrix and people on IRC, through the real daemon: Synapse, InspIRCd, services."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from bridge.irc.client import IrcNetwork
from bridge.model.people import Identity, Proof
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.faults.proxy import Proxy
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, unique
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

    def numbers(self) -> list[int]:
        """The numbers of the words that bob has heard in private."""
        return [int(text.rpartition("word ")[2].rstrip(".")) for text in self.said_to_bob() if "word " in text]

    @property
    def refusals(self) -> int:
        """How often alice was told that who has the nick is somebody else."""
        return sum("is not logged in as bob" in text for text in self.said_to_alice())

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


async def test_a_member_begins_a_talk_with_a_member_and_with_nobody_else(pond: Pond) -> None:
    """The puppet is made for it."""
    async with pond.people() as (alice, bob), pond.person(unique("eve")) as eve, pond.daemon() as daemon:
        await daemon.ready()
        talk = Talk(pond, alice, bob, daemon)
        talk.room = await alice.direct(pond.duck_id)
        await alice.sees(talk.room, pond.duck_id)
        await alice.send(talk.room, f"msg {eve.nick} hello")
        assert "I know no member who is called" in (await talk.reads(eve.nick)).text
        await alice.send(talk.room, f"msg irc/{bob.nick} hello")
        assert (await talk.hears("hello")).sender == talk.puppet
        await bob.say(talk.puppet, "hello yourself")
        assert (await talk.reads("hello yourself")).text == f"{bob.nick}: hello yourself"
        await alice.send(talk.room, "help msg")
        assert "say something in private to a member" in (await talk.reads("msg [NETWORK/]NICK WORDS")).text
        await eve.ping()
        assert not [each for each in eve.messages if each.room == eve.nick]


async def test_a_guest_is_refused_once_by_the_puppet_and_its_owner_reads_nothing(pond: Pond) -> None:
    async with talking(pond) as talk, pond.person(unique("eve")) as eve:
        for number in range(3):
            await eve.say(talk.puppet, f"let me in {number}")
        await eve.raw(f"PRIVMSG {talk.puppet} :\x01VERSION\x01")
        heard = await eve.heard("you are a guest here")
        assert (heard.sender, heard.kind) == (talk.puppet, "notice")
        await talk.bob.say(talk.puppet, "after that")
        await talk.reads("after that")
        await eve.ping()
        assert len([each for each in eve.messages if each.room == eve.nick]) == 1
        assert not [text for text in talk.said_to_alice() if "let me in" in text]


async def test_nothing_is_said_to_who_has_taken_the_nick(pond: Pond) -> None:
    """Bob is gone; then a guest, and then another member, has his nick. The member is named, and is answered only
    after alice begins anew; bob gets nothing that was said meanwhile."""
    carol = unique("carol")
    await pond.services.register(carol, PASSWORD)
    members = TinyUsers(pond.folder / "data" / "users.json")
    members.add(User("carol", identities=(Identity(Proof.IRC, "irc", carol),)))
    async with talking(pond) as talk:
        alice, name = talk.alice, talk.bob.nick
        away = unique("away")
        await talk.bob.rename(away)
        await alice.send(talk.room, f"{name}: secret one")
        assert (await talk.reads("nobody has the nick")).text.startswith(f"not delivered to {name} on irc: ")
        async with pond.person(name) as eve:
            await alice.send(talk.room, f"{name}: secret two")
            await talk.reads("is not logged in as bob; nothing was said to them")
            await eve.ping()
            assert not [each for each in eve.messages if "secret" in each.text]
        async with pond.person(unique("c"), sasl=(carol, PASSWORD)) as other:
            await other.rename(name)
            before = talk.refusals
            await alice.send(talk.room, f"{name}: secret three")
            async with asyncio.timeout(10):
                while talk.refusals == before:  # noqa: ASYNC110  (what she reads rings no bell)
                    await asyncio.sleep(0.02)
            await other.say(talk.puppet, "I am bob")
            assert (await talk.reads("I am bob")).text == f"{name} (carol): I am bob"
            await alice.send(talk.room, f"{name}: secret four")
            await talk.reads(f"I do not know for sure who {name} on irc is now")
            await other.ping()
            assert not [each for each in other.messages if "secret" in each.text]
        await talk.bob.rename(name)
        await talk.bob.say(talk.puppet, "back again")
        await talk.reads("back again")
        await alice.send(talk.room, f"{name}: welcome")
        await talk.hears("welcome")
        assert not [text for text in talk.said_to_bob() if "secret" in text]


async def test_who_has_logged_out_of_their_account_is_nobody(pond: Pond) -> None:
    async with talking(pond) as talk:
        await talk.bob.say("NickServ", "LOGOUT")
        await talk.bob.heard(lambda heard: heard.sender == "NickServ" and "logged out" in heard.text.lower())
        await talk.alice.send(talk.room, f"{talk.bob.nick}: secret")
        await talk.reads("is not logged in as bob")
        await talk.bob.say(talk.puppet, "it is me")
        await talk.bob.heard("you are a guest here")
        await talk.bob.ping()
        assert talk.said_to_bob()[-1].startswith("I speak for alice by a bridge.")


async def test_who_wants_no_puppet_is_told_why_nothing_is_said(pond: Pond) -> None:
    async with talking(pond) as talk:
        assert quackbridge(pond.folder, "set-puppet", "alice", "off").returncode == 0
        await talk.bob.line(lambda line: line.command == "QUIT" and line.source == talk.puppet)
        await talk.alice.send(talk.room, f"{talk.bob.nick}: hello")
        assert "say `puppet on`" in (await talk.reads("no nick of your own")).text


async def test_an_edit_is_told_and_what_is_removed_is_kept_nowhere(pond: Pond) -> None:
    async with talking(pond) as talk:
        sent = await talk.alice.send(talk.room, f"{talk.bob.nick}: helo wrold")
        await talk.hears("helo wrold")
        new = {"msgtype": "m.text", "body": f"{talk.bob.nick}: hello world"}
        relation = {"rel_type": "m.replace", "event_id": sent}
        content = {**new, "body": "* x", "m.new_content": new, "m.relates_to": relation}
        await talk.alice.send_event(talk.room, "m.room.message", content)
        assert (await talk.hears("hello world")).text == "(edited) hello world"
        await talk.alice.redact(talk.room, sent)
        await talk.alice.send(talk.room, f"{talk.bob.nick}: the end")
        await talk.hears("the end")
        await talk.daemon.stop()
        stored = b"".join(file.read_bytes() for file in (pond.folder / "data").glob("quackbridge.sqlite*"))
        assert not [word for word in (b"helo wrold", b"hello world") if word in stored]
        logged = str(talk.daemon.log)
        assert not [word for word in ("psst", "helo wrold", "hello world", "the end") if word in logged]


async def test_numbered_words_of_a_talk_survive_kills_in_order(pond: Pond) -> None:
    """60 each way; the daemon is killed with -9 while alice's are on their way. What is said to a puppet that is gone,
    bob's server refuses to him."""
    count = 60
    async with talking(pond) as talk:
        bob = talk.bob
        saying = asyncio.create_task(_says_numbers(talk, count))
        for _ in range(2):
            await asyncio.sleep(1.0)
            await talk.daemon.stop(signal.SIGKILL)
            await talk.daemon.start()
            await talk.daemon.ready()
        await saying
        await talk.hears(f"word {count - 1:03}.")
        await bob.ping()
        numbers = talk.numbers()
        assert [*dict.fromkeys(numbers)] == [*range(count)]
        doubts = sum(line["event"] == "sent_again" for line in talk.daemon.log)
        print(f"doubled {len(numbers) - count} of {count}; in doubt after the last kill: {doubts}")  # noqa: T201
        assert len(numbers) - count <= 2 * IrcNetwork.window
        for number in range(count):
            await bob.say(talk.puppet, f"answer {number:03}.")
        await talk.reads(f"answer {count - 1:03}.")
        lines = "\n".join(talk.said_to_alice()).split("\n")
        assert [line.rpartition(" ")[2] for line in lines if "answer" in line] == [
            f"{number:03}." for number in range(count)
        ]


async def test_the_owner_is_told_which_nick_they_have_if_theirs_was_taken(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.person(nick(pond)), pond.daemon() as daemon:
        await daemon.ready()
        for text in ("one", "two"):
            await alice.send(pond.room, text)
            heard = await bob.heard(text)
            assert heard.sender == nick(pond, "alice_")
        told = await alice.heard("Your nick on irc is")
        assert told.text == f"Your nick on irc is {nick(pond, 'alice_')} now: {nick(pond)} was not free."
        assert told.room != await alice.room_id(pond.room)
        await daemon.stop()
        await daemon.start()
        await daemon.ready()
        await alice.send(pond.room, "three")
        await bob.heard("three")
        await bob.say(nick(pond, "alice_"), "the end")
        await alice.heard("the end")
        assert len([each for each in alice.messages if "Your nick on irc is" in each.text]) == 1


@pytest.mark.parametrize("trouble", ["cut", "black hole"])
async def test_words_of_a_talk_wait_while_the_irc_server_is_away(pond: Pond, trouble: str) -> None:
    """60 each, in order, none lost; those on their way when it went away may come twice. Whether they are said again
    is told by the log."""
    count, config = 60, pond.config
    async with Proxy(pond.irc.port) as way:
        networks: dict[str, Any] = config["networks"]  # type: ignore[assignment]
        networks["irc"]["server"] = f"{HOST}:{way.port}"
        write_config(pond.folder, config, {})
        async with talking(pond) as talk:
            saying = asyncio.create_task(_says_numbers(talk, count))
            await asyncio.sleep(1.0)
            if trouble == "cut":
                for _ in range(4):
                    way.cut()
                    await asyncio.sleep(1.5)
            else:
                way.black_hole()
                await asyncio.sleep(3.0)
                way.restore()
            await saying
            await talk.bob.heard(f"word {count - 1:03}.", timeout=60)
            await talk.bob.ping()
            numbers = talk.numbers()
            again = sum(line["event"] == "sent_again" for line in talk.daemon.log)
            print(f"{trouble}: doubled {len(numbers) - count} of {count}; said again: {again}")  # noqa: T201
            assert [*dict.fromkeys(numbers)] == [*range(count)]
            assert len(numbers) - count <= again


async def _says_numbers(talk: Talk, count: int) -> None:
    for number in range(count):
        await talk.alice.send(talk.room, f"{talk.bob.nick}: word {number:03}.")
        await asyncio.sleep(0.05)
