"""Edits, removals, reactions, threads, mentions, memberships and topics that we send, on a real Synapse."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.matrix.client import MatrixNetwork
from bridge.model.event import (
    Body,
    Change,
    Edit,
    Event,
    EventKey,
    Membership,
    Message,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.outbox import Delivery, Known, Owed
from bridge.model.people import Sender
from bridge.model.text import words
from bridge.network import Needless, PermanentError
from tests.events import irc
from tests.integration.servers import unique
from tests.integration.test_matrix import Ours, eventually, pond

pytestmark = pytest.mark.servers

_FAR = Room("libera", "#pond")
_BOB = replace(irc("bob", "bob"), user="bob")


def owed(room: Room, body: Body, event_id: str = "", who: Sender = _BOB, about: Known | None = None) -> Owed:
    """What `who` did on IRC, owed to `room`; `about`: the event that it refers to."""
    event = Event(event_id or unique("$"), _FAR, who, 0.0, body)
    context = {about.source: about} if about is not None else {}
    return Owed(Delivery.of(event.key, room).id, room, event, context)


def said(room: Room, event_id: str, text: str) -> Owed:
    return owed(room, Message(words(text)), event_id)


def known(event_id: str, *ids: str, **more: Any) -> Known:
    return Known(EventKey(_FAR, event_id), ids=ids, **more)


async def send(network: MatrixNetwork, *items: Owed) -> list[str]:
    return [await network.send(post) for post in network.render(items)]


async def about(network: MatrixNetwork, us: Ours, make: Callable[[EventKey], Body], of: str, *ids: str) -> list[str]:
    """Send the body that `make` makes about the event `of`, whose ids in the room are `ids`."""
    body = make(EventKey(_FAR, of))
    return await send(network, owed(us.rooms[0], body, about=known(of, *ids)))


async def event(alice: MatrixPerson, place: str, event_id: str) -> dict[str, Any]:
    return await alice.call("GET", f"rooms/{quote(place, safe='')}/event/{quote(event_id, safe='')}")


async def now(alice: MatrixPerson, place: str, event_id: str) -> dict[str, Any]:
    """The content of an event as clients show it."""
    found = await event(alice, place, event_id)
    edit = found.get("unsigned", {}).get("m.relations", {}).get("m.replace")
    content: dict[str, Any] = edit["content"]["m.new_content"] if edit else found["content"]
    return content


async def test_an_edit_replaces_the_words_of_its_message_with_mark_and_profile(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        (first,) = await send(network, said(us.rooms[0], "a", "frist"))
        for text in ("first", "the first"):
            (edit,) = await about(network, us, lambda key, text=text: Edit(key, words(text)), "a", first)  # type: ignore[misc]
            shown = await now(alice, place, first)
            assert shown["body"] == f"<bob> {text}"
            assert shown["formatted_body"].endswith(f": </strong>{text}")
            assert shown["com.beeper.per_message_profile"]["displayname"] == "bob"
            content = (await event(alice, place, edit))["content"]
            assert content["m.relates_to"] == {"rel_type": "m.replace", "event_id": first}
            assert content["body"] == f"* <bob> {text}"


async def test_of_messages_that_share_an_event_each_is_edited_and_removed_alone(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        room = us.rooms[0]
        (shared,) = await send(network, *(said(room, name, f"{name}1\n{name}2") for name in "abc"))
        assert (await now(alice, place, shared))["body"].count("\n") == 5
        await about(network, us, lambda key: Edit(key, words("B")), "b", shared)
        assert (await now(alice, place, shared))["body"] == "<bob> a1\n<bob> a2\n<bob> B\n<bob> c1\n<bob> c2"
        await about(network, us, Redaction, "a", shared)
        assert (await now(alice, place, shared))["body"] == "<bob> B\n<bob> c1\n<bob> c2"
        await about(network, us, lambda key: Edit(key, words("C\nand D")), "c", shared)
        shown = await now(alice, place, shared)
        assert shown["body"] == "<bob> B\n<bob> C\n<bob> and D"
        assert shown["formatted_body"].count("<br>") == 2
        with pytest.raises(Needless):  # it is removed already
            await about(network, us, Redaction, "a", shared)
        with pytest.raises(Needless):
            await about(network, us, lambda key: Edit(key, words("A")), "a", shared)
        await about(network, us, Redaction, "b", shared)
        await about(network, us, Redaction, "c", shared)
        assert (await event(alice, place, shared))["content"] == {}
        with pytest.raises(Needless):
            await about(network, us, lambda key: Edit(key, words("C")), "c", shared)
        history = await alice.history(place)
        assert not [each for each in history if each.sender == us.user]  # no edit keeps the words


async def test_a_removal_takes_the_edits_of_its_message_along(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        (first,) = await send(network, said(us.rooms[0], "a", "secret"))
        (edit,) = await about(network, us, lambda key: Edit(key, words("very secret")), "a", first)
        post = network.render([owed(us.rooms[0], Redaction(EventKey(_FAR, "a"), "oops"), about=known("a", first))])[0]
        removal = await network.send(post)
        assert await network.send(post, again=True) == removal
        assert (await event(alice, place, first))["content"] == {}
        assert (await event(alice, place, edit))["content"] == {}
        assert (await event(alice, place, removal))["content"]["reason"] == "oops"


async def test_a_message_in_several_events_is_edited_to_fewer_and_removed(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        long = "a word " * 6_000
        ids = await send(network, said(us.rooms[0], "a", long))
        assert len(ids) > 1
        await about(network, us, lambda key: Edit(key, words(long.replace("word", "bird"))), "a", *ids)
        bodies = [(await now(alice, place, each))["body"] for each in ids]
        assert all("a bird a bird" in body and "word" not in body for body in bodies)
        await about(network, us, lambda key: Edit(key, words("short")), "a", *ids)
        assert (await now(alice, place, ids[0]))["body"] == "<bob> short"
        assert (await event(alice, place, ids[1]))["content"] == {}
        assert (await event(alice, place, ids[0]))["content"] != {}


async def test_an_edit_of_an_event_that_an_earlier_version_merged_is_said_as_one(synapse: Synapse) -> None:
    async with (
        pond(synapse) as (us, alice, place),
        us.running() as network,
        _another(us) as old,
    ):
        merged = await old.send(place, "<bob> one\n<bob> two")
        single = await old.send(place, "<bob> one")
        await about(network, us, lambda key: Edit(key, words("uno")), "a", merged)
        heard = (await alice.heard("(edited) <bob> uno")).id
        content = (await event(alice, place, heard))["content"]
        assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": merged}}
        await about(network, us, lambda key: Edit(key, words("uno")), "a", single)
        assert (await now(alice, place, single))["body"] == "<bob> uno"
        await about(network, us, Redaction, "a", merged)
        assert (await event(alice, place, merged))["content"] == {}


async def test_a_reaction_is_shown_once_and_goes_when_it_is_taken_back(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        target = await alice.send(place, "hello")
        (reaction,) = await about(network, us, lambda key: Reaction(key, "👍"), "a", target)
        relates = (await event(alice, place, reaction))["content"]["m.relates_to"]
        assert relates == {"rel_type": "m.annotation", "event_id": target, "key": "👍"}
        with pytest.raises(Needless):
            await about(network, us, lambda key: Reaction(key, "👍"), "a", target)
        (other,) = await about(network, us, lambda key: Reaction(key, "🦆"), "a", target)
        await about(network, us, lambda key: Reaction(key, "👍", removed=True), "a", target)
        assert (await event(alice, place, reaction))["content"] == {}
        with pytest.raises(Needless):
            await about(network, us, lambda key: Reaction(key, "👍", removed=True), "a", target)
        await about(network, us, Redaction, "r", other)  # whoever hears it as a removal of the reaction
        assert (await event(alice, place, other))["content"] == {}


async def test_what_we_may_not_remove_or_cannot_find_is_a_dead_letter_and_the_room_goes_on(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        theirs = await alice.send(place, "mine")
        with pytest.raises(PermanentError, match="has no power to remove"):
            await about(network, us, Redaction, "a", theirs)
        for make in (Redaction, lambda key: Edit(key, words("x"))):
            with pytest.raises(PermanentError, match="not there any more"):
                await about(network, us, make, "a", "$" + "x" * 43)
        with pytest.raises(PermanentError, match="no power to set the topic"):
            await send(network, owed(us.rooms[0], Topic("ducks")))
        await send(network, said(us.rooms[0], "b", "still here"))
        await alice.heard("still here")


async def test_an_answer_to_a_threaded_message_is_in_the_thread_and_a_broken_thread_loses_nothing(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        root = await alice.send(place, "root")
        relation = {"rel_type": "m.thread", "event_id": root}
        leaf = await alice.send(place, "leaf", **{"m.relates_to": relation})  # type: ignore[arg-type]
        answer = Message(words("answer"), reply_to=EventKey(_FAR, "leaf"))
        (sent,) = await send(network, owed(us.rooms[0], answer, about=known("leaf", leaf, thread=root)))
        relates = (await event(alice, place, sent))["content"]["m.relates_to"]
        assert relates == {**relation, "is_falling_back": False, "m.in_reply_to": {"event_id": leaf}}
        summary = (await event(alice, place, root))["unsigned"]["m.relations"]["m.thread"]
        assert (summary["count"], summary["latest_event"]["event_id"]) == (2, sent)
        # a thread cannot begin in a thread: Synapse refuses it
        (wrong,) = await send(network, owed(us.rooms[0], answer, about=known("leaf", root, thread=leaf)))
        assert (await event(alice, place, wrong))["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": root}}


async def test_a_user_who_speaks_to_somebody_mentions_them_and_the_room_is_never_mentioned(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        await alice.rename("Alice L.")
        before = await alice.send(place, "hello")
        await us.hears("hello")
        (sent,) = await send(network, said(us.rooms[0], "a", "alice l.: look, @room"))
        content = (await event(alice, place, sent))["content"]
        assert content["m.mentions"] == {"user_ids": [alice.user_id]}
        assert f'<a href="https://matrix.to/#/{alice.user_id}">alice l.</a>: look' in content["formatted_body"]
        await eventually(lambda: _is_pinged(alice, sent))
        guest = irc("bob")
        (quiet,) = await send(network, owed(us.rooms[0], Message(words("alice l.: look, @room")), who=guest))
        (room,) = await send(network, said(us.rooms[0], "b", "@room look"))
        found = await alice.call("GET", "notifications", only="highlight")
        pinged = {each["event"]["event_id"] for each in found["notifications"]}
        assert sent in pinged
        assert not pinged & {quiet, room, before}


async def test_who_is_called_in_a_room_where_nobody_has_spoken_yet_is_known_and_a_new_name_counts(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        name = alice.user_id.removeprefix("@").partition(":")[0]

        async def mentions(called: str) -> bool:
            (sent,) = await send(network, said(us.rooms[0], unique("$"), f"{called}: look"))
            content = (await event(alice, place, sent))["content"]
            return bool(content["m.mentions"] == {"user_ids": [alice.user_id]})

        await eventually(lambda: mentions(name))
        await alice.rename("Somebody Else")
        await eventually(lambda: mentions("somebody else"))
        async with MatrixPerson(us.server.url, unique("twin")) as twin:
            await twin.join(place)
            await twin.rename("SOMEBODY else")
            await twin.send(place, "I am here")
            await us.hears("I am here")
            assert not await mentions("somebody else")


async def test_a_user_has_a_picture_that_is_stored_once(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place):
        async with us.running() as network:
            (first,) = await send(network, said(us.rooms[0], "a", "hi"))
            assert "avatar_url" not in (await now(alice, place, first))["com.beeper.per_message_profile"]
            async with asyncio.timeout(10):
                while "avatars" not in us.memory.kept:  # noqa: ASYNC110  (an upload rings no bell)
                    await asyncio.sleep(0.05)
            (second,) = await send(network, said(us.rooms[0], "b", "hi"))
            uri = (await now(alice, place, second))["com.beeper.per_message_profile"]["avatar_url"]
        async with us.running() as network:
            (third,) = await send(network, said(us.rooms[0], "c", "hi"))
            assert (await now(alice, place, third))["com.beeper.per_message_profile"]["avatar_url"] == uri
            guest = owed(us.rooms[0], Message(words("hi")), who=irc("guest"))
            (other,) = await send(network, guest)
            assert "avatar_url" not in (await now(alice, place, other))["com.beeper.per_message_profile"]


async def test_memberships_are_one_notice_and_a_topic_is_set(synapse: Synapse) -> None:
    levels = {"events": {"m.room.topic": 0}}
    async with pond(synapse, power_level_content_override=levels) as (us, alice, place), us.running() as network:
        people = [irc(f"n{number}") for number in range(7)]
        items = [owed(us.rooms[0], Membership(who, Change.JOINED), who=who) for who in people]
        assert {network.gather(item.event) for item in items} == {4.0}
        assert network.gather(said(us.rooms[0], "a", "x").event) == 0.0
        (sent,) = await send(network, *items)
        content = (await event(alice, place, sent))["content"]
        assert (content["msgtype"], content["body"]) == ("m.notice", "n0, n1, n2, n3 and 3 others have joined")
        await send(network, owed(us.rooms[0], Topic("ducks only")))
        path = f"rooms/{quote(place, safe='')}/state/m.room.topic/"
        assert (await alice.call("GET", path))["topic"] == "ducks only"


async def test_what_arrived_elsewhere_is_shown_as_read_the_newest_at_most_once_a_second(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        since = (await alice.call("GET", "sync", timeout="0"))["next_batch"]
        ids = [await alice.send(place, f"line {number}") for number in range(6)]
        for event_id in ids[:5]:
            network.read(EventKey(us.rooms[0], event_id))
        network.read(EventKey(us.rooms[0], "$nothing"))
        async with asyncio.timeout(20):
            network.read(EventKey(Room("home", "#other:hs"), "$nothing"))
            network.read(EventKey(us.rooms[0], ids[4]))
            read, since = await reads(alice, place, us.user, since, ids[4])
            assert read == [ids[4]]
            network.read(EventKey(us.rooms[0], ids[5]))
            assert (await reads(alice, place, us.user, since, ids[5]))[0] == [ids[5]]


def _another(us: Ours) -> MatrixPerson:
    """Our account in another client."""
    return MatrixPerson(us.server.url, us.user.removeprefix("@").partition(":")[0])


async def _is_pinged(alice: MatrixPerson, event_id: str) -> bool:
    found = await alice.call("GET", "notifications", only="highlight")
    return any(each["event"]["event_id"] == event_id for each in found["notifications"])


async def reads(alice: MatrixPerson, place: str, user: str, since: str, last: str) -> tuple[list[str], str]:
    """The events that `user` has read since the sync token `since`, up to `last`; and the token to go on from."""
    read: list[str] = []
    while last not in read:
        found = await alice.call("GET", "sync", since=since, timeout="1000")
        since = found["next_batch"]
        for each in found.get("rooms", {}).get("join", {}).get(place, {}).get("ephemeral", {}).get("events", ()):
            if each["type"] == "m.receipt":
                read += [key for key, who in each["content"].items() if user in who.get("m.read", {})]
    return read, since
