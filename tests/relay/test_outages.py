"""Outages of rooms: who is told, and what is sent first when a room is back (bridge.outages, with the relay)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.model.accounting import TOO_OLD, Count, Loss, Tally
from bridge.model.event import Origin, Room
from bridge.model.outbox import Addressed, Delivery, Post
from bridge.model.text import plain
from bridge.network import Gap, InDoubt, Moved, PermanentError, Silenced, Unread
from bridge.relay.gaps import Bundle, Gaps
from bridge.relay.limits import TellDead, TellGaps, Terms
from bridge.relay.outages import SHORT, Begun, Ended, Outage, Outages, back, begun, follows, lost, unknown
from bridge.relay.watch import Lookout
from bridge.rules.link import Link
from bridge.store import Commit, Lease
from tests.events import HOME, LIBERA, OFTC, irc, matrix, said
from tests.relay.test_relay import World

T0 = 1_795_428_120.0  # 10:02 UTC


def changes(outages: Outages, reason: str | None, now: float) -> list[Begun | Ended]:
    return [*outages.look({LIBERA: reason, HOME: None}, now, 60.0)]


def test_an_outage_begins_once_after_a_minute_and_ends_once() -> None:
    outages = Outages()
    assert changes(outages, "offline", T0) == []
    assert changes(outages, "offline", T0 + 59) == []
    assert changes(outages, "banned", T0 + 60) == [Begun(Outage(LIBERA, T0, "banned"))]
    assert changes(outages, "banned", T0 + 61) == []
    assert changes(outages, None, T0 + 420) == [Ended(Outage(LIBERA, T0, "banned"), T0 + 420, told=True)]
    assert changes(outages, None, T0 + 421) == []


def test_a_room_is_held_from_the_start_of_its_outage_until_it_is_let_go() -> None:
    outages = Outages()
    changes(outages, "offline", T0)
    assert outages.holds(LIBERA)
    (ended,) = changes(outages, None, T0 + 50)
    assert isinstance(ended, Ended)
    assert not ended.told
    assert outages.holds(LIBERA)
    outages.let_go(LIBERA)
    assert not outages.holds(LIBERA)


def test_a_room_where_we_may_not_speak_is_tried_and_what_it_refused_goes_when_that_is_lifted() -> None:
    outages = Outages()
    muted = {LIBERA: "moderated", HOME: None}
    assert [*outages.look(muted, T0, 60.0, [LIBERA])] == []
    assert not outages.holds(LIBERA)
    outages.silenced(LIBERA, "it refused a line")
    (begun_,) = outages.look(muted, T0 + 60, 60.0, [LIBERA])
    assert begun_ == Begun(Outage(LIBERA, T0, "moderated", silenced=True))
    (ended,) = outages.look({LIBERA: None, HOME: None}, T0 + 90, 60.0)
    assert isinstance(ended, Ended)
    assert ended.outage.silenced
    assert not outages.silenced_rooms()


def test_the_outage_of_a_removed_room_is_forgotten_and_a_clock_set_back_restarts_an_outage() -> None:
    outages = Outages()
    changes(outages, "offline", T0)
    changes(outages, "offline", T0 + SHORT)
    assert [*outages.look({HOME: None}, T0 + 90, 60.0)] == []
    assert not outages.holds(LIBERA)
    changes(outages, "offline", T0)
    assert changes(outages, "offline", T0 - 9_000) == []
    assert changes(outages, None, T0 - 8_995) == [Ended(Outage(LIBERA, T0 - 9_000, "offline"), T0 - 8_995, told=False)]


def test_notices_name_the_room_the_times_and_the_reason() -> None:
    outage = Outage(LIBERA, T0, "banned")
    silenced = replace(outage, reason="moderated", silenced=True)
    gap, days = Gap(LIBERA, T0, T0 + 420), Gap(LIBERA, T0, T0 + 200_000)
    loss = Loss(LIBERA, TOO_OLD, 2, T0 - 7_200, T0 - 3_600)
    assert words_of(begun(outage, HOME, T0 + 60)) == (
        "I lost my connection to #pond on libera at 10:02 UTC (banned). I keep your messages until I am back."
    )
    assert words_of(begun(silenced, HOME, T0 + 60)) == (
        "#pond on libera has not let me speak since 10:02 UTC (moderated). I keep your messages until it does."
    )
    assert words_of(back(Ended(outage, T0 + 420, told=True), HOME)) == (
        "I am back in #pond on libera (I was away 10:02-10:09 UTC). I send your messages there now."
    )
    assert words_of(back(Ended(silenced, T0 + 420, told=True), HOME)) == (
        "I may speak in #pond on libera again (I could not 10:02-10:09 UTC)."
    )
    assert words_of(follows(Ended(outage, T0 + 30, told=False), 2, others=[HOME])) == (
        "I was disconnected from here for half a minute. 2 messages from #pond:hs:"
    )
    assert words_of(follows(Ended(silenced, T0 + 400, told=False), 1, [loss], [HOME, OFTC])) == (
        "I could not speak here for 6 minutes. 2 messages could not be delivered: waited too long."
        " 1 message from the other rooms:"
    )
    assert words_of(unknown(LIBERA, Bundle().with_gap(gap), HOME)) == (
        "I lost my connection to #pond on libera (10:02-10:09 UTC). Anything said there is missing here."
    )
    assert "(2026-11-23 10:02 to 2026-11-25 17:35 UTC)" in words_of(unknown(LIBERA, Bundle().with_gap(days), HOME))
    assert "(10:02 UTC)" in words_of(unknown(LIBERA, Bundle().with_gap(Gap(LIBERA, T0, T0 + 20)), HOME))
    assert words_of(lost(loss, HOME, T0)) == (
        "2 messages from 08:02-09:02 UTC could not be delivered to #pond on libera: waited too long."
    )
    assert words_of(lost(loss, LIBERA, T0)) == (
        "2 messages from 08:02-09:02 UTC could not be delivered here: waited too long."
    )


def words_of(notice: Addressed) -> str:
    assert notice.event.origin is Origin.OURS
    return plain(notice.event.text)


async def _minutes(world: World, seconds: int) -> None:
    """Pass `seconds`, in each of which the lookout looks once."""
    leases = {name: lease for name in world.networks if (lease := world.leases.get(name))}
    for _ in range(seconds):
        world.now += 1
        await world.lookout.look(world.networks, leases)


async def test_other_rooms_hear_of_an_outage_and_its_room_gets_a_notice_before_the_backlog() -> None:
    world = World(now=T0)
    async with world.running():
        world.libera.away[LIBERA] = "no connection to the server"
        await _minutes(world, 30)
        await world.home.hear(*(said(HOME, matrix("alice"), f"line {number}") for number in range(12)))
        await world.home.settled()
        await world.oftc.delivered(12)
        await _minutes(world, 390)
        assert world.libera.sent == []
        waiting = {entry.reason for entry in await world.store.outbox() if entry.room == LIBERA}
        assert waiting == {"no connection to the server"}
        (warning,) = await world.home.delivered(1)
        assert warning.startswith("I lost my connection to #pond on libera at 10:02 UTC (no connection to the server).")
        del world.libera.away[LIBERA]
        await _minutes(world, 1)
        lines = await world.libera.delivered(13)
        assert lines == [
            "I was disconnected from here for 7 minutes. 12 messages from the other rooms:",
            *(f"[10:02 UTC] <alice> line {number}" for number in range(12)),
        ]
        assert (await world.home.delivered(2))[1] == (
            "I am back in #pond on libera (I was away 10:02-10:09 UTC). I send your messages there now."
        )
        assert (await world.oftc.delivered(14))[12:] != []


def test_a_room_where_we_may_not_speak_has_an_outage_like_others_but_is_not_held() -> None:
    outages = Outages()
    outages.silenced(LIBERA, "moderated")
    assert changes(outages, None, T0) == []
    assert not outages.holds(LIBERA)
    assert changes(outages, None, T0 + 60) == [Begun(Outage(LIBERA, T0, "moderated", silenced=True))]
    outages.spoke(LIBERA)
    assert changes(outages, None, T0 + 90) == [
        Ended(Outage(LIBERA, T0, "moderated", silenced=True), T0 + 90, told=True)
    ]
    assert changes(outages, None, T0 + 91) == []


def test_a_silenced_room_that_goes_away_and_comes_back_is_no_longer_silenced() -> None:
    outages = Outages()
    outages.silenced(LIBERA, "moderated")
    changes(outages, None, T0)
    changes(outages, "offline", T0 + 10)
    assert outages.holds(LIBERA)
    assert changes(outages, None, T0 + 30) == [Ended(Outage(LIBERA, T0, "offline"), T0 + 30, told=False)]


async def test_other_rooms_hear_that_we_may_not_speak_in_a_room_and_the_backlog_follows_later() -> None:
    world = World(now=T0)
    world.libera.failures[LIBERA] = [Silenced("moderated", 30.0) for _ in range(4)]
    async with world.running():
        await world.home.hear(*(said(HOME, matrix("alice"), f"line {number}") for number in range(2)))
        for _ in range(150):
            await _minutes(world, 1)
            await asyncio.sleep(1)
        assert await world.home.delivered(2) == [
            "#pond on libera has not let me speak since 10:02 UTC (moderated). I keep your messages until it does.",
            "I may speak in #pond on libera again (I could not 10:02-10:04 UTC).",
        ]
        assert await world.libera.delivered(2) == [f"<alice> line {number}" for number in range(2)]


def test_an_outage_resumed_from_an_earlier_run_is_not_begun_again_and_its_room_is_held() -> None:
    outages = Outages()
    for outage in (away := Outage(LIBERA, T0, "offline"), silenced := Outage(OFTC, T0, "moderated", silenced=True)):
        outages.resume(outage)
    assert outages.holds(LIBERA)
    assert not outages.holds(OFTC)
    assert [*outages.look({LIBERA: "offline", OFTC: None}, T0 + 90, 60.0)] == []
    outages.spoke(OFTC)
    ended = [Ended(away, T0 + 99, told=True), Ended(silenced, T0 + 99, told=True)]
    assert [*outages.look({LIBERA: None, OFTC: None}, T0 + 99, 60.0)] == ended


@pytest.mark.parametrize("reason", ["no connection to the server", None])
async def test_an_outage_over_several_restarts_is_announced_once_and_its_end_once(reason: str | None) -> None:
    """A `reason` of None: we are in the room, and may not speak."""
    world = World(now=T0, link=Link("pond", (HOME, LIBERA)))
    if reason is not None:
        world.libera.away[LIBERA] = reason
    world.libera.failures[LIBERA] = [Silenced("moderated", 30.0) for _ in range(12)]
    for _ in range(3):
        async with world.running():
            await world.home.hear(said(HOME, matrix("alice"), f"at {world.now:.0f}"))
            for _ in range(100):
                await _minutes(world, 1)
                await asyncio.sleep(0.1)
    world.libera.away.clear()
    world.libera.failures.clear()
    async with world.running():
        for _ in range(400):
            await _minutes(world, 1)
            await asyncio.sleep(0.1)
        away, back = await world.home.delivered(2)
        first, *_ = await world.libera.delivered(4 if reason else 3)
    assert ("3 messages from #pond:hs:" in first) is (reason is not None)
    assert "to #pond on libera at 10:02" in away or "#pond on libera has not let me speak since 10:02" in away
    assert "(I was away 10:02-10:0" in back or "(I could not 10:02-10:" in back
    assert len(world.home.sent) == 2
    assert world.store.remembered("libera") == {}


async def test_the_outage_of_a_room_that_is_no_longer_linked_is_forgotten() -> None:
    world = World(now=T0)
    async with world.running():
        world.libera.away[LIBERA] = "banned"
        await _minutes(world, 61)
        assert world.store.remembered("libera") == {"away #pond": f'[{T0 + 1}, "banned", false]'}
    world.link = Link("pond", (HOME, OFTC))
    async with world.running():
        await _minutes(world, 1)
    assert world.store.remembered("libera") == {}


async def test_a_reconnect_of_ten_seconds_is_not_announced() -> None:
    world = World(now=T0)
    async with world.running():
        world.libera.away[LIBERA] = "no connection to the server"
        await _minutes(world, 10)
        del world.libera.away[LIBERA]
        await _minutes(world, 2)
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        assert await world.libera.delivered(1) == ["<alice> hi"]
    assert world.home.sent == []


async def test_gaps_are_counted_and_only_long_ones_are_announced() -> None:
    world = World(now=T0)
    async with world.running():
        world.libera.gaps = [Gap(LIBERA, T0, T0 + 420), Gap(LIBERA, T0, T0 + 30)]
        await world.libera.hear(said(LIBERA, irc("bob", "bob"), "hello again"))
        assert await world.home.delivered(2) == [
            "<bob> hello again",
            "I lost my connection to #pond on libera (10:02-10:09 UTC). Anything said there is missing here.",
        ]
    assert (await world.store.ledger(0)).counted(Tally.UNKNOWN) == 2


async def test_a_room_that_has_moved_is_told_of_in_all_rooms_of_its_link_and_once() -> None:
    world = World(now=T0)
    move = Moved(HOME, "!new", "it was upgraded")
    async with world.running():
        for words in ("one", "two"):  # the second time after a crash
            world.home.moves = (move, Moved(Room("home", "#elsewhere"), "!newer", "it was upgraded"))
            await world.home.hear(said(HOME, matrix("alice"), words))
            await world.home.settled()
        assert await world.libera.delivered(3) == [
            "<alice> one",
            f"{HOME.id} has a new room, because it was upgraded. I carry on there.",
            "<alice> two",
        ]
        assert await world.home.delivered(1) == [
            f"I carry on here: {HOME.id} has a new room, because it was upgraded.",
        ]
    assert len(world.home.sent) == 1


async def test_people_are_told_once_a_day_where_somebody_cannot_be_read_and_each_message_is_counted() -> None:
    world = World(now=T0)
    missed, private = Unread(HOME, "alice", "no key"), Unread(Room("home", "!direct"), "ann", "no key", private=True)
    elsewhere = Unread(Room("home", "#elsewhere"), "eve", "no key")
    async with world.running():
        for day in range(2):
            for _ in range(2):
                world.home.unread = (missed, missed, private, elsewhere)
                await world.home.hear(said(HOME, matrix("alice"), "hi"))
                await world.home.settled()
            told = await world.home.delivered(2 * day + 2)
            assert [text.partition(",")[0] for text in told[-2:]] == [
                "I cannot read a message of alice",
                "I cannot read a message of ann",
            ]
            world.now += 86_400
        world.home.unread = (Unread(HOME, "alice", "not verified", told="{who} can verify me."),)
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        assert (await world.home.delivered(5))[-1].endswith("encrypted, and alice can verify me.")
    assert len(world.home.sent) == 5
    assert {room for room, _ in world.home.sent} == {HOME, private.room}
    assert (await world.store.ledger(0)).counted(Tally.REFUSED) == 9


async def test_what_a_network_counts_is_in_the_ledger() -> None:
    world = World(now=T0)
    poll = Count(HOME, Tally.REFUSED, "a poll")
    async with world.running():
        world.home.counts = (poll, poll, Count(HOME, Tally.UNKNOWN, "x"))
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        await world.home.settled()
    ledger = await world.store.ledger(0)
    assert (ledger.counted(Tally.REFUSED), ledger.counted(Tally.UNKNOWN)) == (2, 1)


async def test_a_post_that_an_earlier_run_planned_is_sent_as_a_possible_duplicate() -> None:
    world = World(now=T0)
    event = said(HOME, matrix("alice"), "hi")
    delivery = Delivery.of(event.key, LIBERA)
    home, libera = await world.store.acquire("home", "before"), await world.store.acquire("libera", "before")
    await home.commit(Commit(None, "1", [event], [delivery]))
    await libera.plan(LIBERA, [Post.of(LIBERA, (delivery.id,), 0, "<alice> hi")])
    async with world.running():
        await world.libera.delivered(1)
        await world.home.hear(event, said(HOME, matrix("alice"), "and now"))
        assert await world.libera.delivered(2) == ["<alice> hi", "<alice> and now"]
    assert world.libera.again == ["<alice> hi"]


async def test_a_post_that_is_still_to_be_noted_is_not_sent_again_by_who_asks_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The store may have been asked what is due before it knew."""
    noted = asyncio.Event()

    async def note_sent(lease: Lease, post: Post, remote_id: str) -> bool:
        await noted.wait()
        return await lease.sent(post, remote_id)

    monkeypatch.setattr(Lease, "note_sent", note_sent)
    world = World(now=T0)
    world.libera.knows_again = True
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "one"))
        await world.libera.delivered(1)
        assert world.store.count("posts") == 1
        await asyncio.sleep(5)
        await world.home.hear(said(HOME, matrix("alice"), "two"))
        assert await world.libera.delivered(2) == ["<alice> one", "<alice> two"]
        noted.set()
        await asyncio.sleep(5)
        assert world.store.count("posts") == 0
    assert world.libera.doubled == []


