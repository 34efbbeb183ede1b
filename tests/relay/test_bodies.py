"""Edits, replies, reactions, removals, comings and topics on their way through the relay; typing and receipts."""

import asyncio
from dataclasses import replace

import pytest

from bridge.model.event import (
    Body,
    Change,
    Edit,
    Event,
    EventKey,
    Kind,
    Membership,
    Message,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.outbox import Known
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import Memberships
from bridge.model.text import Style, plain, words
from bridge.network import TransientError, Typing
from bridge.rules.link import Link, Rules
from bridge.users import User
from tests.events import HOME, LIBERA, OFTC, irc, matrix, said
from tests.relay.test_relay import World
from tests.relay.test_suspects import _passing

BOB = irc("bob", "bob")


def _about(sender: Sender, body: Body, event_id: str = "$about") -> Event:
    return Event(event_id, HOME if sender.network == "home" else LIBERA, sender, 1_000.0, body)


def _edit(target: str, text: str, event_id: str = "$edit") -> Event:
    return _about(matrix("alice"), Edit(EventKey(HOME, target), words(text)), event_id)


def _linked(**rules: object) -> World:
    return World(
        Link(
            "pond",
            (HOME, LIBERA, OFTC),
            Rules(**rules),  # type: ignore[arg-type]
            by_hand=(LIBERA, OFTC),
            topics_to=(OFTC,),
        )
    )


@pytest.fixture
def world() -> World:
    return _linked()


async def _heard(world: World, room: str = "home") -> list[Event]:
    """What was rendered for a network, in order, once all is delivered."""
    for network in world.networks.values():
        await network.settled()
    for _ in range(600):
        if all(entry.room.network != room for entry in await world.store.outbox()):
            break
        await asyncio.sleep(1)
    events = {item.event.id: item.event for call in world.networks[room].rendered for item in call}
    return [*events.values()]


async def test_an_edit_that_overtakes_its_message_is_in_it_and_is_not_sent_itself(world: World) -> None:
    world.libera.failures[LIBERA] = [TransientError("not now")]
    world.libera.away[LIBERA] = "no connection"
    async with world.running(), _passing(world):
        await world.lookout.look(world.networks, world.leases)
        await world.home.hear(said(HOME, matrix("alice"), "hello wrld", "$1"), said(HOME, matrix("alice"), "next"))
        await world.home.hear(_edit("$1", "hello wold", "$e1"), _edit("$1", "hello world", "$e2"))
        await world.home.settled()
        world.libera.away.clear()
        await world.lookout.look(world.networks, world.leases)
        for _ in range(400):
            await asyncio.sleep(1)
            if not [entry for entry in await world.store.outbox() if entry.room == LIBERA]:
                break
        carried = [text for room, text in world.libera.sent if room == LIBERA and "alice" in text]
        assert [text.partition("<alice> ")[2] for text in carried] == ["hello world", "next"]


async def test_an_edit_that_is_heard_together_with_its_message_is_in_it(world: World) -> None:
    world.libera.gathers["edit"] = 3.0
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hello wrld", "$1"), _edit("$1", "hello world"))
        assert [event.body for event in await _heard(world, "libera")] == [Message(words("hello world"))]


async def test_edits_of_one_message_in_a_row_are_rendered_together_once_it_is_there(world: World) -> None:
    world.libera.gathers["edit"] = 3.0
    async with world.running(), _passing(world):
        await world.home.hear(said(HOME, matrix("alice"), "hello wrld", "$1"))
        await world.libera.delivered(1)
        await world.home.hear(_edit("$1", "hello wold", "$e1"))
        await asyncio.sleep(2)
        await world.home.hear(_edit("$1", "hello world", "$e2"), said(HOME, matrix("alice"), "next"))
        assert await world.libera.delivered(4) == [
            "<alice> hello wrld",
            "<alice> next",  # what comes after does not wait
            "<alice> hello wold",
            "<alice> hello world",
        ]
        known = [item.known(item.event.target) for item in world.libera.rendered[-1]]
        assert len(known) == 2
        assert known[0] is not None
        assert (known[0].before, known[0].excerpt) == ("hello wrld", "hello world")


async def test_a_correction_by_hand_edits_the_last_message_of_its_author(world: World) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, BOB, "hello wrld", "1"))
        await _heard(world)
        await world.libera.hear(said(LIBERA, BOB, "s/wrld/wold/", "2"), said(LIBERA, BOB, "s/wold/world/", "3"))
        first, *edits = [event.body for event in await _heard(world)]
    assert isinstance(first, Message)
    assert edits == [Edit(EventKey(LIBERA, "1"), words(text)) for text in ("hello wold", "hello world")]


