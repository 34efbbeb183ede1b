"""By whom a message is said: each message once, whatever goes wrong on the way (bridge.matrix.ghosts.faces)."""

import asyncio
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.matrix.dialect.operations import Move
from bridge.matrix.dialect.sync import Membership
from bridge.matrix.ghosts.records import KEY, Ghost, Place
from bridge.matrix.http.homeserver import ApiError
from bridge.model.people import Sender
from bridge.network import FaceRemoved, TransientError
from tests.events import irc
from tests.matrix.ghosts.house import US, House, Pond, Run, face, ghost, person

_BOB = person("bob")


@pytest.fixture
def pond(tmp_path: Path) -> Pond:
    return Pond(tmp_path)


async def test_a_ghost_is_made_once_and_each_message_takes_one_request(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        asked = len(pond.house.asked)
        stored = pond.memory.remembered
        await run.say(_BOB, "two")
        assert pond.house.asked[asked:] == [
            f"{ghost('bob')} PUT rooms/!pond/send/m.room.message/{run.post(_BOB, 'two').id}"
        ]
        assert pond.memory.remembered == stored  # nor is anything stored
    assert pond.house.said == [(ghost("bob"), "one"), (ghost("bob"), "two")]


@pytest.mark.parametrize("forgets", [False, True])
async def test_an_answer_that_was_lost_is_found_and_not_said_again_by_anybody(pond: Pond, *, forgets: bool) -> None:
    pond.house.remembers_transactions = not forgets
    async with pond.runs() as run:
        await run.say(_BOB, "zero")
        pond.house.lose("/send/")
        with pytest.raises(TransientError) as lost:
            await run.say(_BOB, "one")
        assert lost.value.unclear
        pond.house.known = False  # and now only the other one could
        assert await run.say(_BOB, "one") == "$1"
        pond.house.known = True
    async with pond.runs() as run:
        assert await run.say(_BOB, "one", again=True) == "$1"
    assert pond.house.said == [(ghost("bob"), "zero"), (ghost("bob"), "one")]


async def test_what_the_bridge_may_have_said_itself_is_not_said_by_a_ghost_that_has_come_since(pond: Pond) -> None:
    pond.house.known = False
    async with pond.runs() as run:
        pond.house.lose("/send/")
        with pytest.raises(TransientError):
            await run.say(_BOB, "one")
        pond.house.known = True
        pond.path.touch()
        await asyncio.sleep(5)  # it is known now
        pond.house.events.clear()  # and what it said is still on its way: it is not seen yet
        await run.say(_BOB, "one")
        assert pond.house.said == [(US, "<bob> one")]
        await run.say(_BOB, "two")
    pond.house.events.clear()
    async with pond.runs() as run:  # of eve an earlier run could only have said it itself
        await run.say(person("eve"), "three", again=True)
    assert pond.house.said == [(US, "<eve> three")]


async def test_what_a_ghost_may_have_said_is_said_by_it_again_after_a_restart(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "zero")
    async with pond.runs() as run:
        await run.say(_BOB, "one", again=True)
    assert pond.house.said[-1] == (ghost("bob"), "one")


async def test_a_ghost_that_was_removed_while_an_answer_was_lost_has_said_it_once(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "zero")
        pond.house.lose("/send/")
        with pytest.raises(TransientError):
            await run.say(_BOB, "one", marks=True)
        pond.house.members[ghost("bob")] = ("ban", "@mod:hs")
        assert await run.say(_BOB, "one", marks=True) == "$1"
        await run.say(_BOB, "two", marks=True)
        with pytest.raises(FaceRemoved, match="banned by @mod:hs: loud"):
            await run.say(_BOB, "three")
    assert pond.house.said == [(ghost("bob"), "zero"), (ghost("bob"), "one"), (US, "<bob> two")]
    assert Ghost.parse("", pond.memory.kept[KEY + ghost("bob")]).rooms == {"!pond": Place.BANNED}


async def test_after_a_restart_a_ghost_speaks_at_once_before_the_homeserver_was_asked_whether_it_knows_us(
    pond: Pond,
) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
    early = Run(pond, idle_s=86_400.0)
    await early.faces.recall()
    await early.say(_BOB, "two")
    assert pond.house.said == [(ghost("bob"), "one"), (ghost("bob"), "two")]


async def test_a_homeserver_that_is_away_is_waited_for_and_the_same_one_speaks(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "zero")
        pond.house.spoil("/send/", ApiError(502, "", "bad gateway"))
        with pytest.raises(TransientError):
            await run.say(_BOB, "one")
        await run.say(_BOB, "one")
    assert pond.house.said == [(ghost("bob"), "zero"), (ghost("bob"), "one")]


async def test_a_token_that_is_not_known_any_more_costs_one_line_and_is_tried_again_rarely(pond: Pond) -> None:
    with capture_logs() as lines:
        async with pond.runs() as run:
            await run.say(_BOB, "one")
            pond.house.known = False
            for number in range(20):
                await run.say(_BOB, f"number {number}")
                await asyncio.sleep(60)
            tried = sum("service GET account/whoami" in asked for asked in pond.house.asked)
            assert tried <= 2
            assert sum(asked.startswith(ghost("bob")) and "/send/" in asked for asked in pond.house.asked) == 2
            pond.house.known = True
            await asyncio.sleep(3700)
            await run.say(_BOB, "back")
    assert [line["event"] for line in lines if line["event"].startswith("ghosts_")] == [
        "ghosts_available",
        "ghosts_unavailable",
        "ghosts_available",
    ]
    assert pond.house.said[1:3] == [(US, "<bob> number 0"), (US, "<bob> number 1")]
    assert pond.house.said[-1] == (ghost("bob"), "back")


async def test_the_first_words_wait_for_a_ghost_for_a_moment_only(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(person("eve"), "zero")
        pond.house.pause_s = 2.0
        began = asyncio.get_running_loop().time()
        await run.say(_BOB, "one")
        assert asyncio.get_running_loop().time() - began < 6
        pond.house.pause_s = 0.0
        await asyncio.sleep(20)
        await run.say(_BOB, "two")
    assert pond.house.said == [(ghost("eve"), "zero"), (US, "<bob> one"), (ghost("bob"), "two")]


async def test_later_words_do_not_wait_for_a_ghost_that_is_slow_to_come(pond: Pond) -> None:
    """A homeserver that answers ghosts late, or never, does not make a conversation slow."""
    async with pond.runs() as run:
        await run.say(person("eve"), "zero")
        pond.house.stalls = "join|whoami"
        began = asyncio.get_running_loop().time()
        for number in range(20):
            await run.say(_BOB, f"word {number}")
        assert 3 <= asyncio.get_running_loop().time() - began < 4
    assert pond.house.said[1:] == [(US, f"<bob> word {number}") for number in range(20)]


async def test_later_words_do_not_wait_for_a_homeserver_that_does_not_say_whether_it_knows_us(pond: Pond) -> None:
    pond.house.stalls = "whoami"
    async with pond.runs() as run:
        began = asyncio.get_running_loop().time()
        for number in range(20):
            await run.say(person(f"p{number}"), "hi")
        assert 3 <= asyncio.get_running_loop().time() - began < 4
    assert {sender for sender, _ in pond.house.said} == {US}


async def test_a_crowd_comes_one_after_the_other_and_nobody_is_kept_waiting(pond: Pond) -> None:
    async with pond.runs() as run:
        began = asyncio.get_running_loop().time()
        crowd = [person(f"p{number}") for number in range(100)]
        await asyncio.gather(*(run.say(who, "hi") for who in crowd))
        assert asyncio.get_running_loop().time() - began < 4
        assert len(pond.house.said) == 100
        made = len(pond.house.accounts.keys() & {f"irc_libera_p{number}" for number in range(100)})
        assert 5 <= made <= 12
        await asyncio.sleep(60)
        await run.say(crowd[20], "again")
        assert pond.house.said[-1] == (ghost("p20"), "again")


async def test_a_ghost_is_invited_where_it_has_to_be_and_where_it_cannot_come_that_is_said_once(pond: Pond) -> None:
    pond.house.public = False
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        with capture_logs() as lines:
            pond.house.spoil("invite", ApiError(403, "M_FORBIDDEN", "no power"))
            await run.say(person("eve"), "two")
            await run.say(person("eve"), "three")
    assert pond.house.said == [(ghost("bob"), "one"), (US, "<eve> two"), (US, "<eve> three")]
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["ghost_not_let_in"]


async def test_who_is_silent_for_long_leaves_and_comes_back_with_the_next_words(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        await run.say(person("eve"), "one")
    pond.now += 29 * 86_400
    async with pond.runs() as run:
        await run.say(person("eve"), "two")
        await asyncio.sleep(5)
        assert pond.house.members[ghost("bob")][0] == "join"
    pond.now += 2 * 86_400
    async with pond.runs() as run:
        await asyncio.sleep(5)
        assert [pond.house.members[ghost(who)][0] for who in ("bob", "eve")] == ["leave", "join"]
        await run.say(_BOB, "two")
    assert pond.house.said[-1] == (ghost("bob"), "two")


async def test_what_is_heard_of_a_ghost_counts_at_once_and_after_a_restart(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        kicked = Membership(ghost("bob"), "leave", "", "@mod:hs", "out with you")
        run.faces.hear(run.joined, kicked)
        pond.house.members[ghost("bob")] = ("leave", "@mod:hs")
        with pytest.raises(FaceRemoved, match="out with you"):
            await run.say(_BOB, "two")
    async with pond.runs() as run:
        with pytest.raises(FaceRemoved, match="out with you"):
            await run.say(_BOB, "two")
        run.faces.hear(run.joined, Membership(ghost("bob"), "invite", "", US, ""))  # our own word does not count
        with pytest.raises(FaceRemoved):
            await run.say(_BOB, "two")
        run.faces.hear(run.joined, Membership(ghost("bob"), "invite", "", "@mod:hs", ""))
        await run.say(_BOB, "three")
    assert pond.house.said == [(ghost("bob"), "one"), (ghost("bob"), "three")]


@pytest.mark.parametrize(("before", "returns"), [("ban", True), ("invite", False), ("join", False), ("", True)])
async def test_an_invitation_that_was_taken_back_lets_no_ghost_in_and_a_lifted_ban_does(
    pond: Pond, before: str, *, returns: bool
) -> None:
    """Before we hear of it. Where the homeserver does not tell what was before, the invitation counts."""
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        for membership in ("leave", "invite"):
            run.faces.hear(run.joined, Membership(ghost("bob"), membership, "", "@mod:hs", ""))
        pond.house.members[ghost("bob")], pond.house.before = ("leave", "@mod:hs"), before
        if returns:
            await run.say(_BOB, "two")
        else:
            with pytest.raises(FaceRemoved, match="removed by @mod:hs: loud"):
                await run.say(_BOB, "two")
    assert (pond.house.members[ghost("bob")][0] == "join") is returns


async def test_a_ghost_that_joined_at_the_moment_in_which_it_was_removed_is_not_locked_out(pond: Pond) -> None:
    """Nobody can invite who is in the room."""
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        run.faces.hear(run.joined, Membership(ghost("bob"), "leave", "", "@mod:hs", ""))
        run.faces.hear(run.joined, Membership(ghost("bob"), "join", "", ghost("bob"), ""))
        await run.say(_BOB, "two")
    async with pond.runs() as run:
        await run.say(_BOB, "three")
    assert [sender for sender, _ in pond.house.said] == [ghost("bob")] * 3


async def test_who_is_told_of_a_removal_is_told_by_whom_though_the_ghost_is_invited_at_that_moment(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        run.faces.hear(run.joined, Membership(ghost("bob"), "leave", "", "@mod:hs", "out with you"))
        telling = asyncio.create_task(run.say(_BOB, "two"))
        while not pond.memory.is_remembering:  # noqa: ASYNC110  (a store rings no bell)
            await asyncio.sleep(0)
        run.faces.hear(run.joined, Membership(ghost("bob"), "invite", "", "@mod:hs", ""))
        with pytest.raises(FaceRemoved, match="removed by @mod:hs: out with you"):
            await telling


async def test_a_ghost_is_found_by_the_nick_that_its_person_has_now(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        (left,) = await run.faces.move(run.joined, [Move("left", "", face(person("eve")))]) or (None,)
        assert left is not None
        assert not await run.faces.move(run.joined, [Move("renamed", "", face(_BOB), "Robert", nick="robert")])
    async with pond.runs() as run:
        found = run.faces.by_nick("libera", "robert")
        assert found is not None
        assert (found.user, found.account, found.shown) == (ghost("bob"), "bob", "Robert")
        assert run.faces.by_nick("libera", "bob") is None
        assert run.faces.by_nick("oftc", "robert") is None


def _nameless(nick: str) -> Sender:
    """Somebody without a services account, behind a gateway."""
    return replace(irc(nick, None), mask=f"{nick}!web@gateway.example")


def _replaced(old: str, new: str) -> Move:
    return Move("replaced", "", face(_nameless(old)), nick=new)


async def test_who_takes_a_nick_with_the_same_user_and_host_gets_another_ghost_while_the_first_is_there(
    pond: Pond,
) -> None:
    async with pond.runs() as run:
        move = partial(run.faces.move, run.joined)
        await run.say(_nameless("kate"), "one")
        for _ in range(2):  # once more, as in another room, or after a crash
            await move([_replaced("kate", "katy")])
        assert pond.house.members[ghost("kate_1")][0] == "leave"
        await run.say(_nameless("kate"), "I am somebody else")
        await run.say(_nameless("katy"), "two")
        await move([_replaced("katy", "kat")])  # the first one goes on
        await run.say(_nameless("kate"), "still me")
        await move([Move("left", "", face(_nameless("kate")))])
        await move([_replaced("kat", "kate")])  # and is back
        await run.say(_nameless("kate"), "three")
        assert pond.house.said == [
            (ghost("kate_1"), "one"),
            (ghost("kate_2"), "I am somebody else"),
            (ghost("katy_1"), "two"),
            (ghost("kate_2"), "still me"),
            (ghost("kate_1"), "three"),
        ]


async def test_a_store_that_was_lost_makes_nothing_twice_and_lets_nobody_back_in(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        await run.say(person("eve"), "one")
    pond.memory.kept.clear()
    pond.house.members[ghost("eve")] = ("leave", "@mod:hs")
    async with pond.runs() as run:
        await run.say(_BOB, "two")
        with pytest.raises(FaceRemoved):
            await run.say(person("eve"), "two")
        assert run.faces.is_ours(ghost("whoever"))
        assert not run.faces.is_ours("@irc_libera_bob:elsewhere")
        assert not run.faces.is_ours("@alice:hs")


async def test_a_ghost_takes_little_memory_and_there_are_so_many_at_most(pond: Pond) -> None:
    import tracemalloc

    from bridge.matrix.ghosts.records import KNOWN, MOST, Ghosts

    kept = {
        KEY + f"@irc_libera_person{number}:hs": json.dumps(
            {"shown": f"person{number}", "picture": "mxc://hs/abcdefghijklmnopqrstuvwx", "made": True, "day": 20_000}
            | {"rooms": {"!abcdefghijklmnopqrstuvwxyz:hs": "in", "!b:hs": "banned"}, "why": {"!b:hs": "banned by x"}}
        )
        for number in range(KNOWN)
    }
    tracemalloc.start()
    ghosts = Ghosts("hs")
    ghosts.recall(kept)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(ghosts) == KNOWN
    assert size / KNOWN <= 3_000
    assert ghosts.add(face(person("new")), 0) is None
    for each in [*ghosts][MOST - 1 :]:
        each.go("!abcdefghijklmnopqrstuvwxyz:hs")
    assert not ghosts.is_full()
    next(iter([*ghosts][MOST:])).enter("!abcdefghijklmnopqrstuvwxyz:hs")
    assert ghosts.is_full()


async def test_where_too_many_are_in_rooms_the_mark_speaks_until_others_have_left(
    pond: Pond, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.matrix.ghosts.records.MOST", 2)
    async with pond.runs() as run:
        for name in ("bob", "carol", "dora"):
            await run.say(person(name), "hi")
        assert pond.house.said == [(ghost("bob"), "hi"), (ghost("carol"), "hi"), (US, "<dora> hi")]
        assert await run.faces.move(run.joined, [Move("left", "", face(person("carol")))]) == []
        await asyncio.sleep(3_601)
        await run.say(person("dora"), "again")
        await run.say(_BOB, "again")
        assert pond.house.said[3:] == [(ghost("dora"), "again"), (ghost("bob"), "again")]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"rooms": 7, "day": "x", "made": 1, "why": []}', '{"rooms": {"!a": "?"}}']
)
def test_what_cannot_be_read_counts_as_not_there(text: str) -> None:
    found = Ghost.parse("@irc_libera_bob:hs", text)
    assert (found.made, found.rooms, found.why, found.day) == (False, {}, {}, 0)


async def test_where_all_have_ghosts_who_joins_gets_one_and_is_there_when_they_speak(pond: Pond) -> None:
    async with pond.runs() as run:
        joins = (Move("came", "bob has joined", face(_BOB)), Move("joined", "eve has joined", face(person("eve"))))
        assert await run.faces.move(run.joined, joins) == [joins[1]]
        await asyncio.sleep(5)
        assert pond.house.members[ghost("bob")][0] == "join"
        assert await run.faces.move(run.joined, joins[:1]) == []  # once more, as after a crash
        run.joined.encrypted = True
        assert await run.faces.move(run.joined, (Move("came", "", face(person("carol"))),)) != []
    assert pond.house.said == []


async def test_who_leaves_while_their_ghost_is_on_its_way_leaves_none_behind(pond: Pond) -> None:
    """Some wait for their turn, others are being made."""
    crowd = [person(f"p{number}") for number in range(20)]
    async with pond.runs() as run:
        await run.say(_BOB, "one")
        pond.house.pause_s = 0.5
        await run.faces.move(run.joined, [Move("came", "", face(who)) for who in crowd])
        await asyncio.sleep(3)
        left = [Move("left", "", face(who), reason="Quit: bye") for who in crowd[1:]]
        assert await run.faces.move(run.joined, left) == []
        assert await run.faces.move(run.joined, [Move("came", "", face(crowd[19]))]) == []  # and is back at once
        await asyncio.sleep(60)
    inside = {user for user, (membership, _) in pond.house.members.items() if membership == "join"}
    assert inside == {US, ghost("bob"), ghost("p0"), ghost("p19")}


async def test_a_crowd_that_was_there_before_comes_whole_and_leaves_places_for_those_who_speak(pond: Pond) -> None:
    async with pond.runs() as run:
        crowd = [Move("came", "", face(person(f"p{number}"))) for number in range(300)]
        assert await run.faces.move(run.joined, crowd) == []
        gone = Move("left", "", face(person("p299")))
        await run.faces.move(run.joined, [gone])  # before the ghost has come
        await run.say(_BOB, "hi")
        assert pond.house.said == [(US, "<bob> hi")]  # the bridge speaks while the ghost waits for its turn
        await asyncio.sleep(20)
        await run.say(_BOB, "again")
        assert pond.house.said[-1] == (ghost("bob"), "again")
        assert len(pond.house.members) < 60
        await asyncio.sleep(150)
        inside = {who for who, (membership, _) in pond.house.members.items() if membership == "join"}
        assert inside == {US, ghost("bob"), *(ghost(f"p{number}") for number in range(299))}


async def test_a_ghost_that_is_there_speaks_also_while_the_daemon_ends(pond: Pond) -> None:
    async with pond.runs() as run:
        await run.say(_BOB, "one")
    await run.say(_BOB, "two")
    await run.say(person("eve"), "three")
    assert pond.house.said == [(ghost("bob"), "one"), (ghost("bob"), "two"), (US, "<eve> three")]


async def test_a_house_without_a_registration_is_asked_nothing_as_long_as_nobody_wants_ghosts(pond: Pond) -> None:
    async with pond.runs():
        await asyncio.sleep(100)
    assert pond.house.asked == []
    assert pond.memory.kept == {}
    assert isinstance(pond.house, House)