async def test_a_post_in_doubt_is_sent_again_and_counted_or_is_dead_as_configured() -> None:
    world = World(now=T0)
    world.libera.failures[LIBERA] = [InDoubt("who knows", resend=True)]
    world.oftc.failures[OFTC] = [InDoubt("who knows", resend=False)]
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        assert await world.libera.delivered(1) == ["<alice> hi"]
        await world.home.hear(said(HOME, matrix("alice"), "next"))
        assert await world.oftc.delivered(1) == ["<alice> next"]
    ledger = await world.store.ledger(0)
    assert ledger.counted(Tally.RESENT) == 1
    assert ledger.lost == (("who knows", 1),)


def test_a_notice_has_the_same_id_when_it_is_made_again_after_a_crash() -> None:
    outage = Outage(LIBERA, T0, "offline")
    assert begun(outage, HOME, T0 + 60).delivery.id == begun(outage, HOME, T0 + 99).delivery.id
    assert begun(outage, OFTC, T0 + 60).delivery.id != begun(outage, HOME, T0 + 60).delivery.id
    assert begun(Outage(Room("libera", "#x"), T0, ""), HOME, T0).delivery.id != begun(outage, HOME, T0).delivery.id


async def test_messages_that_are_too_old_are_not_carried_and_both_sides_are_told_how_many() -> None:
    world = World(now=T0)
    hours = [50, 49, 0]
    old = [
        replace(said(HOME, matrix("alice"), f"{ago} h", time=T0 - ago * 3_600), origin=Origin.REPLAYED) for ago in hours
    ]
    async with world.running():
        await world.home.hear(*old)
        assert await world.libera.delivered(1) == ["<alice> 0 h"]
        await _minutes(world, 10)
        assert (await world.libera.delivered(2))[1:] == [
            "2 messages from 08:02-09:02 UTC could not be delivered here: waited too long."
        ]
        assert "2 messages from 08:02-09:02 UTC could not be delivered to #pond on libera: waited too long." in (
            await world.home.delivered(2)
        )
        assert (await world.store.ledger(0)).lost == (("waited too long", 4),)


