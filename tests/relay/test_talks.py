"""Private talk between members on its way through the relay, from a private room to a nick and back."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.event import BOTS, DESK, Body, Edit, Event, EventKey, Kind, Reaction, Redaction, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import Presentation
from bridge.model.text import Span, Style, plain, without_beginning, words
from bridge.network import PermanentError
from bridge.relay.talks import TALKS, Talks
from bridge.rules.joining import Door
from bridge.rules.link import Link
from bridge.rules.routing import ear
from bridge.store import Commit
from bridge.users import User
from tests.events import HOME, LIBERA, OFTC, irc, matrix, said
from tests.fakes.store import MemoryStore
from tests.relay.test_relay import DUCK, World

PRIVATE = Room("home", "!private")
TO_ALICE = Room("libera", "alice>bob")
OF_ALICE = Room("home", "@alice:hs>libera/bob")
BOB, ALICE = irc("bob", "bob"), matrix("alice")
EARS = Room(BOTS, f"duck@{PRIVATE}"), ear(DESK, str(PRIVATE))


@pytest.fixture
def world() -> World:
    how = Presentation(puppets=True)
    world = World(Link("pond", (HOME, LIBERA, OFTC), bots=(DUCK,), presentation=how))
    world.doors = {"libera": Door(), "oftc": Door()}
    world.users.add(User("carol", identities=(Identity(Proof.IRC, "libera", "carol"),)))
    world.users.add(User("olaf", identities=(Identity(Proof.IRC, "oftc", "bob"),)))
    return world


def _whisper(text: str, who: Sender = BOB, room: Room = TO_ALICE, id_: str = "") -> Event:
    return said(room, who, text, id_, private=True)


def _typed(text: str, id_: str = "", *, reply_to: str = "", called: str | None = None) -> Event:
    """Alice says something to the duck in private."""
    answered = EventKey(PRIVATE, reply_to) if reply_to else None
    return said(PRIVATE, ALICE, text, id_, private=True, reply_to=answered, called=called)


def _about(body: Body, id_: str = "$about") -> Event:
    return Event(id_, PRIVATE, ALICE, 1_000.0, body, private=True)


async def _begins(world: World, *whispers: Event) -> None:
    """Somebody begins to talk to alice; she can read it."""
    whispers = whispers or (_whisper("psst"),)
    before = len(world.home.sent)
    await (world.oftc if whispers[0].room.network == "oftc" else world.libera).hear(*whispers)
    await world.home.delivered(before + len(whispers))


async def _to_ears(world: World) -> Sequence[Room]:
    """The ears that wait for an answer."""
    await world.home.settled()
    return [entry.room for entry in await world.store.outbox()]


def _carried(world: World) -> Sequence[Event]:
    """What was rendered for IRC, each once, in order."""
    return [*{item.event.id: item.event for run in world.libera.rendered for item in run}.values()]


async def test_words_to_a_puppet_stand_with_its_owner_and_her_answer_goes_to_the_nick(world: World) -> None:
    async with world.running():
        await _begins(world)
        assert world.home.sent == [(OF_ALICE, "bob: psst")]
        await world.home.hear(_typed("bob: yes?"), _typed("BOB:  again"), _typed("libera/bob: third"))
        await world.libera.delivered(3)
        assert [room for room, _ in world.libera.sent] == [TO_ALICE] * 3
        assert [plain(event.text) for event in _carried(world)] == ["yes?", "again", "third"]
        assert await _to_ears(world) == []


async def test_a_reply_to_a_line_is_an_answer_whatever_it_begins_with(world: World) -> None:
    async with world.running():
        await _begins(world)
        await world.home.hear(_typed("help is on its way", reply_to="home-0", called=""))
        await world.home.hear(_typed("bob: named, too", reply_to="home-0"))
        assert await world.libera.delivered(2) == ["alice: help is on its way", "alice: named, too"]


@pytest.mark.parametrize("line", ["help", "bob", "bob:", "hello bob: x", "carol: hi", "duck: bob: hi", "bobby: hi"])
async def test_any_other_line_is_for_the_duck(world: World, line: str) -> None:
    async with world.running():
        await _begins(world)
        await world.home.hear(_typed(line, called="duck" if line.startswith("duck") else None))
        (where,) = await _to_ears(world)
        assert where in EARS
        assert world.libera.sent == []


async def test_without_a_talk_a_name_before_the_words_means_nothing(world: World) -> None:
    async with world.running():
        await world.home.hear(_typed("bob: hello"))
        assert await _to_ears(world) == [EARS[0]]


async def test_a_command_and_a_bots_name_come_first_though_somebody_is_called_so(world: World) -> None:
    world.users.add(User("x", identities=(Identity(Proof.IRC, "libera", "x"),)))
    async with world.running():
        for nick in ("help", "duck"):
            await _begins(world, _whisper("psst", irc(nick, "x"), Room("libera", f"alice>{nick}"), f"${nick}"))
            await world.home.hear(_typed(f"{nick}: hi"))
        await world.home.settled()
        assert len(await world.store.outbox()) == 2
        assert world.libera.sent == []
        await world.home.hear(_typed("an answer all the same", reply_to="home-0"))
        assert await world.libera.delivered(1) == ["alice: an answer all the same"]


async def test_a_member_begins_a_talk_and_the_words_go_with_the_user_who_is_meant(world: World) -> None:
    async with world.running():
        await world.home.hear(_typed("msg libera/bob hello"), _typed("bob: and more"))
        assert await world.libera.delivered(2) == ["alice: hello", "alice: and more"]
        assert [event.mentioned[0].user for event in _carried(world)] == ["bob", "bob"]
        await world.home.hear(_typed("msg libera/eve hello"))
        assert await _to_ears(world) == [EARS[0]]  # the only command of this desk is `help`


async def test_a_talk_outlives_a_restart(world: World) -> None:
    async with world.running():
        await _begins(world)
    async with world.running():
        await world.home.hear(_typed("bob: still here"), _typed("so am I", reply_to="home-0"))
        assert await world.libera.delivered(2) == ["alice: still here", "alice: so am I"]


async def test_somebody_else_who_takes_the_nick_is_named_and_answered_only_after_a_new_beginning(world: World) -> None:
    """Neither by name nor by a reply, not even after a restart; they cannot know what was meant for somebody else."""
    async with world.running():
        await _begins(world)
        await _begins(world, _whisper("I am bob, really", irc("bob", "carol")))
        assert world.home.sent[-1][1] == "bob (carol): I am bob, really"
        for number in range(2):  # each time, not once a day
            await world.home.hear(_typed(f"bob: secret {number}"))
            assert "I do not know for sure who bob on libera is now" in (await world.home.delivered(3 + number))[-1]
    async with world.running():
        await world.home.hear(_typed("secret", "$again", reply_to="home-0"))
        await world.home.settled()
        assert world.libera.sent == []
        await _begins(world, _whisper("it is me again"))
        await world.home.hear(_typed("bob: welcome back"))
        assert await world.libera.delivered(1) == ["alice: welcome back"]
        assert world.libera.rendered[-1][0].event.mentioned[0].user == "bob"


async def test_two_people_of_one_name_are_told_apart_by_network_or_by_a_reply(world: World) -> None:
    async with world.running():
        await _begins(world)
        await _begins(world, _whisper("hi", irc("bob", "bob", network="oftc"), Room("oftc", "alice>bob")))
        await world.home.hear(_typed("bob: which?"))
        assert "I do not know for sure who bob" in (await world.home.delivered(3))[-1]
        await world.home.hear(_typed("oftc/bob: you"), _typed("you, too", reply_to="home-1"))
        assert await world.oftc.delivered(2) == ["alice: you", "alice: you, too"]
        assert world.libera.sent == []


async def test_edits_and_removals_of_what_was_said_in_a_talk_follow_it(world: World) -> None:
    """Also of what was said in the same batch; the rest is not told on IRC, where nobody could see it."""
    async with world.running():
        await _begins(world)
        await world.home.hear(_typed("bob: helo", "$one"))
        await world.libera.delivered(1)
        await world.home.hear(_about(Edit(EventKey(PRIVATE, "$one"), words("bob: hello")), "$edit"))
        assert (await world.libera.delivered(2))[-1] == "alice: hello"
        await world.home.hear(
            _typed("bob: bye", "$two"),
            _about(Edit(EventKey(PRIVATE, "$two"), words("bob: good bye")), "$edit2"),
            _about(Redaction(EventKey(PRIVATE, "$one")), "$gone"),
        )
        said_there = await world.libera.delivered(4)
        assert said_there[2:] == ["alice: good bye", "alice: (deleted)"]
        (known,) = (await world.leases["home"].known({EventKey(OF_ALICE, "$one")})).values()
        assert known.removed


async def test_an_edit_of_what_was_said_to_the_duck_is_refused_as_before(world: World) -> None:
    async with world.running():
        await _begins(world)
        await world.home.hear(_about(Edit(EventKey(PRIVATE, "$never"), words("bob: x"))))
        assert (await world.home.delivered(2))[-1] == "I do not read edits: please send it as a new message"
        assert world.libera.sent == []


async def test_a_reaction_in_a_talk_is_about_what_was_said_there(world: World) -> None:
    async with world.running():
        await _begins(world)
        await world.home.hear(_about(Reaction(EventKey(PRIVATE, "home-0"), "+")))
        await world.home.settled()
        await world.libera.delivered(1)
        assert world.libera.sent[0][0] == TO_ALICE


async def test_a_guest_is_refused_once_a_day_by_the_puppet_and_nothing_reaches_its_owner(world: World) -> None:
    async with world.running():
        for number in range(3):
            await world.libera.hear(_whisper(f"psst {number}", irc("bob")))
        await world.libera.settled()
        assert [room for room, _ in world.libera.sent] == [TO_ALICE]
        assert "you are a guest here" in world.libera.sent[0][1]
        assert world.home.sent == []
        await world.libera.hear(
            *(_whisper("x", irc(f"e{at}"), Room("libera", f"alice>e{at}"), f"e{at}") for at in range(60))
        )
        await world.libera.settled()
        assert len(world.libera.sent) <= 30


async def test_what_cannot_be_said_is_told_in_words_and_the_next_goes_on(world: World) -> None:
    async with world.running():
        await _begins(world)
        world.libera.failures[TO_ALICE] = [PermanentError("nobody has the nick bob now")]
        await world.home.hear(_typed("bob: one", "$one"))
        assert (await world.home.delivered(2))[-1] == "not delivered to bob on libera: nobody has the nick bob now"
        assert world.home.sent[-1][0] == OF_ALICE
        await world.home.hear(_typed("bob: two"))
        assert await world.libera.delivered(1) == ["alice: two"]


async def test_a_guest_on_matrix_begins_no_talk(world: World) -> None:
    async with world.running():
        eve = matrix("eve")
        await world.home.hear(said(PRIVATE, eve, "msg libera/bob hi", private=True))
        await world.home.settled()
        assert world.libera.sent == []


async def test_a_room_of_a_ghost_needs_no_name_before_the_words(world: World) -> None:
    """The adapter says which talk it is; and with whom, if it knows."""
    async with world.running():
        event = said(OF_ALICE, ALICE, "help", private=True)
        await world.home.hear(event)
        assert "To begin a talk" in (await world.home.delivered(1))[-1]
        await world.libera.hear(_whisper("psst"))
        await world.home.delivered(2)
        await world.home.hear(replace(event, id="$two"))
        assert await world.libera.delivered(1) == ["alice: help"]


async def test_a_notice_and_an_action_stay_what_they_are(world: World) -> None:
    async with world.running():
        await world.libera.hear(
            replace(_whisper("waves", id_="a"), body=said(HOME, BOB, "waves", kind=Kind.ACTION).body),
            replace(_whisper("note", id_="n"), body=said(HOME, BOB, "note", kind=Kind.NOTICE).body),
        )
        assert await world.home.delivered(2) == ["* bob waves", "bob: note"]


async def test_a_network_that_is_linked_no_more_does_not_make_a_name_ambiguous(world: World) -> None:
    """It may have another name now."""
    async with world.running():
        await _begins(world, _whisper("hi", irc("bob", "bob", network="oftc"), Room("oftc", "alice>bob")))
    world.link = replace(world.link, rooms=(HOME, LIBERA))
    async with world.running():
        await _begins(world)
        await world.home.hear(_typed("bob: hello"))
        assert await world.libera.delivered(1) == ["alice: hello"]


async def test_only_so_many_talks_are_kept_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.relay.talks._MOST", 2)
    store = MemoryStore(clock=lambda: 0.0)
    lease = await store.acquire("home", "test")
    assert lease is not None
    await lease.commit(Commit(changes={TALKS + "junk": "{", "other": "x"}))
    talks = Talks()
    await talks.load(lease)
    rooms = [Room("home", f"@alice:hs>libera/{nick}") for nick in "abc"]
    for room in rooms:
        await talks.begin(lease, room, "bob", "bob")
    assert [talk.nick for talk, _ in talks.of("home", "@alice:hs")] == ["c", "b"]
    assert talks.of("home", "@alice:h") == talks.of("home", "@eve:hs") == []
    kept = await lease.recall()
    assert {key for key in kept if key.startswith(f"{TALKS}@")} == {TALKS + room.id for room in rooms[1:]}


@given(st.lists(st.text(max_size=5), max_size=5), st.integers(0, 12))
def test_a_text_without_its_beginning_is_the_rest_of_it(texts: list[str], length: int) -> None:
    text = tuple(Span(each, Style(number % 4)) for number, each in enumerate(texts))
    assert plain(without_beginning(text, length)) == "".join(texts)[length:]
    left = {(span.style, span.text) for span in without_beginning(text, 0)}
    assert left == {(span.style, span.text) for span in text if span.text}