async def test_a_corrected_action_stays_an_action(world: World) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, BOB, "wavse", "1", kind=Kind.ACTION))
        await _heard(world)
        await world.libera.hear(said(LIBERA, BOB, "s/wavse/waves/", "2"))
        assert (await _heard(world))[-1].body == Edit(EventKey(LIBERA, "1"), words("waves"), Kind.ACTION)


async def test_a_correction_that_a_history_plays_again_is_not_itself_corrected(world: World) -> None:
    async with world.running():
        first = said(LIBERA, BOB, "s/wrld/wold/", "2")
        await world.libera.hear(said(LIBERA, BOB, "hello wrld", "1"), first)
        await _heard(world)
        await world.libera.hear(first, said(LIBERA, BOB, "s/wold/world/", "3"))
        _, *edits = [event.body for event in await _heard(world)]
    assert edits[-1] == Edit(EventKey(LIBERA, "1"), words("hello world"))


async def test_a_correction_in_the_same_breath_is_carried_as_one_message(world: World) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, BOB, "hello wrld", "1"), said(LIBERA, BOB, "s/wrld/world/", "2"))
        await _heard(world)
        assert await world.home.delivered(1) == ["<bob> hello world"]


async def test_a_correction_by_hand_is_understood_after_a_restart_and_only_for_five_minutes(world: World) -> None:
    for wait, understood in ((200.0, True), (301.0, False)):
        async with world.running():
            await world.libera.hear(said(LIBERA, BOB, "hello wrld", f"m{wait}"))
            await _heard(world)
        world.now += wait
        async with world.running():
            await world.libera.hear(said(LIBERA, BOB, "s/wrld/world/", f"c{wait}"))
            assert isinstance((await _heard(world))[-1].body, Edit) is understood


@pytest.mark.parametrize(
    ("who", "text"),
    [
        (irc("carol", "bob", network="libera"), "s/nothing like it/x/"),
        (BOB, "s/wrld/wrld/"),
        (BOB, "s/hello wrld//"),  # nothing would be left
        (BOB, "ls/wrld/world/"),
        (BOB, "/home/wrld/world"),
    ],
)
async def test_what_corrects_nothing_is_carried_as_it_was_said(world: World, who: Sender, text: str) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, BOB, "hello wrld", "1"), said(LIBERA, who, text, "2"))
        events = await _heard(world)
    assert isinstance(events[1].body, Message)
    assert plain(events[1].text) == text


async def test_what_is_not_known_in_full_is_not_corrected(world: World) -> None:
    async with world.running():
        hidden = said(LIBERA, BOB, "", "1")
        hidden = replace(hidden, body=Message((*words("hello "), *words("wrld", Style.SPOILER))))
        for text in (hidden, said(LIBERA, BOB, "hello wrld" + " quack" * 60, "2")):
            await world.libera.hear(text)
            await _heard(world)
            await world.libera.hear(said(LIBERA, BOB, "s/hello/bye/", f"{text.id}s"))
            assert isinstance((await _heard(world))[-1].body, Message)


async def test_nobody_corrects_what_somebody_else_said_and_on_matrix_people_have_edits() -> None:
    world = _linked()
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hello wrld", "$1"))
        await _heard(world, "libera")
        await world.libera.hear(said(LIBERA, BOB, "s/wrld/world/", "2"))
        await world.home.hear(said(HOME, matrix("alice"), "s/wrld/world/", "$3"))
        assert all(isinstance(event.body, Message) for event in (await _heard(world)) + await _heard(world, "libera"))