async def test_continuous_losses_are_announced_only_now_and_then() -> None:
    world = World(now=T0)
    world.terms = Terms(per_room=10)
    world.libera.slots = asyncio.Semaphore(0)  # nothing can be sent, though no room is away
    async with world.running():
        for minute in range(20):
            await world.home.hear(*(said(HOME, matrix("alice"), f"{minute} {number}") for number in range(12)))
            await world.home.settled()
            await _minutes(world, 60)
        told = [text for text in await world.home.delivered(2) if "could not be delivered to #pond on libera" in text]
        assert len(told) == 2
        world.libera.slots.release()  # the post in flight arrives at the end


async def test_a_message_that_arrives_late_shows_when_it_was_said() -> None:
    world = World(now=T0)
    async with world.running():
        world.libera.away[LIBERA] = "down"
        await _minutes(world, 10)
        await world.home.hear(said(HOME, matrix("alice"), "hi\nthere"))
        await world.oftc.delivered(2)
        world.now += 601
        del world.libera.away[LIBERA]
        await _minutes(world, 1)
        assert (await world.libera.delivered(3))[1:] == ["[10:02 UTC] <alice> hi", "[10:02 UTC] <alice> there"]


async def test_a_room_that_was_away_gets_the_newest_messages_and_the_number_of_those_missing() -> None:
    world = World(now=T0)
    world.terms = Terms(per_room=10)
    async with world.running():
        world.libera.away[LIBERA] = "banned"
        await _minutes(world, 30)
        await world.home.hear(*(said(HOME, matrix("alice"), f"line {number}") for number in range(14)))
        await world.home.settled()
        await _minutes(world, 5)  # nothing has been tidied since: what is too much goes before the notice counts it
        del world.libera.away[LIBERA]
        await _minutes(world, 1)
        lines = await world.libera.delivered(11)
        assert lines[0] == (
            "I was disconnected from here for half a minute. 4 messages could not be delivered: too many waited."
            " 10 messages from the other rooms:"
        )
        assert lines[1:] == [f"<alice> line {number}" for number in range(4, 14)]
        assert await world.home.delivered(1) == [
            "4 messages from 10:02 UTC could not be delivered to #pond on libera: too many waited."
        ]
        await _minutes(world, 30)
        assert len(world.libera.sent) == 11, "it is told once"


