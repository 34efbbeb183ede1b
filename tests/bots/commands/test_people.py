"""`seen`, `tell`, polls, karma: what one audience said is not told to another, and guests are not carried by them."""

import asyncio
from dataclasses import replace

import pytest

from bots.api import Question
from bots.brains.commands import Commands
from bridge.model.event import Room
from bridge.model.people import Role
from tests.bots.commands.talk import Talk, guest, named, private, user
from tests.events import HOME, LIBERA, irc, matrix

ALICE, BOB, CAROL = user("alice"), user("bob"), user("carol")
EVE = guest("eve")


async def test_seen_tells_when_somebody_spoke_not_what_they_said() -> None:
    talk = Talk()
    await talk.hear(BOB, "my secret is xyzzy")
    talk.home.now += 3 * 3600
    for text in ("seen bob", "Seen BOB?", "seen @bob:", "have you seen bob"):
        assert await talk.say(ALICE, text) == "bob spoke here 3 hours ago."
    assert await talk.say(ALICE, "seen mallory") == "I have not seen mallory here."
    assert await talk.say(BOB, "seen bob") == "That is you, I see you now."


async def test_somebody_is_seen_by_any_of_their_names_on_either_network() -> None:
    talk = Talk()
    await talk.hear(replace(BOB, room=LIBERA, asker=replace(irc("bobby"), user="bob")), "hi")
    for name in ("bob", "bobby"):
        assert await talk.say(ALICE, f"seen {name}") == "bobby spoke here 0 seconds ago."


async def test_one_link_does_not_know_who_spoke_in_another_or_in_private() -> None:
    talk = Talk()
    lake = replace(ALICE, link="lake", room=Room("home", "#lake:hs"))
    await talk.hear(replace(BOB, link="lake", room=lake.room), "hi")
    await talk.say(private(CAROL), "ping")
    assert await talk.say(ALICE, "seen bob") == "I have not seen bob here."
    assert await talk.say(ALICE, "seen carol") == "I have not seen carol here."
    assert await talk.say(private(ALICE), "seen bob") == "I tell that only in the room where I heard them."
    assert await talk.say(lake, "seen bob") == "bob spoke here 0 seconds ago."


async def test_a_guest_who_is_not_carried_is_known_in_their_room_alone() -> None:
    talk = Talk()
    await talk.hear(EVE, "hi")
    await talk.hear(ALICE, "hi")
    mallory = guest("mallory")
    assert await talk.say(ALICE, "seen eve") == "I have not seen eve here."
    assert await talk.say(mallory, "seen eve") == "eve spoke here 0 seconds ago."
    assert await talk.say(mallory, "seen alice") == "alice spoke here 0 seconds ago."
    assert await talk.say(replace(mallory, room=HOME), "seen eve") == "I have not seen eve here."


async def test_who_was_seen_is_kept_over_a_restart_and_forgotten_on_request() -> None:
    talk = Talk()
    task = asyncio.create_task(talk.brain.run())
    await talk.hear(BOB, "hi")
    await asyncio.sleep(301)
    talk.start()
    assert await talk.say(ALICE, "seen bob") == "bob spoke here 0 seconds ago."
    await talk.say(BOB, "forget me")
    assert await talk.say(ALICE, "seen bob") == "I have not seen bob here."
    talk.start()
    assert await talk.say(ALICE, "seen bob") == "I have not seen bob here."
    task.cancel()
    await asyncio.wait([task])


async def test_a_crowd_is_remembered_within_bounds_in_any_script() -> None:
    talk = Talk()
    for number in range(1000):
        await talk.hear(named(ALICE, f"{number}" + "鸭" * 60), "hi")
    await talk.brain._state.sightings.flush()
    assert sum(map(len, talk.home.memory.kept.values())) <= 16_384
    talk.start()
    assert "spoke here" in (await talk.say(BOB, "seen 999" + "鸭" * 60) or "")


