"""Keys that nothing can need any more are forgotten (bridge.matrix.crypto.olm.pruning)."""

import base64
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.crypto.olm import pruning
from bridge.matrix.crypto.olm.group_sessions import HEARD, MEGOLM
from bridge.matrix.crypto.olm.opened import NoKey, NotOpened, Unproven
from bridge.matrix.crypto.olm.pruning import DAY_S, UNUSED_DAYS, Spent, is_old
from bridge.matrix.crypto.olm.sessions import OLM
from bridge.matrix.crypto.rows import Rows
from tests.fakes.memory import Notebook
from tests.matrix.crypto.parties import ROOM, Party, two

_WEEK_S = 7 * DAY_S


def _prune(duck: Party, period_s: float = _WEEK_S) -> None:
    for _ in duck.machine.prune(lambda _: period_s):
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
    assert len(duck.rows.of(MEGOLM)) == 1
    duck.now += (UNUSED_DAYS + 1) * DAY_S
    _prune(duck)
    assert len(duck.rows.of(MEGOLM)) == 0
    duck = await _stored(duck)
    duck.hear([*keys, eve.claim(duck, ann)])
    assert [*map(len, (duck.rows.of(MEGOLM), duck.rows.of(pruning.SPENT)))] == [1, 1]
    assert duck.read(event) == "hi"


async def test_marks_of_a_version_that_did_not_note_from_whom_a_key_was_still_count() -> None:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    keys = ann.give_key(duck)
    event = ann.say("hi")
    session = event["content"]["session_id"]
    mark = base64.b64encode(hashlib.sha256(f"{ROOM} {session}".encode()).digest()[:8]).decode().rstrip("=")
    duck.rows.put(pruning.SPENT, "0", "A" * 11 + mark)
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


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 30_000), st.integers(0, 400), st.floats(0, 400 * DAY_S))
def test_what_was_used_within_two_months_or_the_period_of_its_room_stays(day: int, age: int, period_s: float) -> None:
    assert not (is_old(day, day + age, period_s) and (age <= UNUSED_DAYS or age * DAY_S <= period_s))


async def test_marks_of_dropped_keys_are_few_bytes_bounded_and_outlive_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pruning, "_IN_ROW", 10)
    monkeypatch.setattr(pruning, "_ROWS", 5)
    memory = Notebook()
    rows = Rows(memory)
    await rows.load()
    spent = Spent(rows)
    for number in range(200):
        spent.add(ROOM, str(number), "ann")
        spent.add(ROOM, str(number), "ann")
    await rows.flush()
    rows = Rows(memory)
    await rows.load()
    for each in (spent, Spent(rows)):
        assert len(each) == 50
        assert each.has(ROOM, "199", ["ann"])
        assert not each.has(ROOM, "0", ["ann"])
