"""A story of two ponds with the same people, two bots in one and one in the other, on real servers: who is answered, by
whom, and what is remembered where.

The duck is in both links, with the brains that it has by default behind one that tells what it remembers. The heron, a
bot of one's own that hears all, is in the pond only. Nobody here asks one bot in one place more than three times in a
row: that quickly, they would be taken for programs.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from bots.attention import attention
from bots.hosting.attending import FORGOTTEN, HEARS_ALL
from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.model.text import plain
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers

DUCK, HERON = "<Little Yellow Duck> ", "<Heron> "
_YOU_ARE_WELCOME = tuple(f"{DUCK}{said}" for said in ("You are welcome.", "With pleasure.", "Any time."))
_OLD_S = 5.0
"""What is older is not answered, in a daemon that is begun by `impatient`."""


def impatient() -> None:
    """To be called in the process of a daemon, before it begins: what was said some seconds ago is old."""
    patch.object(attention, "OLD_S", _OLD_S).start()


@dataclass
class Story:
    """The places and the people. Alice is a member on Matrix, bob on IRC and, as `bobby`, on Matrix; eve and mallory
    are guests on IRC and on Matrix."""

    pond: Pond
    lake_room: str
    lake_channel: str
    daemon: Daemon
    alice: MatrixPerson
    bob: IrcPerson
    bobby: MatrixPerson
    eve: IrcPerson
    mallory: MatrixPerson

    @property
    def room(self) -> str:
        return self.pond.room

    @property
    def channel(self) -> str:
        return self.pond.channel

    async def settle(self) -> None:
        """Return when both bots have answered a last question in the pond: what came before has all its answers."""
        last = unique("last")
        await self.bobby.send(self.room, f"duck: {last}")
        await self.bobby.send(self.room, f"heron: {last}")
        await self.bob.heard(f"{DUCK}{last}")
        await self.bob.heard(lambda heard: heard.text.startswith(HERON) and _is_after(self.bob, heard, last))

    async def delivered(self) -> None:
        """Return when the bridge knows that all it said has arrived: it knows its words by their ids from then on."""
        async with asyncio.timeout(10):
            while "the outbox is empty" not in quackbridge(self.pond.folder, "status").stdout:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def restart(self) -> None:
        await self.daemon.stop()
        await self.daemon.start()
        await self.daemon.ready()


@pytest.fixture
async def story(tmp_path: Path, synapse: Synapse, services: Anope) -> AsyncGenerator[Story, None]:
    pond = await dug(tmp_path, synapse, services)
    lake, channel = unique("lake"), f"#{unique('lake')}"
    async with AsyncExitStack() as stack:
        alice, bob = await stack.enter_async_context(pond.people())
        lake_id = await alice.create_room(lake)
        bobby, mallory = [
            await stack.enter_async_context(MatrixPerson(synapse.url, unique(name))) for name in ("bobby", "mallory")
        ]
        eve = await stack.enter_async_context(pond.person(unique("eve")))
        for person in (bobby, mallory):
            await person.join(pond.room)
            await person.join(lake_id)
        await bob.join(channel)
        await eve.join(pond.channel)
        assert quackbridge(pond.folder, "link-identity", "bob", "--matrix", bobby.user_id).returncode == 0
        _add_lake_and_heron(pond, f"#{lake}:{synapse.server_name}", channel)
        daemon = await stack.enter_async_context(pond.daemon())
        await daemon.ready()
        yield Story(pond, lake_id, channel, daemon, alice, bob, bobby, eve, mallory)


def _add_lake_and_heron(pond: Pond, room: str, channel: str) -> None:
    config: Any = pond.config
    config["links"]["pond"]["bots"] = ["duck", "heron"]
    config["links"]["lake"] = {"rooms": [f"home/{room}", f"irc/{channel}"], "bots": ["duck"]}
    config["bots"] = {
        "duck": {"brain": ["tests.integration.heron:Recall", "commands", "rules", "echo"], "delay": 0},
        "heron": {"use": "tests.integration.heron:Heron", "name": "Heron", "hears": "all"},
    }
    write_config(pond.folder, config, {"home": PASSWORD})


def _answers(person: IrcPerson | MatrixPerson) -> list[str]:
    """What the bots said where `person` hears it, in rooms."""
    said = [heard.text for heard in person.messages if heard.text.startswith((DUCK, HERON))]
    return [text for text in said if not text.endswith(HEARS_ALL)]


def _speakers(person: IrcPerson | MatrixPerson) -> list[str]:
    """Which bot gave each of the answers."""
    return [DUCK if text.startswith(DUCK) else HERON for text in _answers(person)]


def _reply(heard: Heard, mentioned: str) -> dict[str, Any]:
    """What makes a message a reply to `heard`, as clients write it."""
    return {"m.relates_to": {"m.in_reply_to": {"event_id": heard.id}}, "m.mentions": {"user_ids": [mentioned]}}


def _in_private(person: IrcPerson | MatrixPerson, room: str, duck: str) -> list[str]:
    """What the bots said to `person` in private."""
    return [heard.text for heard in person.messages if (heard.room, heard.sender) == (room, duck)]


def _is_after(person: IrcPerson, heard: Heard, text: str) -> bool:
    """Whether `heard` came after the first message that ends with `text`."""
    before = [each for each in person.messages if each.text.endswith(f"heron: {text}")]
    return bool(before) and person.messages.index(heard) > person.messages.index(before[0])


async def test_one_bot_answers_who_calls_it_replies_to_it_and_stays_until_thanks(story: Story) -> None:
    alice, bob = story.alice, story.bob
    await alice.send(story.room, "duck: calc 6 * 7")
    first = await bob.heard(f"{DUCK}42")
    await story.delivered()
    await bob.raw(f"@+draft/reply={first.id} PRIVMSG {story.channel} :a reply")
    await alice.heard(f"{DUCK}a reply")
    await bob.say(story.channel, "without a name")
    await alice.heard(f"{DUCK}without a name")
    await alice.send(story.room, "thanks")
    await bob.heard(lambda heard: heard.text.startswith(_YOU_ARE_WELCOME))
    await alice.send(story.room, "to nobody")

    await story.settle()
    *answers, thanked, last, _heron = _answers(bob)
    assert answers == [f"{DUCK}{said}" for said in ("42", "a reply", "without a name")]
    assert thanked.startswith(_YOU_ARE_WELCOME)
    assert last.startswith(f"{DUCK}last")


async def test_who_turns_to_the_other_bot_has_left_the_first_and_a_reply_leads_back(story: Story) -> None:
    alice, bob = story.alice, story.bob
    await alice.send(story.room, "duck: hear me")
    first = await alice.heard(f"{DUCK}hear me")
    await alice.send(story.room, "heron: hear me")
    await bob.heard(f"{HERON}alice asks after [duck: hear me]")
    await alice.send(story.room, "to the heron")
    await bob.heard(lambda heard: heard.text.startswith(HERON) and heard.text.count("asks") == 2)
    await story.delivered()
    await alice.send(story.room, "to the duck", **_reply(first, story.pond.duck_id))
    await bob.heard(f"{DUCK}to the duck")

    await story.settle()
    assert _speakers(bob)[:-2] == [DUCK, HERON, HERON, DUCK]


async def test_nothing_said_in_private_or_in_the_other_link_is_known_elsewhere(story: Story) -> None:
    alice, bob, pond = story.alice, story.bob, story.pond
    private = await alice.direct(pond.duck_id)
    await alice.sees(private, pond.duck_id)

    await alice.send(story.room, "duck: wet pond")
    await bob.heard(f"{DUCK}wet pond")
    await alice.send(story.lake_room, "duck: deep lake")
    await bob.heard(f"{DUCK}deep lake")
    await alice.send(private, "duck: red nest")
    await alice.heard(lambda heard: (heard.sender, heard.text) == (pond.duck_id, "red nest"))
    await bob.say(pond.duck, "duck: green egg")
    await bob.heard(lambda heard: (heard.room, heard.text) == (bob.nick, "green egg"))
    await story.eve.say(story.channel, "duck: gray reed")
    await story.eve.heard(f"{DUCK}gray reed")

    await bob.say(story.channel, "duck: what was said?")
    await alice.heard(f"{DUCK}[wet pond / wet pond]")
    await bob.say(story.lake_channel, "duck: what was said?")
    await alice.heard(f"{DUCK}[deep lake / deep lake]")
    await alice.send(private, "duck: what was said?")
    assert (await alice.heard("[red nest / red nest]")).room == private
    await bob.say(pond.duck, "duck: what was said?")
    assert (await bob.heard("[green egg / green egg]")).room == bob.nick
    await bob.say(story.channel, "heron: tell")
    await alice.heard(f"{HERON}bob asks after [duck: wet pond / duck: what was said?]")

    assert _in_private(alice, private, pond.duck_id) == ["red nest", "[red nest / red nest]"]
    assert _in_private(bob, bob.nick, pond.duck) == ["green egg", "[green egg / green egg]"]


async def test_guests_are_answered_where_they_ask_and_who_takes_their_nick_knows_nothing_of_it(story: Story) -> None:
    eve, mallory, pond = story.eve, story.mallory, story.pond
    await eve.say(story.channel, "duck: who am I?")
    await eve.heard(f"{DUCK}You are {eve.nick}, a guest on irc")
    await mallory.send(story.room, "heron: hello")
    await mallory.heard(f"{HERON}a guest asks after []")
    await eve.say(pond.duck, "duck: my secret")
    await eve.heard(lambda heard: (heard.room, heard.text) == (eve.nick, "my secret"))
    private = await mallory.direct(pond.duck_id)
    await mallory.sees(private, pond.duck_id)
    await mallory.send(private, "duck: what was said?")
    assert (await mallory.heard(lambda heard: (heard.sender, heard.text) == (pond.duck_id, "[]"))).room == private

    await eve.quit()
    async with pond.person(eve.nick) as other:
        await other.join(story.channel)
        await other.say(pond.duck, "duck: what was said?")
        await other.heard(lambda heard: (heard.room, heard.text) == (other.nick, "[]"))

    await story.settle()
    assert not [text for text in _answers(story.alice) if eve.nick in text]
    assert not [text for text in _answers(story.bob) if "a guest asks" in text]


async def test_what_is_removed_or_forgotten_is_not_remembered_there_and_is_elsewhere(story: Story) -> None:
    alice, bob = story.alice, story.bob
    await alice.send(story.lake_room, "duck: deep lake")
    await bob.heard(f"{DUCK}deep lake")
    removed = await alice.send(story.room, "duck: wrong words")
    await bob.heard(f"{DUCK}wrong words")
    await alice.send(story.room, "duck: right words")
    await bob.heard(f"{DUCK}right words")

    await alice.redact(story.room, removed)
    await bob.heard("deleted")
    await bob.say(story.channel, "duck: what was said?")
    await alice.heard(f"{DUCK}[right words / right words]")
    await bob.say(story.channel, "heron: tell")
    await alice.heard(f"{HERON}bob asks after [duck: right words / duck: what was said?]")
    await bob.say(story.channel, "duck: forget")
    await alice.heard(f"{DUCK}{plain(FORGOTTEN)}")

    await alice.send(story.room, "duck: what was said?")
    await bob.heard(f"{DUCK}[]")
    await alice.send(story.lake_room, "duck: what was said?")
    await bob.heard(f"{DUCK}[deep lake / deep lake]")


async def test_who_is_hushed_in_one_link_speaks_in_the_other_and_in_private_also_after_a_restart(story: Story) -> None:
    alice, bob, pond = story.alice, story.bob, story.pond
    await bob.say(story.channel, "duck: quiet for an hour")
    await alice.heard(f"{DUCK}I am quiet here until")
    await story.restart()

    await alice.send(story.room, "duck: hushed")
    await alice.send(story.room, "heron: hello")
    await bob.heard(f"{HERON}alice asks")
    await alice.send(story.lake_room, "duck: not hushed")
    await bob.heard(f"{DUCK}not hushed")
    await bob.say(pond.duck, "duck: in private")
    await bob.heard(lambda heard: (heard.room, heard.text) == (bob.nick, "in private"))
    await alice.send(story.room, "duck: wake up")
    await bob.heard(f"{DUCK}I am here again.")

    await story.settle()
    assert f"{DUCK}hushed" not in _answers(bob)


async def test_bots_and_notices_are_never_answered_and_the_bots_do_not_answer_each_other(story: Story) -> None:
    alice, bob = story.alice, story.bob
    async with story.pond.person(unique("robot")) as robot:
        await robot.join(story.channel)
        await robot.ask(f"MODE {robot.nick} +B", lambda line: line.command == "MODE")
        for name in ("duck", "heron"):
            await robot.say(story.channel, f"{name}: I am a program")
            await alice.notice(story.room, f"{name}: a notice")
        await robot.say(story.pond.duck, "in private")
        await robot.ping()
        await bob.heard("heron: a notice")

        await bob.say(story.channel, "duck: heron: are you there?")
        await alice.heard(f"{DUCK}heron: are you there?")
        await bob.say(story.channel, "heron: duck, are you there?")
        await alice.heard(f"{HERON}bob asks after [duck: heron: are you there?]")
        await story.settle()

        assert _speakers(bob) == [DUCK, HERON, DUCK, HERON]
        assert not [heard for heard in robot.messages if heard.room == robot.nick and heard.sender == story.pond.duck]


async def test_after_a_restart_nothing_old_is_answered_nor_known_and_nothing_is_told_twice(story: Story) -> None:
    alice, bob = story.alice, story.bob
    await bob.heard(f"{HERON}{HEARS_ALL}")
    await alice.send(story.room, "duck: before")
    await bob.heard(f"{DUCK}before")

    await story.daemon.stop(signal.SIGKILL)
    await alice.send(story.room, "duck: meanwhile")
    await asyncio.sleep(_OLD_S)  # until that is old
    story.daemon.before = f"{__name__}:impatient"
    await story.daemon.start()
    await story.daemon.ready()
    await bob.heard(f"<{story.pond.alice}> duck: meanwhile")
    await bob.say(story.channel, "duck: what was said?")
    await alice.heard(f"{DUCK}[]")
    await story.settle()

    heard = [heard.text for heard in alice.messages]  # on IRC, what was said just before a kill may come again
    assert heard.count(f"{DUCK}before") == 1
    assert f"{DUCK}meanwhile" not in heard
    assert heard.count(f"{HERON}{HEARS_ALL}") == 1


async def test_a_user_is_known_on_both_networks_and_gets_reminders_and_messages_where_they_are(story: Story) -> None:
    alice, bob, bobby = story.alice, story.bob, story.bobby
    await bob.say(story.channel, "duck: remind me in 6 seconds to feed the duck")
    await alice.heard(f"{DUCK}I will remind you")
    await bob.say(story.channel, "duck: tell alice: the fish is yours")
    await alice.heard(f"{DUCK}I will tell alice when they speak here.")

    await bobby.send(story.lake_room, "duck: who am I?")
    await bob.heard(f"{DUCK}You are bob, a member.")
    await alice.send(story.lake_room, "duck: who am I?")
    await bob.heard(f"{DUCK}You are alice, a member.")
    reminder = await bobby.heard("Reminder: feed the duck")
    await alice.send(story.room, "duck: hello")
    told = await bob.heard(" ago: the fish is yours")
    await alice.heard(lambda heard: heard.text == told.text)
    await story.settle()

    assert reminder.sender == story.pond.duck_id
    assert reminder.room not in (await bobby.room_id(story.room), story.lake_room)
    assert not [heard for heard in bob.messages if "Reminder" in heard.text]
    assert told.room == story.channel
    assert told.text.startswith(f"{DUCK}{story.pond.alice}: {bob.nick} said ")