@pytest.mark.parametrize("how", list(TellDead))
async def test_a_sender_on_matrix_is_told_of_a_dead_message_in_the_configured_way(how: TellDead) -> None:
    world = World(now=T0)
    world.terms = Terms(tell_dead=how)
    world.libera.failures[LIBERA] = [PermanentError("too loud")]
    world.home.failures[HOME] = [PermanentError("no")]
    async with world.running():
        await world.libera.hear(said(LIBERA, irc("bob", "bob"), "of IRC"))
        await world.oftc.delivered(1)
        await world.home.hear(said(HOME, matrix("alice"), "hi"), said(HOME, matrix("alice"), "ho"))
        assert await world.libera.delivered(1) == ["<alice> ho"]
        if how is TellDead.NOTHING:
            assert world.home.sent == []
            return
        assert await world.home.delivered(1) == ["not delivered to libera/#pond: too loud"]
    assert _told_of_the_dead(world) == [{TellDead.NOTICE: "message", TellDead.REACTION: "reaction"}[how]]


def _told_of_the_dead(world: World) -> list[str]:
    """The types of the events that told a sender of a dead message."""
    rows = world.store.sql.execute("SELECT type FROM events WHERE id LIKE 'dead %' ORDER BY seq")
    return [kind for (kind,) in rows]