@pytest.mark.parametrize(("setting", "text"), [("edits_from_irc", "s/wrld/world/"), ("replies_from_irc", "alice: yes")])
async def test_what_the_operator_has_switched_off_stays_words(setting: str, text: str) -> None:
    world = _linked(**{setting: False})
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hello", "$1"))
        await _heard(world, "libera")
        await world.libera.hear(said(LIBERA, BOB, "hello wrld", "1"), said(LIBERA, BOB, text, "2"))
        last = (await _heard(world))[-1].body
    assert last == Message(words(text))


async def test_what_somebody_does_is_no_correction_and_no_answer(world: World) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, BOB, "hello wrld", "1"))
        for number, text in enumerate(("s/wrld/world/", "alice: waves")):
            await world.libera.hear(said(LIBERA, BOB, text, f"a{number}", kind=Kind.ACTION))
        bodies = [event.body for event in await _heard(world)]
    assert [body.reply_to for body in bodies if isinstance(body, Message)] == [None] * 3


async def test_an_answer_by_name_replies_to_what_that_person_said_last_also_after_a_restart(world: World) -> None:
    async with world.running():
        await world.home.hear(*(said(HOME, matrix("alice"), text, f"${text}") for text in ("first", "last")))
        await _heard(world, "libera")
    async with world.running():
        await world.libera.hear(said(LIBERA, BOB, "alice: yes", "1"), said(LIBERA, BOB, "dave: yes", "2"))
        replies = [event.body for event in await _heard(world)]
        assert [body.reply_to for body in replies if isinstance(body, Message)] == [EventKey(HOME, "$last"), None]
        assert world.home.rendered[0][0].ids_of(EventKey(HOME, "$last")) == ("$last",)


async def test_what_strangers_write_by_hand_costs_no_look_into_the_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Room] = []

    async def said_in(room: Room, *_: object) -> list[Known]:
        looks.append(room)
        return []

    async with world.running():
        monkeypatch.setattr(world.leases["libera"], "said_in", said_in)
        await world.libera.hear(*(said(LIBERA, irc("eve"), text) for text in ("s/a/b/", "alice: hi")))
        await world.libera.settled()
        assert looks == []
        await world.libera.hear(said(LIBERA, BOB, "alice: hi"))
        await world.libera.settled()
        assert looks == [LIBERA]


async def test_an_answer_to_one_of_two_people_of_a_name_is_no_reply(world: World) -> None:
    world.users.add(User("carol", identities=(Identity(Proof.IRC, "libera", "carol"),)))
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "I am alice", "$1"))
        await _heard(world, "libera")
        await world.libera.hear(
            said(LIBERA, irc("Alice", "carol"), "me too", "1"), said(LIBERA, BOB, "alice: yes", "2")
        )
        last = (await _heard(world))[-1].body
    assert isinstance(last, Message)
    assert last.reply_to is None


async def test_a_removal_goes_where_its_message_was_sent_and_nowhere_else(world: World) -> None:
    world.oftc.away[OFTC] = "no connection"
    async with world.running(), _passing(world):
        await world.lookout.look(world.networks, world.leases)
        await world.home.hear(said(HOME, matrix("alice"), "oops", "$slip"))
        await world.libera.delivered(1)
        await world.home.hear(_about(matrix("alice"), Redaction(EventKey(HOME, "$slip")), "$removal"))
        assert await world.libera.delivered(2) == ["<alice> oops", "<alice> (deleted)"]
        known = world.libera.rendered[-1][0].known(EventKey(HOME, "$slip"))
        assert known is not None
        assert (known.excerpt, known.removed, known.ids) == ("", True, ("libera-0",))
        assert await world.store.outbox() == []
    assert [text for room, text in world.oftc.sent if room == OFTC] == []


async def test_a_moderator_of_the_network_who_is_no_user_removes_what_a_member_said(world: World) -> None:
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "oops", "$slip"))
        await world.libera.delivered(1)
        target = EventKey(HOME, "$slip")
        await world.home.hear(_about(matrix("mod"), Redaction(target), "$no"))
        await world.home.hear(_about(matrix("mod"), Redaction(target, moderated=True), "$yes"))
        assert (await _heard(world, "libera"))[-1].id == "$yes"
        assert len(world.libera.sent) == 2