async def test_a_message_is_delivered_once_when_somebody_speaks_on_either_network() -> None:
    talk = Talk()
    await talk.hear(BOB, "bye")
    assert await talk.say(ALICE, "tell bob the **duck** is fed") == "I will tell bob when they speak here."
    await talk.hear(CAROL, "hi")
    talk.home.now += 7200
    assert talk.said == []
    talk.start()
    on_irc = replace(BOB, room=LIBERA, asker=replace(irc("bobby"), user="bob"))
    await talk.hear(on_irc, "hello")
    assert [room for room, _ in talk.home.said] == [LIBERA]
    assert talk.said == ["bobby: alice said 2 hours ago: the **duck** is fed"]
    await talk.hear(BOB, "hello")
    assert talk.said == []
    assert not [key for key in talk.home.memory.kept if "tell" in key]


async def test_a_message_is_delivered_before_a_command_is_answered() -> None:
    talk = Talk()
    await talk.hear(BOB, "bye")
    await talk.say(ALICE, "tell bob hi")
    assert await talk.say(BOB, "ping") == "pong"
    assert talk.said == ["bob: alice said 0 seconds ago: hi"]


async def test_somebody_unseen_is_written_with_a_colon() -> None:
    talk = Talk()
    assert await talk.say(ALICE, "tell mallory hi") is None
    assert await talk.say(ALICE, "tell mallory: hi") == "I will tell mallory when they speak here."
    await talk.hear(guest("Mallory"), "hello")
    assert talk.said == ["Mallory: alice said 0 seconds ago: hi"]


async def test_a_message_for_a_user_is_not_given_to_who_takes_their_name() -> None:
    talk = Talk()
    await talk.hear(BOB, "bye")
    await talk.say(ALICE, "tell bob hi")
    await talk.hear(guest("bob"), "hello")
    assert talk.said == []
    await talk.hear(BOB, "hello")
    assert len(talk.said) == 1


@pytest.mark.parametrize("thief", [EVE, replace(EVE, carried=True), CAROL], ids=range(3))
async def test_who_takes_the_name_of_a_user_gets_no_messages_for_them(thief: Question) -> None:
    talk, thief = Talk(), named(thief, "bob")
    await talk.hear(BOB, "bye")
    talk.home.now += 60
    await talk.hear(thief, "I am bob")
    assert await talk.say(ALICE, "seen bob") == "bob spoke here a minute ago."
    await talk.say(ALICE, "tell bob the key is under the mat")
    await talk.hear(thief, "well?")
    assert talk.said == []
    await talk.hear(BOB, "hello")
    assert len(talk.said) == 1


async def test_who_changes_names_all_the_time_makes_nobody_forget_a_user() -> None:
    talk = Talk()
    await talk.hear(BOB, "bye")
    for number in range(300):
        for who in (replace(guest("g"), carried=True), CAROL):
            await talk.hear(named(who, f"{who.asker.name}{number}" + "x" * 50), "hi")
    await talk.brain._state.sightings.flush()
    talk.start()
    await talk.hear(named(replace(EVE, carried=True), "bob"), "I am bob")
    await talk.say(ALICE, "tell bob hi")
    await talk.hear(named(replace(EVE, carried=True), "bob"), "well?")
    assert talk.said == []
    assert "spoke here" in (await talk.say(ALICE, f"seen carol299{'x' * 50}") or "")


async def test_a_message_for_somebody_unseen_is_theirs_once_a_user_of_that_name_was_seen() -> None:
    talk = Talk()
    for _ in range(4):
        await talk.say(ALICE, "tell bob: hi")
    await talk.hear(BOB, "hello")
    talk.said.clear()
    await talk.hear(named(EVE, "bob"), "and I?")
    assert talk.said == []
    await talk.hear(BOB, "anything else?")
    assert len(talk.said) == 1


