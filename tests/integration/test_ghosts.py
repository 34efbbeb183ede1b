"""People on IRC speak on Matrix as themselves, on a real homeserver with the registration, and without it."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.matrix.client import MatrixNetwork
from bridge.matrix.dialect.profile import PROFILE
from bridge.model.event import Change, Edit, Event, EventKey, Kind, Membership, Reaction, Redaction, Room
from bridge.model.outbox import Delivery, Known, Owed
from bridge.model.people import Sender
from bridge.model.presentation import Banned, Ghosts, Presentation
from bridge.model.text import plain, words
from bridge.network import Batch, FaceRemoved, Needless
from tests.conftest import need, running
from tests.events import irc, said
from tests.fakes.memory import Notebook
from tests.integration.haunted import haunted, member, profile, remove
from tests.integration.irc import Log
from tests.integration.servers import unique
from tests.settings import matrix_settings

pytestmark = pytest.mark.servers

_PASSWORD = "quack-quack"
_SPEAKERS = Presentation(ghosts=Ghosts.SPEAKERS)
_MARK = Presentation(ghosts=Ghosts.SPEAKERS, banned=Banned.MARK)
_FAR = Room("libera", "#pond")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Synapse, Path]]:
    """A homeserver with the registration, and the folder where our tokens are."""
    need(Synapse)
    folder = tmp_path_factory.mktemp("haunted")
    with running(haunted(folder)) as server:
        yield server, folder / "data"


@dataclass
class Haunt:
    """Our account, alice, and a room of hers."""

    server: Synapse
    user: str
    alice: MatrixPerson
    place: str
    room: Room
    folder: Path
    memory: Notebook = field(default_factory=Notebook)
    cursor: str | None = None
    batches: list[Batch] = field(default_factory=list)
    how: Presentation = _SPEAKERS

    @asynccontextmanager
    async def runs(self, *, url: str = "") -> AsyncGenerator[MatrixNetwork, None]:
        settings = matrix_settings("home", url or self.server.url, self.user, _PASSWORD)
        network = MatrixNetwork(
            settings, [self.room], self.memory, clock=time.time, rng=random.Random(1), folder=self.folder
        )
        listening = asyncio.create_task(self._listen(network))
        try:
            async with asyncio.timeout(20):
                await network.ready()
            yield network
        finally:
            listening.cancel()
            await asyncio.wait({listening})

    async def _listen(self, network: MatrixNetwork) -> None:
        async with aclosing(network.events(self.cursor)) as batches:
            async for batch in batches:
                await self.memory.remember(batch.changes)
                self.batches.append(batch)
                self.cursor = batch.cursor

    @property
    def heard(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]

    @staticmethod
    async def until(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110  (what is heard and kept rings no bell)
                await asyncio.sleep(0.02)

    async def say(self, network: MatrixNetwork, event: Event, *known: Known, again: bool = False, **more: Any) -> str:
        """Carry `event`; the id of what it became."""
        context = {each.source: each for each in known}
        more = {"said": time.time(), **more}
        item = Owed(Delivery.of(event.key, self.room).id, self.room, event, context, **more)
        sent = [await network.send(post, again=again) for post in network.render([item], self.how)]
        return sent[0]

    async def event(self, event_id: str) -> dict[str, Any]:
        return await self.alice.call("GET", f"rooms/{self.place}/event/{event_id}")

    async def is_called(self, user: str, name: str) -> None:
        """Return when that has reached the room: homeservers take their time."""
        async with asyncio.timeout(10):
            while (await member(self.alice, self.place, user)).get("displayname") != name:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def ghost(self, name: str, tail: str = "") -> str:
        return f"@irc_libera_{name}{tail}:{self.server.server_name}"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a loaded machine a ghost may take longer than people would wait for it."""
    monkeypatch.setattr("bridge.matrix.ghosts.faces._WITHIN_S", 30.0)


@asynccontextmanager
async def haunt(homes: tuple[Synapse, Path], preset: str = "public_chat", **more: Any) -> AsyncGenerator[Haunt, None]:
    server, folder = homes
    user, alias = await server.register(unique("duck"), _PASSWORD), unique("pond")
    async with MatrixPerson(server.url, unique("alice")) as alice:
        place = await alice.create_room(alias, preset=preset, **more)
        if preset != "public_chat":
            await alice.invite(place, user)
        yield Haunt(server, user, alice, place, Room("home", f"#{alias}:{server.server_name}"), folder)