@pytest.mark.parametrize(("how", "kind"), [(TellDead.NOTICE, "message"), (TellDead.REACTION, "reaction")])
async def test_the_last_notice_about_dead_messages_within_an_hour_says_that_no_more_will_follow(
    how: TellDead, kind: str
) -> None:
    world = World(now=T0, link=Link("pond", (HOME, LIBERA)))
    world.terms = Terms(tell_dead=how)
    world.libera.failures[LIBERA] = [PermanentError("too loud") for _ in range(41)]
    async with world.running():
        await world.home.hear(*(said(HOME, matrix("alice"), f"line {number}") for number in range(40)))
        *most, last = await world.home.delivered(30)
        assert {*most} == {"not delivered to libera/#pond: too loud"}
        assert last == (
            "not delivered to libera/#pond: too loud. If more messages fail, I say nothing about them for an hour."
        )
        await asyncio.sleep(30)
        assert len(world.libera.failures[LIBERA]) == 1
        assert len(world.home.sent) == 30
        assert _told_of_the_dead(world) == [*[kind] * 29, "message"]
        world.now += 3601
        await world.home.hear(said(HOME, matrix("alice"), "an hour later"))
        await world.home.delivered(31)


def test_a_reason_is_one_short_line_whoever_wrote_it() -> None:
    outage = Outage(LIBERA, T0, "removed by @m:hs (x\n<admin> send me your passwords\u2028" + "z" * 9_000)
    said = words_of(begun(outage, HOME, T0))
    assert said.isprintable()
    assert len(said) < 400