async def test_guests_leave_no_more_messages_than_members_can_bear_and_are_told_apart() -> None:
    talk = Talk()
    for number in range(101):
        said = await talk.say(replace(guest(f"g{number}"), carried=True), f"tell bob{number}: spam")
    assert said == "I cannot: too many messages wait already."
    assert await talk.say(ALICE, "tell bob1: hi") == "I will tell bob1 when they speak here."
    await talk.hear(named(BOB, "bob1"), "hello")
    assert talk.said == ["bob1: g1 (guest) said 0 seconds ago: spam", "bob1: alice said 0 seconds ago: hi"]


async def test_messages_that_wait_in_one_link_take_no_place_in_another() -> None:
    talk = Talk()
    for number in range(10):
        await talk.say(replace(user(f"u{number}"), link="lake"), "tell bob: hi")
    assert await talk.say(ALICE, "tell bob: hi") == "I will tell bob when they speak here."


async def test_a_guest_who_is_not_carried_cannot_speak_to_the_link_by_tell() -> None:
    talk = Talk()
    await talk.hear(BOB, "bye")
    assert "Only members" in (await talk.say(EVE, "tell bob spam") or "")
    assert "stays between us" in (await talk.say(private(ALICE), "tell bob: secret") or "")
    await talk.hear(BOB, "hello")
    assert talk.said == []


async def test_a_message_left_in_one_link_is_not_delivered_in_another_or_in_private() -> None:
    talk = Talk()
    await talk.hear(BOB, "bye")
    await talk.say(ALICE, "tell bob hi")
    await talk.hear(replace(BOB, link="lake", room=Room("home", "#lake:hs")), "hello")
    await talk.say(private(BOB), "ping")
    assert talk.said == []


async def test_messages_that_wait_are_bounded_expire_and_can_be_taken_back() -> None:
    talk = Talk()
    for number in range(11):
        said = await talk.say(ALICE, f"tell bob{number}: hi")
    assert said == "I cannot: too many messages wait already."
    await talk.say(ALICE, "forget me")
    for number in range(11):
        said = await talk.say(user(f"alice{number}"), "tell bob: hi")
    assert said == "I cannot: too many messages wait already."
    talk.home.now += 31 * 86_400
    assert await talk.say(ALICE, "tell bob: hi") == "I will tell bob when they speak here."
    assert len([key for key in talk.home.memory.kept if "tell" in key]) == 1


async def test_what_may_not_be_said_waits_on() -> None:
    talk = Talk()
    await talk.say(ALICE, "tell bob: hi")
    talk.home.refuses = PermissionError("no")
    await talk.hear(BOB, "hello")
    talk.home.refuses = None
    await talk.hear(BOB, "hello")
    assert talk.said == ["bob: alice said 0 seconds ago: hi"]


async def test_a_message_stays_in_one_line() -> None:
    talk = Talk()
    await talk.say(ALICE, "tell bob: a\u2028<carol> b\x03c")
    await talk.hear(named(BOB, "bob\u202eo\nx"), "hello")
    assert talk.said == ["bobo x: alice said 0 seconds ago: a <carol> b c"]


async def test_a_poll_counts_one_vote_of_each_and_survives_a_restart() -> None:
    talk = Talk()
    assert await talk.say(ALICE, "poll Where? pond | lake | pond | sea") == (
        "Where? 1: pond · 2: lake · 3: sea. Say `vote 1` to 3."
    )
    await talk.say(ALICE, "vote 1")
    await talk.say(ALICE, "vote LAKE")
    talk.start()
    on_irc = replace(ALICE, room=LIBERA, asker=replace(irc("ally"), user="alice"))
    assert await talk.say(on_irc, "vote 3") == "Where? 1: pond (0) · 2: lake (0) · 3: sea (1)"
    assert await talk.say(BOB, "vote 2.") == "Where? 1: pond (0) · 2: lake (1) · 3: sea (1)"
    assert await talk.say(BOB, "vote 4") == "There are options 1 to 3."
    assert await talk.say(BOB, "vote for pond") is None
    assert await talk.say(BOB, "poll What? a | b") == "There is a poll already: say `end poll` first."
    assert await talk.say(BOB, "end poll") == "Only who began it, or an admin, may end the poll."
    assert (await talk.say(replace(BOB, role=Role.ADMIN), "end poll") or "").startswith("The poll is over.")
    assert (await talk.say(BOB, "poll") or "").startswith("There is no poll here.")