def _bob(nick: str = "", account: str | None = None, host: str = "b@one.example") -> Sender:
    nick = nick or unique("bob")
    return replace(irc(nick, account), mask=f"{nick}!{host}")


def _member(nick: str = "") -> Sender:
    nick = nick or unique("bob")
    return _bob(nick, nick)


def _said(who: Sender, text: str, **more: Any) -> Event:
    return said(_FAR, who, text, unique("$"), **more)


async def test_who_speaks_on_irc_speaks_as_themselves_with_name_and_picture(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        bob = _member()
        sent = await us.say(network, _said(bob, "hello <all>"))
        found = await us.event(sent)
        assert found["sender"] == us.ghost(bob.name)
        assert found["content"]["body"] == "hello <all>"
        assert not found["content"].keys() & {PROFILE, "formatted_body"}
        shown = await profile(us.alice, us.ghost(bob.name))
        assert shown["displayname"] == bob.name
        assert shown["avatar_url"].startswith("mxc://")
        assert shown["example.quackbridge.about"] == "IRC on libera"
        again = await us.say(network, _said(bob, "waves", kind=Kind.ACTION))
        found = await us.event(again)
        assert (found["content"]["msgtype"], found["content"]["body"]) == ("m.emote", "waves")


async def test_a_repeat_is_the_same_event_and_what_was_made_is_not_made_again_after_a_restart(
    homes: tuple[Synapse, Path], log: Log
) -> None:
    async with haunt(homes) as us:
        bob, event = _member(), None
        async with us.runs() as network:
            event = _said(bob, "once")
            first = await us.say(network, event)
            assert await us.say(network, event) == first
        kept = dict(us.memory.kept)
        async with us.runs() as network:
            assert await us.say(network, event, again=True) == first
            second = await us.say(network, _said(bob, "twice"))
            assert (await us.event(second))["sender"] == us.ghost(bob.name)
        assert us.memory.kept[f"ghost {us.ghost(bob.name)}"] == kept[f"ghost {us.ghost(bob.name)}"]
        assert len(log.of("ghost_made")) == 1
        bodies = [heard.text for heard in await us.alice.history(us.place)]
        assert bodies == ["once", "twice"]


async def test_nobody_is_carried_back_and_a_ghost_is_nobody_who_is_called(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        bob = _member()
        await us.say(network, _said(bob, "hello"))
        await us.alice.rename(bob.name)
        await us.is_called(us.alice.user_id, bob.name)
        await us.alice.send(us.place, "hi, says the other one")
        await us.until(lambda: any("hi, says" in plain(event.text) for event in us.heard))
        assert {event.sender.address for event in us.heard} == {us.alice.user_id}
        assert us.heard[-1].sender.name == bob.name  # no other has that name


async def test_a_ghost_comes_into_a_private_room_by_invitation(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes, "private_chat", power_level_content_override={"invite": 0}) as us, us.runs() as network:
        bob = _member()
        sent = await us.say(network, _said(bob, "hello"))
        assert (await us.event(sent))["sender"] == us.ghost(bob.name)


async def test_where_a_ghost_cannot_come_the_bridge_speaks_with_the_mark(homes: tuple[Synapse, Path], log: Log) -> None:
    async with haunt(homes, "private_chat", power_level_content_override={"invite": 50}) as us, us.runs() as network:
        for text in ("hello", "again"):
            sent = await us.say(network, _said(_member("bob"), text))
            found = await us.event(sent)
            assert (found["sender"], found["content"]["body"]) == (us.user, f"<bob> {text}")
        assert len(log.of("ghost_not_let_in")) == 1


async def test_where_a_ghost_may_not_speak_the_bridge_speaks_with_the_mark(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        levels = await us.alice.call("GET", f"rooms/{us.place}/state/m.room.power_levels")
        levels |= {"events_default": 10, "users": {**levels["users"], us.user: 10}}
        await us.alice.call("PUT", f"rooms/{us.place}/state/m.room.power_levels", levels)
        bob = _member()
        found = await us.event(await us.say(network, _said(bob, "hello")))
        assert (found["sender"], found["content"]["body"]) == (us.user, f"<{bob.name}> hello")


@pytest.mark.parametrize("how", ["kick", "ban"])
async def test_who_was_removed_stays_out_and_their_words_are_refused_with_the_reason(
    homes: tuple[Synapse, Path], how: str
) -> None:
    async with haunt(homes) as us:
        bob = _member()
        async with us.runs() as network:
            await us.say(network, _said(bob, "hello"))
        await remove(us.alice, us.place, us.ghost(bob.name), how, "too loud")
        us.batches.clear()
        async with us.runs() as network:  # it was not there when it happened
            with pytest.raises(FaceRemoved, match=f"by {us.alice.user_id}: too loud"):
                await us.say(network, _said(bob, "me again"))
            us.how = _MARK
            found = await us.event(await us.say(network, _said(bob, "still here")))
            assert found["sender"] == us.user
            us.how = _SPEAKERS
            with pytest.raises(FaceRemoved, match="too loud"):
                await us.say(network, _said(bob, "me again"))
        assert (await member(us.alice, us.place, us.ghost(bob.name)))["membership"] == how.replace("kick", "leave")
        async with us.runs() as network:
            await (remove(us.alice, us.place, us.ghost(bob.name), "unban") if how == "ban" else _invites(us, bob))
            await us.until(lambda: "free" in us.memory.kept[f"ghost {us.ghost(bob.name)}"])
            found = await us.event(await us.say(network, _said(bob, "back")))
            assert found["sender"] == us.ghost(bob.name)


async def _invites(us: Haunt, bob: Sender) -> None:
    await us.alice.invite(us.place, us.ghost(bob.name))


async def test_edits_reactions_replies_and_removals_are_the_ghosts_own(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        bob, event = _member(), None
        event = _said(bob, "wrong")
        sent = await us.say(network, event)
        known = Known(event.key, bob, "wrong", ids=(sent,))
        edit = replace(event, id=unique("$"), body=Edit(event.key, words("right")))
        edited = await us.event(await us.say(network, edit, known))
        assert edited["sender"] == us.ghost(bob.name)
        assert edited["content"]["m.new_content"]["body"] == "right"
        theirs = await us.alice.send(us.place, "a question")
        question = EventKey(us.room, theirs)
        told = Known(question, None, ids=(theirs,))
        reply = await us.event(await us.say(network, _said(bob, "an answer", reply_to=question), told))
        assert (reply["sender"], reply["content"]["body"]) == (us.ghost(bob.name), "an answer")
        reactions = []
        for person in (bob, _member()):  # each has their own
            reaction = replace(event, id=unique("$"), sender=person, body=Reaction(question, "👍"))
            reactions.append(await us.say(network, reaction, told))
            assert (await us.event(reactions[-1]))["sender"] == us.ghost(person.name)
        ended = replace(event, id=unique("$"), body=Reaction(question, "👍", removed=True))
        await us.say(network, ended, told)
        assert [bool((await us.event(each))["content"]) for each in reactions] == [False, True]
        removal = replace(event, id=unique("$"), body=Redaction(event.key))
        removed = await us.event(await us.say(network, removal, known))
        assert removed["sender"] == us.ghost(bob.name)
        assert (await us.event(sent))["content"] == {}


async def test_what_the_bridge_has_said_before_it_edits_and_removes_itself(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        bob = _member()
        event = _said(bob, "wrong")
        us.how = Presentation()
        sent = await us.say(network, event)
        us.how = _SPEAKERS
        known = Known(event.key, bob, "wrong", ids=(sent,))
        edit = replace(event, id=unique("$"), body=Edit(event.key, words("right")))
        edited = await us.event(await us.say(network, edit, known))
        assert edited["sender"] == us.user
        assert edited["content"]["m.new_content"]["body"] == f"<{bob.name}> right"
        removed = await us.event(await us.say(network, replace(event, id="$r", body=Redaction(event.key)), known))
        assert removed["sender"] == us.user
        late = _said(bob, "by a ghost")
        ghostly = await us.say(network, late)
        us.how = Presentation()  # and what a ghost has said stays its own when ghosts are off
        known = Known(late.key, bob, "", ids=(ghostly,))
        edited = await us.event(await us.say(network, replace(late, id="$e", body=Edit(late.key, words("new"))), known))
        assert edited["sender"] == us.ghost(bob.name)


async def test_late_words_stand_at_their_own_time_without_a_stamp(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        at = time.time() - 7200
        found = await us.event(await us.say(network, _said(_member(), "late"), said=at, age=7200.0))
        assert (found["content"]["body"], found["origin_server_ts"]) == ("late", round(at * 1000))


async def test_a_new_nick_shows_by_account_and_an_old_nick_is_nobody_elses_face(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        account = unique("bob")
        await us.say(network, _said(_bob(account, account), "one"))
        found = await us.event(await us.say(network, _said(_bob("robert", account), "two")))
        assert found["sender"] == us.ghost(account)
        assert (await profile(us.alice, us.ghost(account)))["displayname"] == "robert"
        nick = unique("eve")
        first = await us.event(await us.say(network, _said(_bob(nick), "three")))
        second = await us.event(await us.say(network, _said(_bob(nick, host="x@two.example"), "four")))
        third = await us.event(await us.say(network, _said(_bob(nick), "five")))
        assert first["sender"] == third["sender"] == us.ghost(nick, "_1")
        assert second["sender"] == us.ghost(nick, "_2")
        other = await us.event(await us.say(network, _said(_bob("x", nick), "six")))
        assert other["sender"] == us.ghost(nick)


def _moved(person: Sender, change: Change, detail: str = "", *, quiet: bool = False) -> Event:
    return replace(_said(person, "x"), body=Membership(person, change, detail, quiet=quiet))


async def test_who_leaves_irc_leaves_and_comes_back_when_they_do_and_of_others_it_is_said(
    homes: tuple[Synapse, Path],
) -> None:
    async with haunt(homes) as us, us.runs() as network:
        bob, eve = _member(), _member()
        await us.say(network, _said(bob, "hello"))
        left = [_moved(bob, Change.LEFT, "Quit: bye"), _moved(eve, Change.LEFT, "Quit: me too")]
        items = [Owed(Delivery.of(each.key, us.room).id, us.room, each) for each in left]
        (post,) = network.render(items, us.how)
        found = await us.event(await network.send(post))
        assert (found["sender"], found["content"]["body"]) == (us.user, f"{eve.name} has left (Quit: me too)")
        gone = await member(us.alice, us.place, us.ghost(bob.name))
        assert (gone["membership"], gone["reason"]) == ("leave", "Quit: bye")
        assert await network.send(post, again=True) == found["event_id"]  # once more, as after a crash: nothing changes
        with pytest.raises(Needless):
            await us.say(network, _moved(bob, Change.JOINED))
        await us.alice.sees(us.place, us.ghost(bob.name))
        for _ in range(2):
            with pytest.raises(Needless):
                await us.say(network, _moved(bob, Change.LEFT, quiet=True))
        assert (await us.event(await us.say(network, _said(bob, "back"))))["sender"] == us.ghost(bob.name)


async def test_a_new_nick_is_a_new_name_by_account_and_another_person_without(homes: tuple[Synapse, Path]) -> None:
    async with haunt(homes) as us, us.runs() as network:
        bob, eve = _member(), _bob()
        for person in (bob, eve):
            await us.say(network, _said(person, "hello"))
        with pytest.raises(Needless):
            await us.say(network, _moved(bob, Change.RENAMED, "robert"))
        await us.is_called(us.ghost(bob.name), "robert")
        told = await us.event(await us.say(network, _moved(eve, Change.RENAMED, "mallory")))
        assert told["content"]["body"] == f"{eve.name} is now known as mallory"
        assert (await member(us.alice, us.place, us.ghost(eve.name, "_1")))["membership"] == "leave"


async def test_a_homeserver_that_does_not_know_us_gets_the_mark_from_the_first_message_on(
    synapse: Synapse, homes: tuple[Synapse, Path], log: Log
) -> None:
    async with haunt((synapse, homes[1])) as us, us.runs() as network:
        for text in ("one", "two"):
            found = await us.event(await us.say(network, _said(_member("bob"), text)))
            assert (found["sender"], found["content"]["body"]) == (us.user, f"<bob> {text}")
        lines = log.of("ghosts_unavailable")
        assert len(lines) == 1
        assert "M_UNKNOWN_TOKEN" in lines[0]["reason"]


async def test_in_an_encrypted_room_the_mark_and_the_profile_speak(homes: tuple[Synapse, Path]) -> None:
    how = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    async with haunt(homes, initial_state=[how]) as us, us.runs() as network:
        bob = _member()
        found = await us.event(await us.say(network, _said(bob, "hello")))
        assert (found["sender"], found["type"]) == (us.user, "m.room.encrypted")
        assert await member(us.alice, us.place, us.ghost(bob.name)) == {}
