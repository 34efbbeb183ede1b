"""Keys that nothing can need any more are forgotten (bridge.matrix.crypto.olm.spent)."""

import base64
import hashlib
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.crypto.olm import group_sessions, spent
from bridge.matrix.crypto.olm.group_sessions import HEARD, HEARD_IN_ROW, MEGOLM
from bridge.matrix.crypto.olm.opened import NoKey, NotOpened, Unproven
from bridge.matrix.crypto.olm.sessions import OLM
from bridge.matrix.crypto.olm.spent import DAY_S, UNUSED_DAYS, Spent, is_old
from bridge.matrix.crypto.olm.store import DEVICE
from bridge.matrix.crypto.pruning import Pruning
from bridge.matrix.crypto.rows import Rows, named
from bridge.matrix.http.homeserver import ApiError, TooLarge, Unreachable
from bridge.matrix.rooms.joined import Rooms
from bridge.model.event import Room
from tests.fakes.memory import Notebook
from tests.matrix.crypto.parties import ROOM, Party, two

_WEEK_S = 7 * DAY_S


def _prune(duck: Party, period_s: float = _WEEK_S) -> None:
    for _ in duck.machine.prune(lambda _: period_s, lambda _: True):
        pass


async def test_a_room_key_that_was_not_used_for_two_months_goes_with_what_was_heard() -> None:
    ann, duck = await two()
    assert duck.read(ann.say("hi")) == "hi"
    duck.now += UNUSED_DAYS * DAY_S
    _prune(duck)
    assert len(duck.rows.of(MEGOLM)) == 1
    duck.now += DAY_S
    _prune(duck)
    assert (len(duck.rows.of(MEGOLM)), len(duck.rows.of(HEARD))) == (0, 0)


async def test_a_room_key_that_is_used_stays_and_its_row_is_written_once_a_day() -> None:
    ann, duck = await two()
    rows = set()
    for number in range(100):
        duck.now += DAY_S / 2
        assert duck.read(ann.say("hi", f"${number}")) == "hi"
        rows.add(next(iter(duck.rows.of(MEGOLM).values())))
        _prune(duck)
    assert len(rows) in (50, 51)


async def test_a_room_whose_people_use_one_key_for_a_year_keeps_it_that_long() -> None:
    ann, duck = await two()
    assert duck.read(ann.say("hi")) == "hi"
    duck.now += 360 * DAY_S
    _prune(duck, 365 * DAY_S)
    assert duck.read(ann.say("again", "$2")) == "again"


async def test_an_old_message_that_is_played_again_is_not_opened_though_its_sender_gives_the_key_again() -> None:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    keys = ann.give_key(duck)
    event = ann.say("pay him")
    duck.hear(keys)
    assert duck.read(event) == "pay him"
    duck.now += 100 * DAY_S
    _prune(duck)
    later = await _stored(duck)
    for again in (duck, later):
        ann.machine._olm.outbound_group_sessions[ROOM].users_shared_with.clear()
        again.hear(ann.give_key(again))  # the same key once more
        with pytest.raises(NotOpened, match="was dropped") as found:
            again.read(event | {"event_id": "$again"})
        assert not isinstance(found.value, NoKey)