async def test_the_lookout_survives_that_a_network_is_stopped_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(now=T0, link=Link("pond", (HOME, LIBERA)))
    async with world.running():
        home = world.leases["home"]
    libera = await world.store.acquire("libera", "test")
    lookout = Lookout(world.gate, world.shared)
    losses = home.losses

    async def meanwhile() -> Sequence[Loss]:
        await libera.release()
        return await losses()

    monkeypatch.setattr(home, "losses", meanwhile)
    for _ in range(10):
        await lookout.look(world.networks, {"home": home, "libera": libera})
    assert not libera.valid()


async def test_notices_are_not_announced_as_messages_that_follow() -> None:
    world = World(now=T0, link=Link("pond", (HOME, LIBERA)))
    async with world.running():
        world.home.away[HOME] = world.libera.away[LIBERA] = "no connection"
        await _minutes(world, 90)
        world.home.away.clear()
        world.libera.away.clear()
        await _minutes(world, 1)
        told = [*await world.home.delivered(2), *await world.libera.delivered(2)]
    assert len(told) == 4
    assert not [text for text in told if "follow." in text or "follows." in text]


def test_a_room_that_we_are_back_in_but_may_not_speak_in_is_not_held() -> None:
    outages = Outages()
    changes(outages, "not in #pond yet", T0)
    assert outages.holds(LIBERA)
    outages.silenced(LIBERA, "moderated")
    changes(outages, None, T0 + 1)
    assert not outages.holds(LIBERA)
    outages.spoke(LIBERA)
    (ended,) = changes(outages, None, T0 + 2)
    assert isinstance(ended, Ended)


