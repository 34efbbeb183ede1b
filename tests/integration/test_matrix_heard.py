"""What people do on a real Synapse besides talking: reactions, threads, removals, coming and going, topics, typing."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.model.event import Change, Event, EventKey, Membership, Message, Origin, Reaction, Redaction, Room, Topic
from bridge.model.text import words
from tests.events import body_of
from tests.integration.servers import unique
from tests.integration.test_matrix import Ours, eventually, pond

pytestmark = pytest.mark.servers


async def hears(us: Ours, kind: type, number: int = 1) -> list[Event]:
    """The first events with a body of that kind."""
    await us.until(lambda: sum(isinstance(event.body, kind) for event in us.heard) >= number)
    return [event for event in us.heard if isinstance(event.body, kind)]


def changes(us: Ours) -> list[tuple[str, Change, str]]:
    return [
        (event.body.person.address, event.body.change, event.body.detail)
        for event in us.heard
        if isinstance(event.body, Membership)
    ]


async def set_state(person: MatrixPerson, place: str, kind: str, content: Mapping[str, Any], key: str = "") -> None:
    await person.call("PUT", f"rooms/{place}/state/{kind}/{key}", content)


async def test_a_reaction_is_heard_and_so_is_that_it_is_taken_back(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running():
        said = await alice.send(place, "hi")
        relates = {"rel_type": "m.annotation", "event_id": said, "key": "👍"}
        reaction = await alice.send_event(place, "m.reaction", {"m.relates_to": relates})
        await alice.redact(place, reaction)
        emoji = {"rel_type": "m.annotation", "event_id": said, "key": "mxc://hs/party"}
        await alice.send_event(place, "m.reaction", {"m.relates_to": emoji, "com.beeper.reaction.shortcode": "party"})
        thumb, party = await hears(us, Reaction, 2)
        (gone,) = await hears(us, Redaction)
        target = EventKey(us.rooms[0], said)
        assert (thumb.id, thumb.body, party.body) == (reaction, Reaction(target, "👍"), Reaction(target, ":party:"))
        assert gone.target == EventKey(us.rooms[0], reaction)
        assert us.heard.index(thumb) < us.heard.index(gone) < us.heard.index(party)


async def test_a_removal_by_a_moderator_is_moderated_and_one_by_the_author_is_not(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), MatrixPerson(synapse.url, unique("bob")) as bob, us.running():
        await bob.join(place)
        said = [await bob.send(place, text) for text in ("one", "two", "three")]
        await bob.redact(place, said[0])
        await alice.redact(place, said[1])
        levels = await alice.call("GET", f"rooms/{place}/state/m.room.power_levels/")
        levels["users"][bob.user_id] = 50
        await set_state(alice, place, "m.room.power_levels", levels)
        await bob.redact(place, said[2])
        bodies = [event.body for event in await hears(us, Redaction, 3)]
        targets = [EventKey(us.rooms[0], each) for each in said]
        assert bodies == [
            Redaction(target, moderated=by) for target, by in zip(targets, (False, True, True), strict=True)
        ]


async def test_a_message_in_a_thread_names_its_root_and_whom_it_mentions(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running():
        root = await alice.send(place, "root")
        thread = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
        content = {"msgtype": "m.text", "body": "inside", "m.mentions": {"user_ids": ["@bob:hs", us.user]}}
        content["m.relates_to"] = {**thread, "m.in_reply_to": {"event_id": root}}
        await alice.send_event(place, "m.room.message", content)
        body = body_of(await us.hears("inside"))
        assert body == Message(words("inside"), called="", thread=EventKey(us.rooms[0], root), mentions=("@bob:hs",))


async def test_coming_going_and_being_renamed_or_removed_is_heard_and_what_was_before_us_is_not(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, place), MatrixPerson(synapse.url, unique("bob")) as bob:
        await bob.join(place)
        await bob.leave(place)
        async with us.running():
            await bob.join(place)
            await hears(us, Membership)
            await bob.rename("Bobby")
            await hears(us, Membership, 2)
            await bob.call("PUT", f"profile/{bob.user_id}/avatar_url", {"avatar_url": "mxc://hs/bob"})
            await eventually(partial(_has_a_picture, bob, place))
            await bob.leave(place)
            await alice.invite(place, bob.user_id)
            await bob.join(place)
            await alice.call("POST", f"rooms/{place}/kick", {"user_id": bob.user_id, "reason": "noise"})
            await bob.join(place)
            await alice.call("POST", f"rooms/{place}/ban", {"user_id": bob.user_id})
            await alice.call("POST", f"rooms/{place}/unban", {"user_id": bob.user_id})
            await alice.call("POST", f"rooms/{place}/ban", {"user_id": "@nobody:hs", "reason": "on a list"})
            await alice.send(place, "done")
            await us.hears("done")
        assert changes(us) == [
            (bob.user_id, Change.JOINED, ""),
            (bob.user_id, Change.RENAMED, "Bobby"),
            (bob.user_id, Change.LEFT, ""),
            (bob.user_id, Change.JOINED, ""),
            (bob.user_id, Change.KICKED, "noise"),
            (bob.user_id, Change.JOINED, ""),
            (bob.user_id, Change.BANNED, ""),
        ]
        left = next(event for event in us.heard if isinstance(event.body, Membership) and event.body.detail == "noise")
        assert isinstance(left.body, Membership)
        assert (left.sender.address, left.body.person.name, left.origin) == (alice.user_id, "Bobby", Origin.LIVE)


async def _has_a_picture(person: MatrixPerson, place: str) -> bool:
    """Whether the picture has reached the room: homeservers take their time."""
    state = await person.call("GET", f"rooms/{place}/state/m.room.member/{person.user_id}")
    return "avatar_url" in state


async def test_who_came_and_went_while_the_bridge_was_away_is_heard_in_order_and_once(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), MatrixPerson(synapse.url, unique("bob")) as bob:
        async with us.running():
            await alice.send(place, "before")
            await us.hears("before")
        await bob.join(place)
        for number in range(110):  # more than one sync holds
            await alice.send(place, f"line {number}")
        await bob.leave(place)
        async with us.running():
            await hears(us, Membership, 2)
            await alice.send(place, "after")
            await us.hears("after")
        assert [change for _, change, _ in changes(us)] == [Change.JOINED, Change.LEFT]
        assert us.texts[1] == ""
        assert us.texts[-2:] == ["", "after"]


async def test_a_new_topic_is_heard_and_the_one_from_before_us_is_not(synapse: Synapse) -> None:
    async with pond(synapse, topic="old") as (us, alice, place), us.running():
        await set_state(alice, place, "m.room.topic", {"topic": "of\nducks"})
        await set_state(alice, place, "m.room.topic", {"topic": "of\nducks", "more": 1})
        await set_state(alice, place, "m.room.topic", {"topic": ""})
        first, second = await hears(us, Topic, 2)
        assert (first.body, second.body) == (Topic("of ducks"), Topic(""))
        assert first.sender.address == alice.user_id


async def test_typing_is_a_signal_that_leaves_the_cursor_where_it_is(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        await alice.send(place, "hi")
        await us.hears("hi")
        cursor, before = us.cursor, len(us.batches)
        await network.typing(us.rooms[0], True)
        await type_(alice, place, typing=True)
        await us.until(lambda: len(signals(us)) == 1)
        await type_(alice, place, typing=False)
        await us.until(lambda: len(signals(us)) == 2)
        assert signals(us) == [(us.rooms[0], alice.user_id, True), (us.rooms[0], alice.user_id, False)]
        assert {batch.cursor for batch in us.batches[before:]} == {cursor}
        assert all(not batch.events for batch in us.batches[before:])
        await alice.send(place, "ho")
        await us.hears("ho")
        assert us.cursor != cursor


async def test_of_a_private_conversation_only_the_words_are_heard(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, _), us.running():
        room = await alice.direct(us.user)
        await alice.sees(room, us.user)
        await alice.send(room, "psst")
        await us.hears("psst")
        await type_(alice, room, typing=True)
        await set_state(alice, room, "m.room.topic", {"topic": "secrets"})
        await alice.rename("Ann")
        await alice.send(room, "again")
        assert (await us.hears("again")).private
        private = [event for event in us.heard if event.room.id == room]
        assert [type(event.body) for event in private] == [Message, Message]
        assert signals(us) == []


async def type_(person: MatrixPerson, place: str, *, typing: bool) -> None:
    content = {"typing": True, "timeout": 30_000} if typing else {"typing": False}
    await person.call("PUT", f"rooms/{place}/typing/{person.user_id}", content)


def signals(us: Ours) -> list[tuple[Room, str, bool]]:
    return [(each.room, each.sender.address, each.active) for batch in us.batches for each in batch.signals]