async def test_reactions_gather_and_one_that_is_taken_back_in_time_is_never_told(world: World) -> None:
    world.libera.gathers["reaction"] = 9.0
    async with world.running(), _passing(world):
        await world.home.hear(said(HOME, matrix("alice"), "hi", "$1"))
        await world.libera.delivered(1)
        target = EventKey(HOME, "$1")
        for number, key in enumerate(("+1", "-1", "ok")):
            await world.home.hear(_about(matrix("alice"), Reaction(target, key), f"$r{number}"))
            await asyncio.sleep(2)
        await world.home.hear(_about(matrix("alice"), Redaction(EventKey(HOME, "$r1")), "$back"))
        assert await world.libera.delivered(3) == ["<alice> hi", "<alice> +1", "<alice> ok"]
        assert len(world.libera.rendered[-1]) == 2
        await _heard(world, "libera")
        assert len(world.libera.sent) == 3


async def test_reactions_are_refused_where_the_operator_wants_none() -> None:
    world = _linked(reactions=False)
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hi", "$1"))
        await world.libera.delivered(1)
        await world.home.hear(_about(matrix("alice"), Reaction(EventKey(HOME, "$1"), "+1")))
        await world.home.hear(said(HOME, matrix("alice"), "next"))
        assert await world.libera.delivered(2) == ["<alice> hi", "<alice> next"]


@pytest.mark.parametrize(
    ("memberships", "told"), [(Memberships.OFF, []), (Memberships.SPEAKERS, [BOB]), (Memberships.ALL, [BOB, BOB])]
)
async def test_comings_are_told_of_whom_the_operator_wants(memberships: Memberships, told: list[Sender]) -> None:
    """Before bob has spoken, after he has, and of a guest; also after a restart."""
    world = _linked(memberships=memberships)
    left = Membership(BOB, Change.LEFT)
    async with world.running():
        await world.libera.hear(_about(BOB, left, "l1"), said(LIBERA, BOB, "hi"))
        await world.libera.hear(_about(irc("eve"), Membership(irc("eve"), Change.JOINED), "l2"))
        await _heard(world)
    async with world.running():
        await world.libera.hear(_about(BOB, left, "l3"))
        events = await _heard(world)
    people = [event.body.person for event in events if isinstance(event.body, Membership)]
    assert people == [replace(each, user="bob") for each in told]


async def test_a_kick_is_told_of_a_member_whoever_did_it(world: World) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, BOB, "hi"))
        await world.libera.hear(_about(irc("op"), Membership(BOB, Change.KICKED, "bye"), "k"))
        assert (await _heard(world))[-1].id == "k"


async def test_a_topic_goes_only_where_the_operator_wants_it(world: World) -> None:
    async with world.running():
        await world.home.hear(_about(matrix("alice"), Topic("ducks")))
        await world.home.hear(_about(matrix("mallory"), Topic("geese"), "$other"))
        assert await world.oftc.delivered(1) == ["<alice> ducks"]
        assert await _heard(world, "libera") == []


async def test_typing_of_members_is_shown_in_the_other_rooms_until_it_stops(world: World) -> None:
    async with world.running(), _passing(world):
        await world.home.sign(Typing(HOME, matrix("mallory"), active=True))
        await world.home.sign(Typing(HOME, matrix("alice"), active=True))
        await asyncio.sleep(5)
        assert world.libera.typed == [(LIBERA, True)] * 2
        await world.home.sign(Typing(HOME, matrix("alice"), active=False))
        await asyncio.sleep(5)
        assert world.libera.typed[-1] == (LIBERA, False)
        await world.home.sign(Typing(HOME, matrix("alice"), active=True))
        await asyncio.sleep(60)
        assert world.libera.typed[-1] == (LIBERA, False)
        assert world.home.typed == []


async def test_what_has_arrived_is_read_unless_the_operator_wants_no_receipts() -> None:
    for receipts in (True, False):
        world = _linked(receipts=receipts)
        async with world.running():
            await world.home.hear(said(HOME, matrix("alice"), "hi", "$1"))
            await world.libera.delivered(1)
            await world.oftc.delivered(1)
            await _heard(world, "libera")
        assert {*world.home.seen} == ({EventKey(HOME, "$1")} if receipts else set())
