"""Reminders: when they are due, who is told, and what a restart, a set clock and failures change."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.brains.commands import Commands
from bots.commands import times, zones
from bridge.model.event import Room
from bridge.model.people import Sender
from tests.bots.commands.talk import NOW, Talk, guest, private, user
from tests.bots.home import FakeHome
from tests.events import irc

ALICE, BOB = user("alice"), user("bob")
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(slots=True)
class TickingHome(FakeHome):
    """A home whose clock goes on with the loop; `now` is what it showed at first, and may be set."""

    @property
    def clock(self) -> Callable[[], float]:
        return lambda: self.now + asyncio.get_running_loop().time()


@asynccontextmanager
async def _running(talk: Talk) -> AsyncIterator[None]:
    task = asyncio.create_task(talk.brain.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _talk() -> Talk:
    home = TickingHome()
    home.now = NOW - asyncio.get_running_loop().time()
    return Talk(home)


async def test_a_reminder_is_told_in_private_when_it_is_due() -> None:
    talk = _talk()
    async with _running(talk):
        assert await talk.say(ALICE, "remind me in 10 minutes to feed **the** duck") == (
            "I will remind you today 20:40 (number 1)."
        )
        await asyncio.sleep(590)
        assert talk.told == []
        await asyncio.sleep(20)
        assert talk.told == [("alice", "Reminder: feed **the** duck")]
        await asyncio.sleep(100_000)
        assert talk.told == []
    assert not [key for key in talk.home.memory.kept if "remind" in key]


async def test_a_guest_is_told_in_the_room_if_all_of_the_link_heard_them() -> None:
    talk, eve = _talk(), guest("eve")
    async with _running(talk):
        assert "in private" in (await talk.say(eve, "remind me in 1 minute to spam") or "")
        await talk.say(replace(eve, carried=True), "remind me in 2 minutes to go")
        await talk.say(private(eve), "remind me in 3 minutes to sleep")
        await asyncio.sleep(200)
        rooms = [room for room, _ in talk.home.said]
        assert talk.said == ["eve: Reminder: go", "eve: Reminder: sleep"]
        assert rooms == [eve.room, private(eve).room]


async def test_reminders_survive_a_restart_and_say_how_late_they_are() -> None:
    talk = _talk()
    await talk.say(ALICE, "remind me in 10 minutes to a")
    await talk.say(ALICE, "remind me in 2 hours to b")
    await talk.say(BOB, "remind me every day at 21:00 to c")
    talk.home.now += 3 * 3600 + 60
    talk.start()
    async with _running(talk):
        await asyncio.sleep(1)
        assert talk.told == [
            ("alice", "Reminder, 2 hours late: a"),
            ("bob", "Reminder, 2 hours late: c"),
            ("alice", "Reminder, 1 hour late: b"),
        ]
        await asyncio.sleep(86_400)
        assert talk.told == [("bob", "Reminder: c")]


async def test_a_zone_that_is_no_more_stops_no_reminders() -> None:
    talk = _talk()
    await talk.say(ALICE, "remind me every day at 21:00 to go")
    ((key, kept),) = talk.home.memory.kept.items()
    talk.home.memory.kept[key] = kept.replace("UTC", "Mars/Base")
    talk.start()
    async with _running(talk):
        await talk.say(BOB, "remind me at 21:10 to come")
        await asyncio.sleep(86_400 + 3_600)
        assert talk.told == [("alice", "Reminder: go"), ("bob", "Reminder: come"), ("alice", "Reminder: go")]


async def test_what_comes_again_is_said_once_after_days_without_the_bot() -> None:
    talk = _talk()
    await talk.say(ALICE, "remind me every day at 21:00 to go")
    talk.home.now += 5 * 86_400
    talk.start()
    async with _running(talk):
        await asyncio.sleep(3_000)
        assert talk.told == [("alice", "Reminder, 4 days late: go"), ("alice", "Reminder: go")]


async def test_a_crash_between_saying_and_forgetting_says_it_once() -> None:
    talk = _talk()
    await talk.say(ALICE, "remind me in 1 minute to go")
    before = dict(talk.home.memory.kept)
    talk.home.now += 60
    for _ in range(2):
        talk.home.memory.kept = dict(before)
        talk.start()
        async with _running(talk):
            await asyncio.sleep(1)
    assert talk.told == [("alice", "Reminder: go")]


async def test_a_clock_that_is_set_is_noticed_within_half_a_minute() -> None:
    talk = _talk()
    async with _running(talk):
        await talk.say(ALICE, "remind me tomorrow at 20:30 to go")
        await asyncio.sleep(100)
        talk.home.now += 86_400
        await asyncio.sleep(30)
        assert talk.told == [("alice", "Reminder: go")]
        await talk.say(ALICE, "remind me in 1 hour to come")
        talk.home.now -= 86_400
        await asyncio.sleep(4_000)
        assert talk.told == []
        talk.home.now += 86_400
        await asyncio.sleep(30)
        assert talk.told == [("alice", "Reminder, 7 minutes late: come")]


async def test_what_cannot_be_said_is_tried_again_and_holds_up_nothing() -> None:
    talk = _talk()
    async with _running(talk):
        await talk.say(ALICE, "remind me in 1 minute to go")
        talk.home.refuses = LookupError("never met")
        await asyncio.sleep(600)
        talk.home.refuses = None
        await talk.say(BOB, "remind me in 1 minute to come")
        await asyncio.sleep(90)
        assert talk.told == [("bob", "Reminder: come")]
        await asyncio.sleep(1_000)
        assert [name for name, _ in talk.told] == ["alice"]


async def test_what_can_never_be_said_is_given_up_in_the_end() -> None:
    talk = _talk()
    talk.home.refuses = PermissionError("no")
    async with _running(talk):
        await talk.say(ALICE, "remind me in 1 minute to go")
        await asyncio.sleep(4 * 86_400)
    assert not [key for key in talk.home.memory.kept if "remind" in key]


async def test_the_same_question_asked_again_makes_one_reminder() -> None:
    talk = _talk()
    await talk.say(ALICE, "remind me in 1 minute to go")
    talk.asked = 0
    talk.start()
    assert await talk.say(ALICE, "remind me in 1 minute to go") == "I will remind you today 20:31 (number 1)."
    assert len(talk.home.memory.kept) == 1


async def test_reminders_of_one_person_and_of_all_guests_are_bounded() -> None:
    talk = _talk()
    said = [await talk.say(ALICE, "remind me tomorrow to go") for _ in range(21)]
    assert said[19] == "I will remind you tomorrow 09:00 (number 20)."
    assert (said[20] or "").startswith("I keep 20 reminders")
    for number in range(26):
        for _ in range(20):
            await talk.say(private(guest(f"eve{number}")), "remind me tomorrow to spam")
    assert len(talk.home.memory.kept) == 520
    assert "I keep" in (await talk.say(private(guest("mallory")), "remind me every day at 9 to spam") or "")
    assert "(number 1)" in (await talk.say(private(guest("carol")), "remind me today at 22:00 to go home") or "")
    assert len(talk.home.memory.kept) == 520
    assert await talk.say(BOB, "remind me tomorrow to go") == "I will remind you tomorrow 09:00 (number 1)."


async def test_guests_who_come_again_and_again_do_not_fill_the_room_with_reminders() -> None:
    talk = _talk()
    for number in range(300):
        eve = replace(guest(f"eve{number}"), carried=True)
        said = await talk.say(eve, "remind me every day at 21:00 to spam")
    assert "I keep" in (said or "")
    assert "(number 1)" in (await talk.say(replace(eve, link="lake"), "remind me tomorrow to go") or "")
    assert "(number 1)" in (await talk.say(ALICE, "remind me tomorrow to go") or "")
    async with _running(talk):
        await asyncio.sleep(3_600)
        assert len(talk.said) == 20


async def test_people_list_and_delete_their_own_and_a_room_sees_only_its_own() -> None:
    talk = _talk()
    await talk.say(private(ALICE), "remind me in 2 hours to buy the secret present")
    await talk.say(ALICE, "remind me tomorrow to call mom")
    await talk.say(BOB, "remind me tomorrow to run")
    assert await talk.say(ALICE, "list reminders") == "2: tomorrow 09:00, call mom · 1 more: ask me in private"
    assert await talk.say(replace(ALICE, link="lake"), "list reminders") == "2 more: ask me in private"
    on_irc = replace(private(ALICE), asker=replace(irc("ally"), user="alice"), room=Room("libera", "ally"))
    assert await talk.say(on_irc, "list reminders") == (
        "1: today 22:30, buy the secret present · 2: tomorrow 09:00, call mom"
    )
    assert await talk.say(BOB, "delete 2") == "You have no reminder 2."
    assert await talk.say(ALICE, "delete 2") == "Deleted."
    assert await talk.say(ALICE, "remind me tomorrow to rest") == "I will remind you tomorrow 09:00 (number 2)."


async def test_the_zone_is_each_persons_and_lasts() -> None:
    talk = _talk()
    assert "Europe/Berlin now" in (await talk.say(ALICE, "zone europe/berlin") or "")
    talk.start()
    assert await talk.say(private(ALICE), "remind me at 22:00 to go") == "I will remind you today 22:00 (number 1)."
    assert await talk.say(BOB, "remind me at 22:00 to go") == "I will remind you today 22:00 (number 1)."
    async with _running(talk):
        await asyncio.sleep(2_000)
        assert talk.told == [("alice", "Reminder: go")]
        await asyncio.sleep(3_600)
        assert talk.told == [("bob", "Reminder: go")]


async def test_a_link_may_have_a_zone_for_those_who_have_said_none() -> None:
    talk = Talk(settings=Commands.Settings(zone="Asia/Tokyo", zones={"pond": "europe/berlin"}))
    assert (await talk.say(ALICE, "time") or "").startswith("Berlin: ")
    assert (await talk.say(private(ALICE), "time") or "").startswith("Tokyo: ")
    await talk.say(ALICE, "zone UTC")
    assert (await talk.say(ALICE, "time") or "").startswith("UTC: ")


async def test_forget_me_forgets_reminders_and_zone_and_lets_the_next_brain_answer() -> None:
    talk = _talk()
    await talk.say(ALICE, "zone Berlin")
    await talk.say(private(ALICE), "remind me tomorrow to go")
    await talk.say(BOB, "remind me tomorrow to go")
    assert await talk.say(ALICE, "Forget me!") is None
    assert await talk.say(ALICE, "list reminders") == "You have no reminders."
    assert (await talk.say(ALICE, "time") or "").startswith("UTC")
    assert len([key for key in talk.home.memory.kept if "remind" in key]) == 1


@pytest.mark.parametrize(
    ("text", "due", "what"),
    [
        ("in 10 minutes to feed", "2026-11-27 21:40", "feed"),
        ("in 1h30m to x", "2026-11-27 23:00", "x"),
        ("in an hour and 5 minutes to x", "2026-11-27 22:35", "x"),
        ("in half an hour z", "2026-11-27 22:00", "z"),
        ("to call mom at 9", "2026-11-28 09:00", "call mom"),
        ("at 23:00 to meet at 9", "2026-11-27 23:00", "meet at 9"),
        ("At 6 PM tomorrow to go", "2026-11-28 18:00", "go"),
        ("tomorrow at noon x", "2026-11-28 12:00", "x"),
        ("on monday at 9:30 that it rains", "2026-11-30 09:30", "it rains"),
        ("about the meeting next friday", "2026-12-04 09:00", "the meeting"),
        ("on 2026-12-24 at 18h to x", "2026-12-24 18:00", "x"),
        ("every weekday to y", "2026-11-30 09:00", "y"),
        ("every monday and sunday at 6pm to run", "2026-11-29 18:00", "run"),
        ("to water plants every tuesday at 00:30", "2026-12-01 00:30", "water plants"),
    ],
)
def test_times_are_understood_as_people_say_them(text: str, due: str, what: str) -> None:
    asked = times.parse(text, NOW, BERLIN)
    assert asked is not None
    assert f"{zones.local(asked.due, BERLIN):%Y-%m-%d %H:%M}" == due
    assert asked.text == what
    assert (asked.every is not None) == ("every" in text)


@pytest.mark.parametrize(
    "text", ["why we do this", "monday to x", "in the morning to x", "at home to do it", "2026-02-30 x", "", "in x"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert times.parse(text, NOW, BERLIN) is None


@pytest.mark.parametrize("text", ["on 2020-01-01 x", "in 99999 weeks x", "on 9999-12-31 x", "in an hour", "x " * 300])
def test_times_that_cannot_be_used_are_refused(text: str) -> None:
    with pytest.raises(times.UnusableTime):
        times.parse(text, NOW, BERLIN)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sets(st.integers(0, 6), min_size=1),
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Pacific/Apia"]),
)
def test_what_comes_again_comes_within_a_week_at_its_hour(
    at: datetime, days: set[int], hour: object, zone: str
) -> None:
    assert hasattr(hour, "replace")
    every = times.Every(tuple(sorted(days)), hour.replace(second=0, microsecond=0), zone)
    due = every.after(at.timestamp())
    assert timedelta(0) < timedelta(seconds=due - at.timestamp()) <= timedelta(days=7, hours=2)
    local = zones.local(due, ZoneInfo(zone))
    assert local.weekday() in days or local.hour < 2
    if local.utcoffset() == zones.local(due - 7200, ZoneInfo(zone)).utcoffset():
        assert (local.hour, local.minute) == (every.at.hour, every.at.minute)


@given(st.text(max_size=80))
def test_any_text_is_a_time_or_none(text: str) -> None:
    try:
        asked = times.parse(text, NOW, BERLIN)
    except times.UnusableTime:
        return
    assert asked is None or (asked.due > NOW and asked.text)


def test_all_zones_can_be_found_and_shown() -> None:
    for name in ("Europe/Berlin", "new york", "NEW_YORK", "Zürich", "Zurich", "北京", "UTC", "asia/kathmandu"):
        zone = zones.find(name)
        assert zone is not None
        assert "2026" in zones.in_full(NOW, zone)
    assert zones.in_full(NOW, ZoneInfo("Asia/Kathmandu")) == "Saturday, 28 November 2026, 02:15 (UTC+5:45)"
    for word in ("flies", "out", "is", "eastern", "../../etc/passwd", "x" * 100, ""):
        assert zones.find(word) is None


async def test_a_reminder_of_somebody_unknown_to_the_store_is_left_out() -> None:
    talk = _talk()
    await talk.home.memory.put("commands/remind/user/x", {"number": "one"})
    await talk.home.memory.put("commands/remind/guest/y", [1])
    sender = Sender("home", "@x:hs", "x")
    assert await talk.say(replace(ALICE, asker=replace(sender, user="x")), "list reminders") == "You have no reminders."