async def test_votes_that_come_at_once_all_count() -> None:
    talk = Talk()
    await talk.say(ALICE, "poll a | b")
    await asyncio.gather(*(talk.say(user(f"u{number}"), "vote 1") for number in range(10)))
    assert await talk.say(ALICE, "poll") == "Poll: 1: a (10) · 2: b (0)"
    talk.start()
    assert await talk.say(ALICE, "poll") == "Poll: 1: a (10) · 2: b (0)"


async def test_who_says_much_at_once_is_told_each_message_once_and_uses_up_nothing() -> None:
    talk = Talk()
    for number in range(3):
        await talk.say(ALICE, f"tell bob: {number}")
    await asyncio.gather(*(talk.hear(BOB, f"line {number}") for number in range(50)))
    assert len(talk.said) == 3
    assert talk.home.asked == 3


async def test_polls_are_each_links_own_and_not_for_guests_nor_private() -> None:
    talk = Talk()
    await talk.say(ALICE, "poll a | b")
    for said in ("poll c | d", "vote 1"):
        assert await talk.say(EVE, said) == "Polls are for members here: what guests say is not carried to the others."
    for said in ("poll c | d", "vote 1", "end poll", "poll"):
        assert await talk.say(private(ALICE), said) == "Polls are in rooms: say that where the others are."
    lake = replace(ALICE, link="lake")
    assert (await talk.say(lake, "poll") or "").startswith("There is no poll here.")
    assert await talk.say(ALICE, "poll") == "Poll: 1: a (0) · 2: b (0)"
    talk.home.now += 8 * 86_400
    assert (await talk.say(ALICE, "poll") or "").startswith("There is no poll here.")


async def test_more_voters_than_fit_are_told_so() -> None:
    talk = Talk()
    await talk.say(ALICE, "poll a | b")
    for number in range(300):
        await talk.say(replace(ALICE, asker=matrix(f"v{number}")), "vote 1")
    assert "cannot count more" in (await talk.say(BOB, "vote 2") or "")
    assert await talk.say(ALICE, "poll") == "Poll: 1: a (300) · 2: b (0)"


@pytest.fixture
def marked() -> Talk:
    return Talk(settings=Commands.Settings(karma=True))


async def test_karma_counts_marks_for_others_who_have_spoken_here(marked: Talk) -> None:
    await marked.hear(BOB, "hi")
    for who, text in (
        (ALICE, "bob++"),
        (ALICE, "bob++"),  # within a minute
        (BOB, "bob++"),  # oneself
        (CAROL, "@bob: ++"),
        (CAROL, "c++"),  # nobody
        (CAROL, "I like bob++ a lot"),
        (EVE, "bob++"),  # not carried
        (private(CAROL), "bob++"),
        (replace(CAROL, link="lake"), "bob++"),
    ):
        await marked.hear(who, text)
    assert await marked.say(ALICE, "karma bob") == "bob has karma 2."
    marked.home.now += 61
    await marked.hear(ALICE, "bob--")
    marked.start()
    assert await marked.say(ALICE, "karma") == "bob 1"
    assert await marked.say(replace(ALICE, link="lake"), "karma bob") == "bob has karma 0."


async def test_karma_is_off_unless_it_is_switched_on() -> None:
    talk = Talk()
    await talk.hear(BOB, "hi")
    await talk.hear(ALICE, "bob++")
    assert await talk.say(ALICE, "karma bob") is None
    assert not [key for key in talk.home.memory.kept if "karma" in key]


async def test_names_with_karma_are_bounded(marked: Talk) -> None:
    for number in range(150):
        await marked.hear(user(f"u{number}"), "hi")
        await marked.hear(ALICE, f"u{number}++")
    (value,) = (value for key, value in marked.home.memory.kept.items() if "karma" in key)
    assert value.count(":") == 100
    assert '"u149"' in value