async def test_nobody_makes_the_key_of_another_count_as_dropped() -> None:
    ann, eve, duck = await Party("@ann:hs").begin(), await Party("@eve:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann, eve)
    keys = ann.give_key(duck)
    claimed = eve.claim(duck, ann)
    event = ann.say("hi")
    duck.hear([claimed])
    with pytest.raises(Unproven):
        duck.read(event)
    assert duck.read(event | {"sender": "@eve:hs", "event_id": "$eve"}) == "hi"  # she could have said it, too
    assert len(duck.rows.of(MEGOLM)) == 1
    duck.now += (UNUSED_DAYS + 1) * DAY_S
    _prune(duck)
    assert len(duck.rows.of(MEGOLM)) == 0
    duck = await _stored(duck)
    duck.hear([*keys, eve.claim(duck, ann)])
    assert [*map(len, (duck.rows.of(MEGOLM), duck.rows.of(spent.SPENT)))] == [1, 1]
    assert duck.read(event) == "hi"


async def test_marks_of_a_version_that_did_not_note_from_whom_a_key_was_still_count() -> None:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    keys = ann.give_key(duck)
    event = ann.say("hi")
    session = event["content"]["session_id"]
    mark = base64.b64encode(hashlib.sha256(f"{ROOM} {session}".encode()).digest()[:8]).decode().rstrip("=")
    duck.rows.put(spent.SPENT, "0", "A" * 11 + mark)
    duck = await _stored(duck)
    duck.hear(keys)
    with pytest.raises(NotOpened, match="was dropped"):
        duck.read(event)


async def _stored(duck: Party) -> Party:
    await duck.rows.flush()
    return await duck.again()


async def test_rows_of_a_version_that_kept_no_days_count_as_used_at_the_first_start() -> None:
    ann, duck = await two()
    (name,) = duck.rows.of(MEGOLM)
    duck.rows.put(MEGOLM, name, json.dumps(json.loads(duck.rows.get(MEGOLM, name) or "")[:3]))
    duck = await _stored(duck)
    _prune(duck)
    assert duck.read(ann.say("hi")) == "hi"


async def test_sessions_with_devices_that_are_gone_go_and_the_newest_with_one_that_is_there_stays() -> None:
    ann, duck = await two()
    assert len(duck.rows.of(OLM)) == 1
    duck.now += 365 * DAY_S
    _prune(duck)
    assert len(duck.rows.of(OLM)) == 1
    duck.machine.devices.learn(ann.user, [])
    _prune(duck)
    assert len(duck.rows.of(OLM)) == 0
    assert ann.pair[1] not in duck.machine._olm.device_store[ann.user]


async def test_devices_of_people_with_whom_no_encrypted_room_is_shared_go_once_their_keys_are_gone() -> None:
    ann, duck = await two()
    bob = await Party("@bob:hs").begin()
    duck.learn(bob)
    assert duck.read(ann.say("hi")) == "hi"
    pruning, asked = _pruning(duck, {"@ann:hs", "@bob:hs"})
    await pruning._prune(duck.machine)
    assert len(duck.rows.of(DEVICE)) == 2
    pruning, asked = _pruning(duck, set())
    await pruning._prune(duck.machine)
    assert [*duck.rows.of(DEVICE)] == ['["@ann:hs", "ANN"]']
    assert {*asked} == {"@ann:hs", "@bob:hs"}
    duck.now += (UNUSED_DAYS + 1) * DAY_S
    await pruning._prune(duck.machine)
    assert [*duck.rows.of(DEVICE)] == []


@pytest.mark.parametrize("trouble", [ApiError(500, "M_UNKNOWN", ""), Unreachable("away")])
async def test_where_it_is_not_known_who_is_in_a_room_no_devices_go(trouble: Exception) -> None:
    _, duck = await two()
    pruning, _ = _pruning(duck, trouble)
    await pruning._prune(duck.machine)
    assert len(duck.rows.of(DEVICE)) == 1


async def test_people_of_a_room_that_is_too_large_to_speak_in_are_not_near() -> None:
    _, duck = await two()
    duck.now += (UNUSED_DAYS + 1) * DAY_S
    pruning, _ = _pruning(duck, TooLarge("5001 people"))
    await pruning._prune(duck.machine)
    assert len(duck.rows.of(DEVICE)) == 0


async def test_who_comes_while_it_is_pruned_is_near() -> None:
    _, duck = await two()
    bob = await Party("@bob:hs").begin()
    duck.learn(bob)
    pruning, _ = _pruning(duck, {"@ann:hs"})
    (joined,) = pruning._rooms
    joined.members = {"@ann:hs", "@bob:hs"}
    await pruning._prune(duck.machine)
    assert len(duck.rows.of(DEVICE)) == 2


def _pruning(duck: Party, people: set[str] | Exception) -> tuple[Pruning, list[str]]:
    """What prunes where these are in the one encrypted room, and who will be asked for again."""
    rooms, asked = Rooms("home"), list[str]()
    joined = rooms.add(ROOM, Room("home", "#pond:hs"))
    joined.enter()
    rooms.encrypt(joined, {})

    async def told(_joined: object) -> frozenset[str]:
        if isinstance(people, Exception):
            raise people
        if joined.members is None:
            joined.members = {*people}
        return frozenset(people)

    keys = SimpleNamespace(machine=duck.machine, directory=SimpleNamespace(changed=asked.extend))
    return Pruning(rooms, cast("Any", keys), told), asked


async def test_what_was_heard_of_a_dropped_key_goes_whatever_its_index_also_rows_of_an_earlier_version() -> None:
    _, duck = await two()
    (name,) = duck.rows.of(MEGOLM)
    session = next(duck.machine._store.group_sessions.of(*json.loads(name)[:2]))
    for index in (0, 5, 99, 20_000, 10_000_000):
        duck.machine._store.group_sessions.hear_once(session, index, f"${index}")
    assert len(duck.rows.of(HEARD)) == 3
    duck.rows.put(HEARD, named(ROOM, "gone", "key", "700"), "{}")
    duck = await _stored(duck)
    assert len(duck.rows.of(HEARD)) == 3
    duck.now += (UNUSED_DAYS + 1) * DAY_S
    _prune(duck)
    assert len(duck.rows.of(HEARD)) == 0


async def test_of_one_key_only_the_newest_messages_are_remembered_and_what_is_older_is_refused() -> None:
    _, duck = await two()
    (name,) = duck.rows.of(MEGOLM)
    sessions = duck.machine._store.group_sessions
    session = next(sessions.of(*json.loads(name)[:2]))
    for index in range(0, 500 * HEARD_IN_ROW, HEARD_IN_ROW):
        sessions.hear_once(session, index, f"${index}")
    assert len(duck.rows.of(HEARD)) == 200
    with pytest.raises(NotOpened, match="so old"):
        sessions.hear_once(session, 0, "$0")
    sessions.hear_once(session, 499 * HEARD_IN_ROW, f"${499 * HEARD_IN_ROW}")


async def test_of_all_keys_those_go_first_that_are_from_the_devices_that_gave_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_sessions, "_ALL", 150)
    ann, duck = await two()
    assert duck.read(ann.say("hi")) == "hi"
    eve = await Party("@eve:hs").begin()
    duck.learn(eve)
    for number in range(300):
        duck.hear(eve.give_key(duck, room=f"!{number}:hs"))
    assert len(duck.rows.of(MEGOLM)) <= 150
    assert duck.read(ann.say("still here", "$2")) == "still here"
    assert len(duck.rows.of(spent.SPENT)) == 0
    again = await _stored(duck)
    assert again.read(ann.say("and after a restart", "$3")) == "and after a restart"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 30_000), st.integers(0, 400), st.floats(0, 400 * DAY_S))
def test_what_was_used_within_two_months_or_the_period_of_its_room_stays(day: int, age: int, period_s: float) -> None:
    assert not (is_old(day, day + age, period_s) and (age <= UNUSED_DAYS or age * DAY_S <= period_s))


async def test_marks_of_dropped_keys_are_few_bytes_bounded_and_outlive_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spent, "_IN_ROW", 10)
    monkeypatch.setattr(spent, "_ROWS", 5)
    memory = Notebook()
    rows = Rows(memory)
    await rows.load()
    marks = Spent(rows)
    for number in range(200):
        marks.add(ROOM, str(number), "ann")
        marks.add(ROOM, str(number), "ann")
    await rows.flush()
    rows = Rows(memory)
    await rows.load()
    for each in (marks, Spent(rows)):
        assert len(each) == 50
        assert each.has(ROOM, "199", ["ann"])
        assert not each.has(ROOM, "0", ["ann"])
