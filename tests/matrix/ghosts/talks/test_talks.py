"""Private talk of ghosts: each line once, and each invitation answered, whatever goes wrong on the way."""

import asyncio
from pathlib import Path

import pytest

from bridge.matrix.ghosts.talks.rooms import ERRAND, KEY
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.model.text import plain
from tests.events import body_of
from tests.matrix.ghosts.talks.house import ALICE, GHOST, Pond


@pytest.fixture
def pond(tmp_path: Path) -> Pond:
    return Pond(tmp_path)


def _texts(pond: Pond) -> list[str]:
    return [plain(body_of(event).text) for event in pond.heard]


async def test_a_room_is_made_once_and_each_line_takes_one_request(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say("one")
        asked = len(pond.house.asked)
        await run.say("two")
        assert len(pond.house.asked) == asked + 1
    async with pond.runs() as run:
        await run.say("three")
    assert pond.house.said_in("!0") == [(GHOST, "one"), (GHOST, "two"), (GHOST, "three")]
    assert pond.house.there == {"!0": {GHOST: "join", ALICE: "invite"}}


@pytest.mark.parametrize("restarts", [False, True])
async def test_an_answer_that_was_lost_is_found(pond: Pond, *, restarts: bool) -> None:
    async with pond.runs() as run:
        await run.say("zero")
        pond.house.lose("/send/")
        with pytest.raises(Unreachable):
            await run.say("one")
        if not restarts:
            assert await run.say("one") == "$!01"
    async with pond.runs() as run:
        assert await run.say("one", again=True) == "$!01"
    assert pond.house.said_in("!0") == [(GHOST, "zero"), (GHOST, "one")]


async def test_what_a_ghost_may_have_said_nobody_else_says(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say("zero")
        pond.house.lose("/send/")
        with pytest.raises(Unreachable):
            await run.say("one")
        for _ in range(9):
            pond.house.spoil("ping", ApiError(502, "M_CONNECTION_FAILED", "refused"))
        await asyncio.sleep(3700)
        assert await run.say("two") is None  # nobody would hear alice's answer
        assert await run.say("one") == "$!01"


async def test_a_homeserver_that_is_away_is_waited_for(pond: Pond) -> None:
    async with pond.runs() as run:
        for trouble in ("register", "createRoom", "m.room.member/@alice", "/send/"):
            pond.house.spoil(trouble, ApiError(502, "", "bad gateway"))
            with pytest.raises(ApiError):
                await run.say("one")
        await run.say("one")
    assert [lines for lines in map(pond.house.said_in, pond.house.there) if lines] == [[(GHOST, "one")]]


async def test_where_no_room_can_be_made_the_bridge_speaks_and_it_is_tried_again_rarely(pond: Pond) -> None:
    async with pond.runs() as run:
        pond.house.spoil("m.room.member/@alice", ApiError(403, "M_FORBIDDEN", "no"))
        assert await run.say("one") is None
        assert pond.house.there == {"!0": {GHOST: "leave"}}
        asked = len(pond.house.asked)
        assert await run.say("two") is None
        assert len(pond.house.asked) == asked
        pond.house.seals_all = True
        await asyncio.sleep(3700)
        assert await run.say("three") is None
        assert pond.house.there["!1"] == {GHOST: "leave"}
        pond.house.seals_all = False
        await asyncio.sleep(3700)
        assert await run.say("four") == "$!20"
        assert not [key for key in pond.memory.kept if key.startswith(KEY) and "!2" not in key]


@pytest.mark.parametrize("how", ["alice left", "the ghost was removed", "somebody came", "it is sealed"])
async def test_a_room_that_is_none_of_two_any_more_gets_no_word(pond: Pond, how: str) -> None:
    async with pond.runs() as run:
        await run.say("one")
        pond.house.there["!0"][ALICE] = "join"
    match how:
        case "alice left":
            pond.house.there["!0"][ALICE] = "leave"
        case "the ghost was removed":
            pond.house.there["!0"][GHOST] = "leave"
        case "somebody came":
            pond.house.there["!0"]["@eve:hs"] = "join"
        case "it is sealed":
            pond.house.sealed.add("!0")
    async with pond.runs() as run:
        await run.say("two")
    assert pond.house.said_in("!0") == [(GHOST, "one")]
    assert pond.house.said_in("!1") == [(GHOST, "two")]


async def test_an_invitation_is_answered_once_the_homeserver_is_back_and_what_was_said_meanwhile_is_heard(
    pond: Pond,
) -> None:
    async with pond.runs() as run:
        await run.say("zero")  # the ghost is known
        place, invited = pond.house.alice_invites()
        for _ in range(12):
            pond.house.spoil(f"join/{place}", Unreachable("away"))
        await run.tell(invited)
        first = pond.house.alice_says(place, "one")
        await asyncio.sleep(30)
        assert ERRAND + place in pond.memory.kept
    async with pond.runs() as run:  # and we were killed meanwhile
        await asyncio.sleep(700)
        assert pond.house.there[place][GHOST] == "join"
        await run.tell(first, pond.house.alice_says(place, "two"))
        assert _texts(pond) == ["one", "two"]
        assert not [key for key in pond.memory.kept if key.startswith(ERRAND)]


async def test_an_invitation_that_was_withdrawn_is_forgotten(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say("zero")
        place, invited = pond.house.alice_invites()
        pond.house.there[place][GHOST] = "leave"
        await run.tell(invited)
        await asyncio.sleep(1)
        assert not [key for key in pond.memory.kept if key.startswith(ERRAND)]
        assert KEY + place not in pond.memory.kept


async def test_an_invitation_to_a_room_that_is_being_left_is_not_forgotten(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say("zero")
        place, invited = pond.house.alice_invites()
        await run.tell(invited)
        await asyncio.sleep(1)
        third = {"type": "m.room.member", "room_id": place, "sender": ALICE, "state_key": "@eve:hs"}
        pond.house.spoil(f"{place}/leave", Unreachable("away"))
        await run.tell({**third, "content": {"membership": "invite"}, "event_id": "$eve"})
        pond.house.there[place][GHOST] = "invite"
        await run.tell({**invited, "event_id": "$again"})
        await asyncio.sleep(5)
        assert pond.house.there[place][GHOST] == "join"
        await run.tell(pond.house.alice_says(place, "here again"))
        assert _texts(pond) == ["here again"]


async def test_a_crowd_of_invitations_is_bounded(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say("zero")
        pond.refuses = "no"
        pond.house.pause_s = 1e9  # the homeserver answers none of them
        invited = [pond.house.alice_invites()[1] for _ in range(1_500)]
        await run.tell(*invited)
        assert sum(key.startswith(ERRAND) for key in pond.memory.kept) <= 1_000 + 200