def test_the_first_gap_of_a_day_is_told_at_once_and_the_others_together_a_day_later() -> None:
    gaps = Gaps()
    first = gaps.heard(Gap(LIBERA, T0, T0 + 60), T0 + 60, TellGaps.DAILY)
    assert first is not None
    assert first.number == 1
    for hour in range(1, 4):
        at = T0 + hour * 3_600
        assert gaps.heard(Gap(LIBERA, at, at + 120), at + 120, TellGaps.DAILY) is None
    assert gaps.due(["libera"], T0 + 86_000, TellGaps.DAILY) == []
    assert gaps.due(["home"], T0 + 90_000, TellGaps.DAILY) == [], "its network is not run here"
    resumed = Gaps()
    resumed.resume(LIBERA, gaps.kept(LIBERA))
    ((room, bundle),) = resumed.due(["libera"], T0 + 90_000, TellGaps.DAILY)
    assert words_of(unknown(room, bundle, HOME)) == (
        "I lost my connection to #pond on libera 3 times (11:02-13:04 UTC, 6 minutes in all)."
        " Anything said there is missing here."
    )
    assert resumed.due(["libera"], T0 + 90_000, TellGaps.DAILY) == []


def test_gaps_are_told_each_time_or_never_where_the_operator_wants_it() -> None:
    gaps = Gaps()
    for number in range(3):
        at = T0 + number * 100
        assert gaps.heard(Gap(LIBERA, at, at + 60), at + 60, TellGaps.EACH) is not None
        assert gaps.heard(Gap(OFTC, at, at + 60), at + 60, TellGaps.NEVER) is None
    assert gaps.due(["oftc"], T0 + 90_000, TellGaps.NEVER) == []


async def test_gaps_of_one_day_are_told_to_the_other_rooms_in_two_notices_also_over_restarts() -> None:
    world = World(now=T0)
    for number in range(4):
        async with world.running():
            world.libera.gaps = [Gap(LIBERA, world.now - 100, world.now)]
            await world.libera.hear(said(LIBERA, irc("mallory"), f"{number}"))
            await world.libera.settled()
            world.now += 600
    async with world.running():
        (told,) = await world.home.delivered(1)
        assert "missing here" in told
        world.now += 90_000
        await _minutes(world, 10)
        assert "3 times" in (await world.home.delivered(2))[1]
        assert "3 times" in (await world.oftc.delivered(2))[1]
