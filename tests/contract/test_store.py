"""The contract of every store (bridge.store.contract), checked on every engine."""

import asyncio
import inspect
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bridge.model.accounting import REDACTED, TOO_MANY, TOO_OLD, Account, Count, Loss, Tally
from bridge.model.attribution import stamp
from bridge.model.event import (
    BOTS,
    Change,
    Edit,
    Event,
    EventKey,
    Kind,
    Media,
    Membership,
    Message,
    Origin,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.outbox import Addressed, Delivery, Known, Owed, Post, State, handle, text_handle
from bridge.model.people import Identity, Sender
from bridge.model.text import Span, Style, plain, words
from bridge.relay import outages
from bridge.store import Commit, Committed, Dead, Dropped, Lease, LeaseLost, Rewound, Shown, Store, Waits
from bridge.store.core import Core
from tests.contract.stores import Engine, lease_of, opened
from tests.events import HOME, LIBERA, OFTC, body_of, irc, matrix, rebodied, said

pytestmark = pytest.mark.real_time

NOW = 1_000.0


@pytest.fixture
async def store(engine: Engine, tmp_path: Path) -> AsyncGenerator[Store, None]:
    async with opened(engine, tmp_path, lambda: NOW) as store:
        yield store


@pytest.fixture
async def home(store: Store) -> Lease:
    return await lease_of(store, "home")


@pytest.fixture
async def libera(store: Store) -> Lease:
    return await lease_of(store, "libera")


_ids = st.text(min_size=1)
_spans = st.builds(
    Span, st.text(), st.integers(0, 63).map(Style), st.none() | st.text(), st.text(), st.text(), st.text()
)
_senders = st.builds(Sender, _ids, _ids, st.text(), st.builds(tuple, st.lists(st.builds(Identity))))
_keys = st.builds(EventKey, st.just(HOME), _ids)
_texts = st.lists(_spans).map(tuple)
_bodies: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Message,
        _texts,
        st.sampled_from(Kind),
        st.none() | st.text(),
        st.none() | _keys,
        st.none() | _keys,
        st.lists(st.builds(Media, size=st.none() | st.integers(0))).map(tuple),
        st.lists(st.text()).map(tuple),
    ),
    st.builds(Edit, _keys, _texts),
    st.builds(Redaction, _keys, st.text()),
    st.builds(Reaction, _keys, st.text(), st.booleans()),
    st.builds(Membership, _senders, st.sampled_from(Change), st.text()),
    st.builds(Topic, st.text()),
)
_events = st.builds(
    Event, _ids, st.just(HOME), _senders, st.floats(0, 2e9), _bodies, st.booleans(), st.sampled_from(Origin)
)


def lines(*texts: str) -> list[Event]:
    return [said(HOME, matrix("alice"), text) for text in texts]


def owed(events: Sequence[Event], *rooms: Room) -> list[Delivery]:
    return [Delivery.of(event.key, room) for event in events for room in rooms]


async def say(home: Lease, *texts: str, to: Sequence[Room] = (LIBERA,)) -> list[Delivery]:
    """Alice says `texts` at home; the deliveries to `to`."""
    cursor = await home.cursor()
    events = lines(*texts)
    deliveries = owed(events, *to)
    await home.commit(Commit(cursor, f"{cursor or ''}{len(texts)}", events, deliveries))
    return deliveries


async def texts(lease: Lease, now: float = NOW, **limits: Any) -> dict[Room, list[str]]:
    """What is due in each room, as texts: the payloads of its posts, or else the messages."""
    return {
        backlog.room: [post.payload for post in backlog.posts] or [plain(item.event.text) for item in backlog.owed]
        for backlog in await lease.due(now, **limits)
    }


def cut(delivery: Delivery, *payloads: str) -> list[Post]:
    return [Post.of(delivery.room, (delivery.id,), part, payload) for part, payload in enumerate(payloads)]


async def test_a_commit_moves_the_cursor_and_queues_in_order(home: Lease, libera: Lease) -> None:
    events = lines("one", "two")
    assert await home.cursor() is None
    assert await home.commit(Commit(None, "c1", events, owed(events, LIBERA))) == Committed(2)
    assert await home.cursor() == "c1"
    assert await texts(libera) == {LIBERA: ["one", "two"]}
    assert await texts(home) == {}


async def test_a_repeated_commit_changes_nothing(home: Lease, libera: Lease) -> None:
    events = lines("one")
    await home.commit(Commit(None, "c1", events, owed(events, LIBERA)))
    assert await home.commit(Commit(None, "c1", events, owed(events, LIBERA))) == Committed(0)
    assert await texts(libera) == {LIBERA: ["one"]}


async def test_a_commit_that_expects_another_cursor_is_refused_and_changes_nothing(home: Lease, libera: Lease) -> None:
    await say(home, "one")
    with pytest.raises(Rewound):
        await home.commit(Commit("elsewhere", "c9", lines("two"), owed(lines("two"), LIBERA)))
    assert await home.cursor() == "1"
    assert await texts(libera) == {LIBERA: ["one"]}


async def offer(home: Lease, text: str, cursor: str | None, new: str) -> tuple[list[Post], Committed]:
    """Commit a message of alice from home together with its posts for IRC, which are planned if they may be."""
    events = lines(text)
    (delivery,) = deliveries = owed(events, LIBERA)
    posts = cut(delivery, f"<alice> {text}", "more")
    return posts, await home.commit(Commit(cursor, new, events, deliveries, posts=posts))


async def test_a_commit_plans_its_posts_where_the_room_has_no_other_deliveries(home: Lease, libera: Lease) -> None:
    posts, committed = await offer(home, "one", None, "c1")
    assert committed == Committed(1, frozenset({LIBERA}))
    assert [*await libera.plan(LIBERA, posts[:1])] == posts
    assert await texts(libera) == {LIBERA: ["<alice> one", "more"]}
    assert await libera.sent(posts[0], "r1")
    assert await libera.sent(posts[1], "r2")
    assert await texts(libera) == {}


async def test_a_commit_plans_no_posts_where_the_room_has_other_deliveries(home: Lease, libera: Lease) -> None:
    (first,) = await say(home, "first")
    assert (await offer(home, "behind", "1", "c2"))[1] == Committed(1)
    assert await texts(libera) == {LIBERA: ["first", "behind"]}
    await libera.settle(Dead([first.id, owed(lines("behind"), LIBERA)[0].id], "no"))
    await say(home, "later")
    await libera.settle(Waits(LIBERA, NOW + 60, "not now"))
    await libera.settle(Dead([owed(lines("later"), LIBERA)[0].id], "no"))
    assert (await offer(home, "then", "c21", "c3"))[1] == Committed(
        1, frozenset({LIBERA})
    )  # no other delivery waits any more
    assert (await offer(home, "and then", "c3", "c4"))[1] == Committed(1)
    assert await texts(libera) == {LIBERA: ["<alice> then", "more"]}


async def test_a_commit_plans_no_posts_for_a_known_delivery_or_a_network_without_a_lease(
    store: Store, home: Lease
) -> None:
    assert (await offer(home, "nobody sends there", None, "c1"))[1] == Committed(1)
    libera = await lease_of(store, "libera")
    assert await texts(libera) == {LIBERA: ["nobody sends there"]}
    assert (await offer(home, "nobody sends there", "c1", "c2"))[1] == Committed(0)
    await libera.settle(Dead([owed(lines("nobody sends there"), LIBERA)[0].id], "no"))
    posts, _ = await offer(home, "again", "c2", "c3")
    assert (await offer(home, "again", "c3", "c4"))[1] == Committed(0)  # it may have been sent already
    assert (await offer(home, "again", "c3", "c4"))[1] == Committed(0)
    assert await texts(libera) == {LIBERA: [post.payload for post in posts]}


async def test_a_commit_wakes_the_waiting_lease_unless_it_planned_the_posts_itself(home: Lease, libera: Lease) -> None:
    async def woken() -> bool:
        """Whether the wait ends early: in a tenth of the time that it takes when nothing wakes it."""
        try:
            async with asyncio.timeout(0.005):
                await libera.wait(NOW + 60)
        except TimeoutError:
            return False
        return True

    await woken()
    await offer(home, "one", None, "c1")
    assert not await woken()
    await offer(home, "two", "c1", "c2")
    assert await woken()


async def test_a_long_gap_may_be_stored_in_several_commits(home: Lease, libera: Lease) -> None:
    await home.commit(Commit(None, "c1"))
    for text in ("one", "two"):
        await home.commit(Commit("c1", "c1", lines(text), owed(lines(text), LIBERA)))
    assert await texts(libera) == {LIBERA: ["one", "two"]}


async def test_an_event_heard_again_is_not_queued_again_whether_it_is_sent_dead_or_queued(
    home: Lease, libera: Lease
) -> None:
    first, second, third = await say(home, "one", "two", "three")
    await libera.settle(Dead([first.id], "no"))
    (post,) = await libera.plan(LIBERA, cut(second, "two"))
    await libera.sent(post, "$2")
    events = lines("one", "two", "three", "four")
    assert await home.commit(Commit("3", "c2", events, owed(events, LIBERA))) == Committed(1)
    assert await texts(libera) == {LIBERA: ["three", "four"]}
    assert third.id != first.id


async def test_an_event_heard_again_is_queued_for_a_room_that_is_new(home: Lease, store: Store, libera: Lease) -> None:
    (delivery,) = await say(home, "one")
    await libera.sent((await libera.plan(LIBERA, cut(delivery, "one")))[0], "$1")
    await home.commit(Commit("1", "c2", lines("one"), owed(lines("one"), LIBERA, OFTC)))
    assert await texts(await lease_of(store, "oftc")) == {OFTC: ["one"]}


async def test_renewing_a_lease_fails_if_the_store_has_another_cursor(home: Lease) -> None:
    await home.renew(None)
    await say(home, "one")
    await home.renew("1")
    with pytest.raises(Rewound):
        await home.renew("later")


async def test_every_call_on_a_lease_that_was_taken_over_fails(store: Store, home: Lease) -> None:
    (delivery,) = await say(home, "one", to=[HOME])
    (post,) = cut(delivery, "one")
    await lease_of(store, "home")
    assert not home.valid()
    verbs: list[Awaitable[Any]] = [
        home.cursor(),
        home.renew("1"),
        home.commit(Commit("1", "2")),
        home.due(NOW),
        home.plan(HOME, [post]),
        home.sent(post, "$1"),
        home.settle(Waits(HOME, NOW, "")),
        home.settle(Dead([delivery.id], "")),
        home.recall(),
        home.remember({}),
    ]
    for verb in verbs:
        with pytest.raises(LeaseLost):
            await verb


async def test_a_released_lease_is_not_valid(home: Lease) -> None:
    assert home.valid()
    await home.release()
    assert not home.valid()
    with pytest.raises(LeaseLost):
        await home.cursor()


async def test_posts_that_were_planned_first_stay_when_others_are_planned(home: Lease, libera: Lease) -> None:
    one, two = await say(home, "one", "two")
    merged = [Post.of(LIBERA, (one.id, two.id), 0, "one+two")]
    assert list(await libera.plan(LIBERA, merged)) == merged
    assert list(await libera.plan(LIBERA, cut(one, "one"))) == merged
    assert await texts(libera) == {LIBERA: ["one+two"]}


async def test_append_freezes_a_later_delivery_after_the_frozen_posts(home: Lease, libera: Lease) -> None:
    one, two, three = await say(home, "one", "two", "three")
    frozen = await libera.plan(LIBERA, cut(one, "on", "e"))
    behind = await libera.behind(LIBERA)
    assert behind is not None
    assert behind.delivery == two.id
    assert list(await libera.append(LIBERA, cut(one, "again"))) == []
    appended = await libera.append(LIBERA, cut(two, "two"))
    (backlog,) = await libera.due(0.0)
    assert backlog.posts == (*frozen, *appended)
    assert await libera.sent(appended[0], "$2")
    for post in frozen:
        assert await libera.sent(post, "$1")
    assert await texts(libera) == {LIBERA: ["three"]}
    assert three.id


async def test_behind_is_none_if_every_queued_delivery_is_frozen(home: Lease, libera: Lease) -> None:
    assert await libera.behind(LIBERA) is None
    (one,) = await say(home, "one")
    await libera.plan(LIBERA, cut(one, "one"))
    assert await libera.behind(LIBERA) is None


async def test_thaw_lets_posts_be_rendered_again_unless_one_was_sent(home: Lease, libera: Lease) -> None:
    one, two = await say(home, "one", "two")
    assert not await libera.thaw(LIBERA)
    await libera.plan(LIBERA, [Post.of(LIBERA, (one.id, two.id), 0, "one+two")])
    assert await libera.thaw(LIBERA)
    assert await texts(libera) == {LIBERA: ["one", "two"]}
    head, tail = await libera.plan(LIBERA, cut(one, "on", "e"))
    await libera.sent(head, "$1")
    assert not await libera.thaw(LIBERA)
    (backlog,) = await libera.due(0.0)
    assert backlog.posts == (tail,)


async def test_a_plan_that_includes_a_dropped_delivery_plans_nothing(home: Lease, libera: Lease, store: Store) -> None:
    one, two = await say(home, "one", "two")
    await store.drop(one.id)
    assert list(await libera.plan(LIBERA, [*cut(one, "one"), *cut(two, "two")])) == []
    assert await texts(libera) == {LIBERA: ["two"]}


async def test_the_last_post_to_be_sent_completes_a_delivery(home: Lease, libera: Lease, store: Store) -> None:
    one, two = await say(home, "one", "two")
    head, tail, last = await libera.plan(LIBERA, [*cut(one, "on", "e"), *cut(two, "two")])
    assert await libera.sent(head, "$1")
    assert not await libera.sent(head, "$1")
    assert await texts(libera) == {LIBERA: ["e", "two"]}
    assert await libera.sent(tail, "$2")
    assert [entry.delivery for entry in await store.outbox()] == [two.id]
    assert await libera.sent(last, "$3")
    assert await texts(libera) == {}
    assert await store.outbox() == []
    assert list(await store.remote_ids(one.event, LIBERA)) == ["$1", "$2"]
    assert await store.source_of(LIBERA, "$3") == two.event


async def test_what_was_noted_is_known_to_whatever_is_asked_for_after_it(
    home: Lease, libera: Lease, store: Store
) -> None:
    if not store.in_order:
        pytest.skip("it promises no order of calls, and nothing is left to be noted there")
    one, two = await say(home, "one", "two")
    head, last = await libera.plan(LIBERA, [*cut(one, "one"), *cut(two, "two")])
    noted, left, source = await asyncio.gather(
        libera.note_sent(head, "$1"), texts(libera), store.source_of(LIBERA, "$1")
    )
    assert noted
    assert left == {LIBERA: ["two"]}
    assert source == one.event
    assert not await libera.note_sent(head, "$1")
    assert await libera.note_sent(last, "$2")
    assert await store.outbox() == []


async def test_posts_may_be_sent_in_any_order_and_remote_ids_keep_the_planned_order(
    home: Lease, libera: Lease, store: Store
) -> None:
    (one,) = await say(home, "one")
    head, middle, tail = await libera.plan(LIBERA, cut(one, "a", "b", "c"))
    assert await libera.sent(middle, "$2")
    assert not await libera.sent(middle, "$2")
    assert await texts(libera) == {LIBERA: ["a", "c"]}
    assert await libera.sent(tail, "$3")
    assert [entry.state for entry in await store.outbox()] == [State.QUEUED]
    assert await libera.sent(head, "$1")
    assert await store.outbox() == []
    assert list(await store.remote_ids(one.event, LIBERA)) == ["$1", "$2", "$3"]


async def test_remote_ids_of_posts_rendered_again_follow_those_already_sent(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two = await say(home, "one", "two")
    head, _ = await libera.plan(LIBERA, [*cut(one, "a"), Post.of(LIBERA, (one.id, two.id), 1, "b+two")])
    await libera.sent(head, "$1")
    await libera.settle(Dead([two.id], "no"))
    (again,) = await libera.plan(LIBERA, cut(one, "again"))
    assert await libera.sent(again, "$2")
    assert list(await store.remote_ids(one.event, LIBERA)) == ["$1", "$2"]


async def test_a_delivery_settled_as_dropped_stays_known_and_is_never_queued_again(
    home: Lease, libera: Lease, store: Store
) -> None:
    events = lines("one", "two")
    one, two = owed(events, LIBERA)
    await home.commit(Commit(None, "c1", events, [one, two]))
    await libera.plan(LIBERA, cut(one, "one"))
    await home.settle(Dropped([one.id], "not its network"))
    assert await texts(libera) == {LIBERA: ["one"]}
    await libera.settle(Dropped([one.id], "too old"))
    assert [entry.delivery for entry in await store.outbox()] == [two.id]
    assert await texts(libera) == {LIBERA: ["two"]}
    assert not await store.retry(one.id)
    assert not await store.drop(one.id)
    assert await home.commit(Commit("c1", "c2", events, [one, two])) == Committed(0)
    assert await store.expire(NOW + 1) == 1


async def test_the_oldest_deliveries_are_trimmed_until_the_rest_is_small_enough(home: Lease, libera: Lease) -> None:
    await say(home, *(f"{number}" * 10_000 for number in range(5)), "short")
    assert await libera.trim(NOW - 60, 100, 200_000) == 0
    assert await libera.trim(NOW - 60, 100, 70_000) == 2
    (loss,) = await libera.losses()
    assert (loss.room, loss.reason, loss.number) == (LIBERA, TOO_MANY, 2)
    (left,) = (await texts(libera)).values()
    assert [text[0] for text in left] == ["2", "3", "4", "s"]
    assert await libera.trim(NOW - 60, 100, 10) == 3, "the newest stays, however large"


async def test_what_was_sent_counts_no_more_for_the_size_of_the_queue(home: Lease, libera: Lease) -> None:
    one, two = await say(home, "1" * 10_000, "2" * 10_000)
    (post,) = await libera.plan(LIBERA, cut(one, "one"))
    await libera.sent(post, "$1")
    assert await libera.trim(NOW - 60, 100, 30_000) == 0
    assert two.id


async def test_deliveries_too_old_or_over_the_limit_are_trimmed_and_counted_as_losses_until_told(
    home: Lease, libera: Lease, store: Store
) -> None:
    two = Room("libera", "#two")
    await say(home, *"abcdef")
    await say(home, "g", to=(two,))
    (head,) = [backlog for backlog in await libera.due(NOW) if backlog.room == LIBERA]
    await libera.plan(LIBERA, cut(Delivery.of(head.owed[0].event.key, LIBERA), "a"))
    notice = lines("notice")[0]
    await libera.commit(Commit.owing([Addressed(notice, LIBERA, ahead=True)]))
    assert await libera.trim(NOW - 60, 7) == 0
    assert await home.trim(NOW + 60, 1) == 0, "not its network"
    assert await libera.trim(NOW - 60, 5) == 2
    (loss,) = await libera.losses()
    assert loss == Loss(LIBERA, TOO_MANY, 2, NOW, NOW)
    left = [entry.event.id for entry in await store.outbox() if entry.room == LIBERA]
    assert left == [
        "$a",
        "$d",
        "$e",
        "$f",
        "$notice",
    ]
    assert await libera.trim(NOW + 60, 100) == 4, "all but what is frozen and what goes ahead"
    assert await texts(libera) == {LIBERA: ["a"]}
    assert [(each.room, each.reason, each.number) for each in await libera.losses()] == [
        (LIBERA, TOO_MANY, 2),
        (LIBERA, TOO_OLD, 3),
        (two, TOO_OLD, 1),
    ]
    told = lines("told")[0]
    telling = Commit.owing([Addressed(told, two)], told=[replace(loss, number=1)])
    assert await libera.commit(telling) == Committed(1)
    assert await libera.commit(telling) == Committed(0), "the repetition of a call whose answer was lost"
    assert [each.number for each in await libera.losses() if each.reason == TOO_MANY] == [1]
    await libera.commit(Commit(told=[replace(loss, number=1)]))
    assert TOO_MANY not in [each.reason for each in await libera.losses()]
    assert await texts(libera) == {LIBERA: ["a"], two: ["told"]}
    assert (await store.ledger(0)).lost == ((TOO_OLD, 4), (TOO_MANY, 2))


async def test_a_late_message_is_stamped_with_its_time_and_a_wrong_clock_makes_none_late(
    home: Lease, libera: Lease
) -> None:
    live = replace(lines("live")[0], time=NOW - 90_000)
    old = replace(lines("old")[0], time=NOW - 300, origin=Origin.REPLAYED)
    ahead_of_us = replace(lines("ahead")[0], time=NOW + 300, origin=Origin.REPLAYED)
    events = [live, old, ahead_of_us]
    await home.commit(Commit(None, "c1", events, owed(events, LIBERA)))
    (backlog,) = await libera.due(NOW + 30)
    assert [(item.said, item.age) for item in backlog.owed] == [(NOW, 30), (NOW - 300, 330), (NOW, 30)]
    assert [stamp(item) for item in backlog.owed] == ["", "[00:11 UTC] ", ""]
    (backlog,) = await libera.due(NOW + 90_000)
    assert [stamp(item) for item in backlog.owed][:2] == ["[1970-01-01 00:16 UTC] ", "[1970-01-01 00:11 UTC] "]
    assert await libera.settle(Dead([item.delivery for item in backlog.owed[:2]], "no")) == [live, old]
    await libera.settle(Dropped([backlog.owed[2].delivery], TOO_OLD))
    assert await libera.losses() == [Loss(LIBERA, TOO_OLD, 1, NOW, NOW)]


@pytest.mark.parametrize("time", [-9e12, 0.0, 9e12])
async def test_absurd_times_from_a_server_are_bounded_and_can_be_shown(home: Lease, libera: Lease, time: float) -> None:
    events = [replace(lines("x")[0], time=time, origin=Origin.REPLAYED), *lines("y")]
    await home.commit(Commit(None, "c1", events, owed(events, LIBERA)))
    (backlog,) = await libera.due(NOW + 100)
    assert 0 <= backlog.owed[0].said <= NOW
    assert stamp(backlog.owed[0]).startswith("[")
    await libera.settle(Dropped([backlog.owed[0].delivery], TOO_OLD))
    (loss,) = await libera.losses()
    assert "could not be delivered" in plain(outages.lost(loss, HOME, NOW).event.text)


async def test_dead_deliveries_that_are_retried_start_with_age_zero(home: Lease, libera: Lease, store: Store) -> None:
    live, late = lines("live", "late")
    late = replace(late, time=1.0, origin=Origin.REPLAYED)
    await home.commit(Commit(None, "1", [live, late], owed([live, late], LIBERA)))
    dead = [delivery.id for delivery in owed([live, late], LIBERA)]
    await libera.settle(Dead(dead, "no"))
    assert [await store.retry(each) for each in dead] == [True, True]
    assert await libera.trim(NOW, 10) == 0
    (backlog,) = await libera.due(NOW)
    assert [item.age for item in backlog.owed] == [0, 0]


async def test_explain_sets_the_reason_of_a_room_that_waits_without_postponing_it(
    home: Lease, libera: Lease, store: Store
) -> None:
    await libera.explain(LIBERA, "away")
    await say(home, "one")
    assert (await store.outbox())[0].reason == ""
    await libera.explain(LIBERA, "away")
    (entry,) = await store.outbox()
    assert (entry.reason, entry.attempts) == ("away", 0)
    assert await texts(libera) == {LIBERA: ["one"]}
    await libera.settle(Waits(LIBERA, NOW + 60, "no"))
    await libera.explain(LIBERA, "banned")
    (entry,) = await store.outbox()
    assert (entry.reason, entry.attempts) == ("banned", 1)
    assert await texts(libera) == {}


async def test_a_hastened_room_is_due_and_keeps_its_attempts(home: Lease, libera: Lease) -> None:
    await libera.hasten(LIBERA)
    await say(home, "one")
    await libera.settle(Waits(LIBERA, NOW + 60, "not joined"))
    assert await texts(libera) == {}
    await libera.hasten(LIBERA)
    (backlog,) = await libera.due(NOW)
    assert backlog.attempts == 1


async def test_sent_may_plan_the_next_posts_in_the_same_call(home: Lease, libera: Lease) -> None:
    one, two = await say(home, "one", "two")
    (post,) = await libera.plan(LIBERA, cut(one, "one"))
    await libera.sent(post, "$1", then=cut(two, "TWO"))
    assert await texts(libera) == {LIBERA: ["TWO"]}


async def test_a_merged_post_is_the_remote_id_of_each_event_that_it_carries(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two = await say(home, "one", "two")
    (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (one.id, two.id), 0, "one+two")])
    await libera.sent(post, "$1")
    assert list(await store.remote_ids(one.event, LIBERA)) == list(await store.remote_ids(two.event, LIBERA)) == ["$1"]
    assert await store.source_of(LIBERA, "$1") == one.event


async def test_a_postponed_room_is_not_due_and_holds_up_no_other_room(home: Lease, libera: Lease) -> None:
    other = Room("libera", "#other")
    await say(home, "one", to=[LIBERA, other])
    await libera.settle(Waits(LIBERA, NOW + 60, "offline"))
    await libera.settle(Waits(LIBERA, NOW + 60, "offline"))
    assert await texts(libera) == {other: ["one"]}
    waited = {backlog.room: backlog for backlog in await libera.due(NOW + 60)}
    assert waited[LIBERA].attempts == 2
    assert waited[other].attempts == 0


async def test_sending_clears_a_postponement(home: Lease, libera: Lease) -> None:
    one, _ = await say(home, "one", "two")
    (post,) = await libera.plan(LIBERA, cut(one, "one"))
    await libera.settle(Waits(LIBERA, NOW + 60, "offline"))
    await libera.sent(post, "$1")
    (backlog,) = await libera.due(NOW)
    assert backlog.attempts == 0


async def test_postponing_an_empty_room_does_nothing(home: Lease, libera: Lease) -> None:
    await libera.settle(Waits(LIBERA, NOW + 60, "offline"))
    await say(home, "one")
    assert await texts(libera) == {LIBERA: ["one"]}


async def test_a_dead_delivery_keeps_its_reason_and_the_room_goes_on(home: Lease, libera: Lease, store: Store) -> None:
    one, two = await say(home, "one", "two")
    await libera.plan(LIBERA, [*cut(one, "one"), *cut(two, "two")])
    await libera.settle(Dead([one.id, "unknown"], "too large"))
    assert await texts(libera) == {LIBERA: ["two"]}
    entries = await store.outbox()
    assert [(entry.delivery, entry.state, entry.reason) for entry in entries] == [
        (one.id, State.DEAD, "too large"),
        (two.id, State.QUEUED, ""),
    ]


async def test_a_half_sent_delivery_keeps_its_remaining_posts_when_the_next_is_dropped(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two = await say(home, "one", "two")
    head, *_ = await libera.plan(LIBERA, [*cut(one, "on", "e"), *cut(two, "two")])
    await libera.sent(head, "$1")
    await store.drop(two.id)
    assert await texts(libera) == {LIBERA: ["e"]}


async def test_deliveries_merged_with_a_dropped_one_are_rendered_again_in_their_order(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two, three, four = await say(home, "one", "two", "three", "four")
    merged = Post.of(LIBERA, (two.id, three.id), 0, "two+three")
    head, tail, *_ = await libera.plan(LIBERA, [*cut(one, "on", "e"), merged, *cut(four, "four")])
    await libera.sent(head, "$1")
    await store.drop(two.id)
    assert await texts(libera) == {LIBERA: ["e"]}  # half sent, so the rest stays as it was split
    await libera.sent(tail, "$2")
    assert await texts(libera) == {LIBERA: ["three", "four"]}


async def test_dropping_a_delivery_unfreezes_every_merged_post_that_is_connected_with_it(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two, three = await say(home, "one", "two", "three")
    first, second = Post.of(LIBERA, (one.id, two.id), 0, "one+tw"), Post.of(LIBERA, (two.id, three.id), 1, "o+three")
    await libera.plan(LIBERA, [first, second])
    await store.drop(three.id)
    assert await texts(libera) == {LIBERA: ["one", "two"]}


async def test_a_dead_delivery_that_is_retried_keeps_its_place_in_the_queue(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, _ = await say(home, "one", "two")
    await libera.settle(Dead([one.id], "no"))
    assert await store.retry(one.id)
    assert not await store.retry(one.id)
    assert await texts(libera) == {LIBERA: ["one", "two"]}


async def test_a_delivery_that_the_operator_drops_is_gone_and_never_queued_again(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two = await say(home, "one", "two")
    await libera.settle(Dead([one.id], "no"))
    assert await store.drop(one.id)
    assert await store.drop(two.id)
    assert not await store.drop(two.id)
    assert not await store.drop("unknown")
    assert await texts(libera) == {}
    assert await home.commit(Commit("2", "c2", lines("one", "two"), owed(lines("one", "two"), LIBERA))) == Committed(0)


async def test_due_gives_the_rooms_that_wait_longest_and_a_bounded_number_of_deliveries_each(
    home: Lease, libera: Lease
) -> None:
    rooms = [Room("libera", f"#room{number:02}") for number in range(10)]
    for room in reversed(rooms):
        cursor = await home.cursor() or ""
        events = [said(HOME, matrix("alice"), f"{room.id} {number}") for number in range(5)]
        await home.commit(Commit(cursor or None, cursor + "x", events, owed(events, room)))
    found = await texts(libera, rooms=3, each=2)
    assert list(found) == rooms[:-4:-1]
    assert all(len(waiting) == 2 for waiting in found.values())


def refers(item: Owed) -> tuple[str, ...]:
    """The ids in its room of what it replies to."""
    return item.ids_of(body_of(item.event).reply_to)


async def test_a_reply_gets_the_ids_of_its_target_in_the_room_that_it_goes_to(
    home: Lease, libera: Lease, store: Store
) -> None:
    (delivery,) = await say(home, "question")
    (post,) = await libera.plan(LIBERA, cut(delivery, "question"))
    await libera.sent(post, "irc-1")
    asked = delivery.event

    at_home = said(HOME, matrix("carol"), "same room", reply_to=asked)
    from_irc = said(LIBERA, irc("bob"), "across", reply_to=EventKey(LIBERA, "irc-1"))
    unknown = said(HOME, matrix("carol"), "lost", reply_to=EventKey(HOME, "$never"))
    await home.commit(Commit("1", "c2", [at_home, unknown], owed([at_home, unknown], LIBERA)))
    await libera.commit(Commit(None, "c1", [from_irc], owed([from_irc], HOME, OFTC)))

    (to_libera,) = await libera.due(NOW)
    assert [refers(item) for item in to_libera.owed] == [("irc-1",), ()]
    (to_home,) = await home.due(NOW)
    assert refers(to_home.owed[0]) == (asked.id,)
    (to_oftc,) = await (await lease_of(store, "oftc")).due(NOW)
    assert refers(to_oftc.owed[0]) == ()


@given(events=st.lists(_events, min_size=1, max_size=5, unique_by=lambda event: event.id))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_event_is_read_back_as_it_was_stored(engine: Engine, tmp_path: Path, events: list[Event]) -> None:
    async with opened(engine, tmp_path / uuid4().hex, lambda: NOW) as store:
        home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
        await home.commit(Commit(None, "c1", events, owed(events, LIBERA)))
        (backlog,) = await libera.due(NOW)
        assert [item.event for item in backlog.owed] == events


def _shared(event_id: str, sender: Sender, room: Room = HOME, *, text: bool = False) -> Event:
    """Somebody said a long text, or posted a picture."""
    event = said(room, sender, f"words of {event_id}", event_id)
    if text:
        return replace(event, text_until=2_000)
    return rebodied(event, media=(Media("image", "a.png", 1, "", f"mxc://hs/{event_id}", until=2_000),))


async def _opens(store: Store, event: Event) -> bool:
    if event.text_until:
        return await store.text(text_handle(event)) is not None
    return await store.file(handle(event, body_of(event).media[0])) is not None


async def test_the_links_to_all_that_somebody_said_are_revoked_everywhere_or_in_some_rooms(
    store: Store, home: Lease
) -> None:
    eve, alice = matrix("eve"), replace(matrix("alice"), user="alice")
    theirs = [_shared("$1", eve), _shared("$2", eve, text=True), _shared("$3", replace(eve, avatar="x"), OFTC)]
    others = [_shared("$4", alice), _shared("$5", alice, text=True)]
    told = replace(_shared("$6", matrix("mallory")), private=True)
    await home.commit(Commit.owing(Addressed(event, LIBERA) for event in (*theirs, *others, told)))
    asked: list[Sender] = []

    def is_eve(sender: Sender) -> bool:
        asked.append(sender)
        return sender.address == eve.address

    assert await store.revoke_said(is_eve, [LIBERA]) == (0, 0)
    assert await store.revoke_said(is_eve, []) == (0, 0)
    assert await store.revoke_said(is_eve, [OFTC, LIBERA]) == (1, 0)
    assert [await _opens(store, event) for event in theirs] == [True, True, False]
    assert await store.revoke_said(is_eve) == (1, 1)
    assert await store.revoke_said(is_eve) == (0, 0)
    assert not any([await _opens(store, event) for event in theirs])
    assert all([await _opens(store, event) for event in others])
    assert {sender.address for sender in asked} == {eve.address, alice.address}, "nobody is known in private"


async def test_the_files_and_the_text_of_a_message_are_counted_apart(store: Store, home: Lease) -> None:
    both = replace(_shared("$both", matrix("alice")), text_until=2_000)
    await home.commit(Commit.owing([Addressed(both, LIBERA)]))
    assert await store.revoke_of("$other") == (0, 0)
    assert await store.revoke_of("$both") == (1, 1)
    assert await store.revoke_of("$both") == (0, 0)


async def test_a_network_recalls_only_what_it_remembered_itself(home: Lease, libera: Lease) -> None:
    await home.remember({"token": "secret", "device": "D"})
    await home.remember({"token": None})
    assert dict(await home.recall()) == {"device": "D"}
    assert dict(await libera.recall()) == {}


async def test_sent_deliveries_expire_and_dead_ones_stay(home: Lease, libera: Lease, store: Store) -> None:
    one, two, three = await say(home, "one", "two", "three")
    for delivery, remote in ((one, "$1"), (two, "$2")):
        (post,) = await libera.plan(LIBERA, cut(delivery, "x"))
        await libera.sent(post, remote)
    await libera.settle(Dead([three.id], "no"))
    assert await store.expire(NOW) == 0
    assert await store.expire(NOW + 1) == 2
    assert list(await store.remote_ids(one.event, LIBERA)) == []
    assert [entry.delivery for entry in await store.outbox()] == [three.id]


async def test_waiting_ends_when_something_is_queued(home: Lease, libera: Lease) -> None:
    waiting = asyncio.create_task(libera.wait(NOW + 3600))
    await say(home, "one")
    async with asyncio.timeout(5):
        await waiting


async def test_a_commit_whose_caller_was_cancelled_is_done_and_wakes_the_lease(home: Lease, libera: Lease) -> None:
    events = lines("one")
    commit = asyncio.create_task(home.commit(Commit(None, "c1", events, owed(events, LIBERA))))
    await asyncio.sleep(0)  # it has begun
    commit.cancel()
    async with asyncio.timeout(5):
        while not await libera.due(NOW):
            await libera.wait(NOW + 3600)
    assert await home.cursor() == "c1"


async def test_waiting_ends_at_the_given_time(libera: Lease) -> None:
    async with asyncio.timeout(5):
        await libera.wait(NOW)


class _Machine(RuleBasedStateMachine):
    """The store against a simple model: a list per room, what is frozen, what is dead."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.exits = AsyncExitStack()
        self.store = self.run(self.exits.enter_async_context(opened(self.engine, Path(self.folder.name), lambda: NOW)))
        self.home = self.run(lease_of(self.store, "home"))
        self.libera = self.run(lease_of(self.store, "libera"))
        self.cursor: str | None = None
        self.count = 0
        self.queued: dict[Room, list[Delivery]] = {LIBERA: [], Room("libera", "#two"): []}
        self.frozen: dict[Room, list[Post]] = {room: [] for room in self.queued}
        self.dead: list[Delivery] = []
        self.waits: dict[Room, float] = {}
        self.lost: Counter[tuple[Room, str]] = Counter()

    def run(self, verb: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await verb

        return self.loop.run_until_complete(awaited())

    def teardown(self) -> None:
        self.run(self.exits.aclose())
        self.loop.close()
        self.folder.cleanup()

    rooms = st.sampled_from([LIBERA, Room("libera", "#two")])

    @rule(room=rooms, many=st.integers(1, 3), repeat=st.booleans(), offered=st.booleans())
    def hear(self, room: Room, many: int, repeat: bool, offered: bool) -> None:
        events = lines(*(f"{self.count + number}" for number in range(many)))
        deliveries = owed(events, room)
        cursor = f"c{self.count}"
        posts = [post for delivery in deliveries for post in cut(delivery, *"ab")] if offered else []
        planned = frozenset({room}) if offered and not self.queued[room] else frozenset()
        committed = self.run(self.home.commit(Commit(self.cursor, cursor, events, deliveries, posts=posts)))
        assert committed == Committed(many, planned)
        if planned:
            self.frozen[room] = posts
        if repeat:
            assert self.run(self.home.commit(Commit(self.cursor, cursor, events, deliveries))) == Committed(0)
            assert self.run(self.home.commit(Commit(cursor, cursor, events, deliveries))) == Committed(0)
        self.cursor, self.count = cursor, self.count + many
        self.queued[room] += deliveries

    @rule(room=rooms, take=st.integers(1, 3), parts=st.integers(1, 3), merge=st.booleans())
    def freeze(self, room: Room, take: int, parts: int, merge: bool) -> None:
        head = self.queued[room][:take]
        alone = head[:1] if merge else head
        posts = [post for delivery in alone for post in cut(delivery, *"abc"[:parts])]
        if rest := tuple(delivery.id for delivery in head[len(alone) :]):
            posts.append(Post.of(room, rest, 0, "merged"))
        assert list(self.run(self.libera.plan(room, posts))) == (self.frozen[room] or posts)
        self.frozen[room] = self.frozen[room] or posts

    @precondition(lambda self: any(self.frozen.values()))
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        room = data.draw(st.sampled_from([room for room, posts in self.frozen.items() if posts]))
        post = self.frozen[room].pop(data.draw(st.integers(0, len(self.frozen[room]) - 1)))
        assert self.run(self.libera.sent(post, f"${post.id}"))
        assert not self.run(self.libera.sent(post, f"${post.id}"))
        left = {delivery for later in self.frozen[room] for delivery in later.deliveries}
        done = set(post.deliveries) - left
        self.queued[room] = [delivery for delivery in self.queued[room] if delivery.id not in done]
        self.waits.pop(room, None)

    @rule(room=rooms, until=st.floats(NOW - 10, NOW + 10))
    def postpone(self, room: Room, until: float) -> None:
        self.run(self.libera.settle(Waits(room, until, "later")))
        if self.queued[room]:
            self.waits[room] = until

    @rule(room=rooms)
    def hasten(self, room: Room) -> None:
        self.run(self.libera.hasten(room))
        if room in self.waits:
            self.waits[room] = NOW - 20

    @precondition(lambda self: any(self.queued.values()))
    @rule(data=st.data(), how=st.sampled_from(["bury", "give up", "drop"]))
    def give_up(self, data: st.DataObject, how: str) -> None:
        chosen = data.draw(st.sampled_from([d for queue in self.queued.values() for d in queue]))
        room = chosen.room
        if how == "bury":
            self.run(self.libera.settle(Dead([chosen.id], "no")))
            self.dead.append(chosen)
        elif how == "give up":
            self.run(self.libera.settle(Dropped([chosen.id], "too old")))
            self.lost[room, "too old"] += 1
        else:
            assert self.run(self.store.drop(chosen.id))
        self.queued[room].remove(chosen)
        self.frozen[room] = [post for post in self.frozen[room] if chosen.id not in post.deliveries]
        if not self.queued[room]:
            self.waits.pop(room, None)

    @rule(most=st.integers(1, 6))
    def trim(self, most: int) -> None:
        expected = 0
        for room, queue in self.queued.items():
            fixed = {delivery for post in self.frozen[room] for delivery in post.deliveries}
            free = [delivery for delivery in queue if delivery.id not in fixed]
            gone = free[: max(0, len(queue) - most)]
            self.queued[room] = [delivery for delivery in queue if delivery not in gone]
            self.lost[room, TOO_MANY] += len(gone)
            expected += len(gone)
            if not self.queued[room]:
                self.waits.pop(room, None)
        assert self.run(self.libera.trim(NOW - 60, most)) == expected

    @precondition(lambda self: +self.lost)
    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        loss = data.draw(st.sampled_from(self.run(self.libera.losses())))
        self.run(self.libera.commit(Commit(told=[loss])))
        del self.lost[loss.room, loss.reason]

    @invariant()
    def what_was_lost_is_counted_until_it_is_told(self) -> None:
        assert {(each.room, each.reason): each.number for each in self.run(self.libera.losses())} == +self.lost

    @precondition(lambda self: self.dead)
    @rule(data=st.data())
    def revive(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.dead))
        assert self.run(self.store.retry(chosen.id))
        self.dead.remove(chosen)
        self.queued[chosen.room].append(chosen)
        order = {delivery.id: number for number, delivery in enumerate(self._ever(chosen.room))}
        self.queued[chosen.room].sort(key=lambda delivery: order[delivery.id])

    def _ever(self, room: Room) -> list[Delivery]:
        return owed(lines(*(str(number) for number in range(self.count))), room)

    @rule()
    def take_over(self) -> None:
        self.libera = self.run(lease_of(self.store, "libera"))

    @invariant()
    def what_is_due_is_what_the_child_remembers(self) -> None:
        due = {backlog.room: backlog for backlog in self.run(self.libera.due(NOW, each=100))}
        expected = {room for room, queue in self.queued.items() if queue and self.waits.get(room, NOW) <= NOW}
        assert set(due) == expected
        for room, backlog in due.items():
            assert list(backlog.posts) == self.frozen[room]
            if not backlog.posts:
                assert [item.delivery for item in backlog.owed] == [delivery.id for delivery in self.queued[room]]

    @invariant()
    def the_outbox_lists_what_is_not_done(self) -> None:
        listed = {(entry.delivery, entry.state) for entry in self.run(self.store.outbox())}
        queued = {(delivery.id, State.QUEUED) for queue in self.queued.values() for delivery in queue}
        assert listed == queued | {(delivery.id, State.DEAD) for delivery in self.dead}


_EXAMPLES = {"memory": 60, "redis": 15}


def test_whatever_is_done_with_a_store_it_is_what_a_simple_model_says(engine: Engine) -> None:
    machine = type("Machine", (_Machine,), {"engine": engine})
    examples = settings(
        max_examples=_EXAMPLES.get(engine.name, 40),
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=examples)


async def test_the_ledger_counts_what_was_carried_refused_sent_queued_dead_and_dropped(
    store: Store, home: Lease, libera: Lease
) -> None:
    one, two, three, four = lines("one", "two", "three", "four")
    refused = Count(HOME, Tally.REFUSED, "not a member")
    deliveries = owed([one, two, three, four], LIBERA)
    await home.commit(Commit(None, "c1", [one, two, three, four], deliveries, counts=[refused, refused]))
    await home.commit(
        Commit(None, "c1", [one], owed([one], LIBERA), counts=[refused])
    )  # a repetition, which changes nothing
    (post,) = await libera.plan(LIBERA, cut(deliveries[0], "one"))
    await libera.sent(post, "r1")
    await libera.settle(Dead([deliveries[1].id], "too large"))
    await libera.settle(Dropped([deliveries[2].id], "too old"))
    await libera.commit(Commit(counts=[Count(LIBERA, Tally.RESENT, "who knows")]))
    found = await store.ledger(NOW - 60)
    assert found.carried == 4
    assert found.accounts == (Account(LIBERA, queued=1, sent=1, dead=1, dropped=1),)
    assert found.ratio == 1 / 3
    assert found.lost == (("too large", 1), ("too old", 1))
    assert dict(found.counts) == {refused: 2, Count(LIBERA, Tally.RESENT, "who knows"): 1}
    assert (found.counted(Tally.REFUSED), found.counted(Tally.UNKNOWN)) == (2, 0)
    later = await store.ledger(NOW + 60)
    assert (later.carried, later.counts, later.ratio) == (0, (), None)


async def test_questions_to_bots_are_not_in_the_ledger_and_its_counts_expire(store: Store, home: Lease) -> None:
    await say(home, "duck: hi", to=(Room(BOTS, "duck@home/#pond:hs"),))
    await home.commit(Commit(counts=[Count(HOME, Tally.UNKNOWN, "away")]))
    assert (await store.ledger(0)).carried == 0
    assert await store.expire(NOW) == 0
    assert (await store.ledger(0)).counted(Tally.UNKNOWN) == 1
    await store.expire(NOW + 120)
    assert (await store.ledger(0)).counted(Tally.UNKNOWN) == 0


async def test_a_notice_that_goes_ahead_is_due_first_and_is_queued_once_though_committed_twice(
    home: Lease, libera: Lease
) -> None:
    await say(home, "one", "two")
    (notice,) = lines("notice")
    owe = Commit.owing([Addressed(notice, LIBERA, ahead=True)])
    assert await libera.waiting(LIBERA) == 2
    assert await libera.commit(owe) == Committed(1)
    assert await libera.commit(owe) == Committed(0)
    assert await libera.waiting(LIBERA) == 3
    assert await libera.waiting(OFTC) == 0
    assert await texts(libera) == {LIBERA: ["notice", "one", "two"]}
    assert await texts(libera, each=1) == {LIBERA: ["notice"]}
    assert await home.cursor() == "2"


async def test_one_commit_queues_a_notice_and_remembers_changes(home: Lease, libera: Lease) -> None:
    (line,) = lines("away")
    await home.commit(Commit.owing([Addressed(line, LIBERA)], changes={"away #pond": "1", "other": "2"}))
    assert await home.recall() == {"away #pond": "1", "other": "2"}
    assert await texts(libera) == {LIBERA: ["away"]}
    await home.commit(Commit.owing([], changes={"away #pond": None}))
    assert await home.recall() == {"other": "2"}


async def test_rooms_that_are_excluded_from_due_do_not_count_towards_its_limit(home: Lease, libera: Lease) -> None:
    rooms = [Room("libera", name) for name in ("#a", '#b"', "#c")]
    await say(home, "one", to=rooms)
    assert await texts(libera, rooms=1, without=rooms[:2]) == {rooms[2]: ["one"]}
    assert await texts(libera, without=[*rooms, Room("elsewhere", "#c")]) == {}
    assert {*await texts(libera, without=[Room("elsewhere", "#c")])} == {*rooms}


async def test_a_room_that_is_postponed_too_far_into_the_future_is_due(home: Lease, libera: Lease) -> None:
    """As after the clock was set back."""
    await say(home, "one")
    await libera.settle(Waits(LIBERA, NOW + 86_400, "offline"))
    assert await texts(libera) == {LIBERA: ["one"]}


async def test_a_notice_of_ours_counts_neither_as_waiting_nor_as_a_loss(home: Lease, libera: Lease) -> None:
    await say(home, "one")
    (line,) = lines("notice")
    notice = replace(line, origin=Origin.OURS)
    await libera.commit(Commit.owing([Addressed(notice, LIBERA)]))
    assert await libera.waiting(LIBERA) == 1
    assert await libera.trim(NOW + 1, 10) == 2
    assert [(loss.room, loss.number) for loss in await libera.losses()] == [(LIBERA, 1)]


async def send(libera: Lease, delivery: Delivery, remote: str) -> None:
    (post,) = await libera.plan(delivery.room, cut(delivery, "x"))
    await libera.sent(post, remote)


async def test_sender_excerpt_and_rooms_of_an_event_stay_known_after_its_delivery(home: Lease, libera: Lease) -> None:
    (delivery,) = await say(home, "the first words of something")
    await send(libera, delivery, "irc-1")
    alice = matrix("alice")
    known = Known(delivery.event, alice, "the first words of something", (HOME, LIBERA))
    never = EventKey(HOME, "$never")
    asked = [delivery.event, EventKey(LIBERA, "irc-1"), never]
    assert await home.known(asked) == {delivery.event: known, EventKey(LIBERA, "irc-1"): known}
    reply = said(HOME, matrix("carol"), "yes", reply_to=delivery.event)
    await home.commit(Commit("1", "c2", [reply], owed([reply], LIBERA)))
    (backlog,) = await libera.due(NOW)
    there = replace(known, ids=("irc-1",), before=known.excerpt, last=True)
    assert dict(backlog.owed[0].context) == {delivery.event: there}


async def test_a_thread_goes_on_until_something_else_is_said_and_from_its_next_message_on(
    home: Lease, libera: Lease
) -> None:
    (root,) = await say(home, "what about lunch?")
    await send(libera, root, "irc-1")

    async def is_last(number: int, thread: EventKey | None) -> bool | None:
        event = rebodied(said(HOME, matrix("alice"), f"yes {number}"), thread=thread)
        await home.commit(Commit(await home.cursor(), f"c{number}", [event], owed([event], LIBERA)))
        ((item,),) = [backlog.owed for backlog in await libera.due(NOW)]
        (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, item.deliveries, 0, "x")])
        await libera.sent(post, f"irc {number}")
        return known.last if (known := item.known(root.event)) is not None else None

    assert await is_last(1, root.event) is True
    assert await is_last(2, root.event) is True
    assert await is_last(3, None) is None
    assert await is_last(4, root.event) is False
    assert await is_last(5, root.event) is True
    assert await is_last(6, EventKey(HOME, "$yes 3")) is None


async def test_what_is_known_of_an_event_tells_whether_it_is_a_message_or_a_reaction(home: Lease) -> None:
    (delivery,) = await say(home, "hello")
    reaction = Event("$like", HOME, matrix("alice"), NOW, Reaction(delivery.event, "👍"))
    await home.commit(Commit("1", "c2", [reaction], owed([reaction], LIBERA)))
    known = await home.known([delivery.event, reaction.key])
    assert [known[key].type for key in (delivery.event, reaction.key)] == ["message", "reaction"]


async def test_the_rooms_of_an_event_do_not_include_one_where_its_delivery_was_dropped(
    home: Lease, libera: Lease
) -> None:
    deliveries = await say(home, "one", to=[LIBERA, OFTC])
    await libera.settle(Dropped([deliveries[0].id], TOO_OLD))
    assert (await home.known([deliveries[0].event]))[deliveries[0].event].rooms == (HOME, OFTC)


async def test_the_ledger_counts_neither_talk_with_bots_nor_our_own_notices(
    home: Lease, libera: Lease, store: Store
) -> None:
    await say(home, "one", "question", to=(Room(BOTS, "duck@home/!dm:hs"),))
    bots = await lease_of(store, BOTS)
    answer = Event("answer", Room(BOTS, "duck@home/!dm:hs"), irc("duck"), NOW, Message(words("quack")))
    await bots.commit(Commit(None, "b1", [answer], owed([answer], LIBERA)))
    await libera.commit(Commit.owing([Addressed(replace(lines("notice")[0], origin=Origin.OURS), LIBERA)]))
    for backlog in await libera.due(NOW):
        for post in await libera.plan(LIBERA, [post for each in backlog.owed for post in _cut(each.delivery)]):
            await libera.sent(post, post.id)
    ledger = await store.ledger(0.0)
    assert (ledger.carried, ledger.accounts) == (0, ())


def _cut(delivery: str) -> list[Post]:
    return [Post.of(LIBERA, (delivery,), 0, delivery)]


async def test_a_redaction_drops_what_waits_of_its_target_as_no_loss(home: Lease, libera: Lease, store: Store) -> None:
    one, two, dead = await say(home, "one", "two", "dead")
    await libera.settle(Dead([dead.id], "no"))
    gone = [Event(f"$gone{each.event.id}", HOME, matrix("alice"), NOW, Redaction(each.event)) for each in (one, dead)]
    await home.commit(Commit("3", "4", gone))
    assert await texts(libera) == {LIBERA: ["two"]}
    assert [entry.delivery for entry in await store.outbox()] == [two.id]
    assert await libera.losses() == []
    ledger = await store.ledger(0.0)
    assert ledger.lost == ()
    assert ledger.carried == 1


async def test_a_redaction_erases_the_excerpts_of_its_target_and_of_the_edits_of_it(
    home: Lease, libera: Lease, store: Store
) -> None:
    (delivery,) = await say(home, "hunter2")
    await send(libera, delivery, "irc-1")
    alice, target = matrix("alice"), EventKey(LIBERA, "irc-1")
    edit = Event("$edit", HOME, alice, NOW, Edit(delivery.event, words("hunter3")))
    await home.commit(Commit("1", "c2", [edit], owed([edit], LIBERA)))
    redaction = Event("$gone", LIBERA, irc("bob"), NOW, Redaction(target))
    await libera.commit(Commit(None, "l1", [redaction]))
    known = await home.known([delivery.event, edit.key])
    assert [known[key].excerpt for key in (delivery.event, edit.key)] == ["", ""]
    assert known[delivery.event].who == alice


async def after(libera: Lease, room: Room = LIBERA, now: float = NOW) -> list[Owed]:
    """What is owed to a room of libera in which nothing is frozen."""
    return [item for backlog in await libera.due(now) if backlog.room == room for item in backlog.owed]


def about(body: Any, name: str, at: Room = HOME) -> Event:
    return Event(name, at, matrix("alice") if at == HOME else irc("bob", "bob"), NOW, body)


def edit_of(delivery: Delivery, text: str, name: str = "$edit") -> Event:
    return about(Edit(delivery.event, words(text)), name)


async def hear(lease: Lease, *events: Event, to: Sequence[Room] = (LIBERA,), gather: float = 0.0) -> Committed:
    """`events` are heard, and owed to `to`."""
    cursor = await lease.cursor()
    deliveries = [Delivery.of(event.key, room, gather=gather) for event in events for room in to]
    return await lease.commit(Commit(cursor, f"{cursor or ''}+", events, deliveries))


async def test_what_gathers_in_a_room_is_due_at_once_and_what_comes_later_goes_before(
    home: Lease, libera: Lease
) -> None:
    (question,) = await say(home, "question")
    await send(libera, question, "r1")
    signs = [about(Reaction(question.event, key), f"${key}") for key in ("a", "b")]
    await hear(home, signs[0], gather=9.0)
    await hear(home, signs[1], gather=2.0)
    await hear(home, edit_of(question, "answer"), gather=30.0)
    await say(home, "later")
    for now, expected in (
        (NOW, ["later"]),
        (NOW + 1.9, ["later"]),
        (NOW + 2, ["b", "later"]),
        (NOW + 9, ["a", "b", "later"]),
        (NOW + 30, ["a", "b", "answer", "later"]),
    ):
        assert [plain(item.event.text) for item in await after(libera, now=now)] == expected


async def test_of_one_type_none_waits_longer_than_the_first_that_gathers(home: Lease, libera: Lease) -> None:
    (question,) = await say(home, "question")
    await send(libera, question, "r1")
    await hear(home, about(Reaction(question.event, "a"), "$a"), gather=2.0)
    await hear(home, about(Reaction(question.event, "b"), "$b"), gather=9.0)
    assert await after(libera, now=NOW + 1.9) == []
    assert [plain(item.event.text) for item in await after(libera, now=NOW + 2)] == ["a", "b"]


async def test_an_edit_that_need_not_wait_does_not_overtake_one_that_gathers(home: Lease, libera: Lease) -> None:
    (message,) = await say(home, "zero")
    await send(libera, message, "r1")
    await hear(home, edit_of(message, "one", "$e1"), gather=3.0)
    await hear(home, edit_of(message, "two", "$e2"))
    assert await after(libera) == []
    assert [plain(item.event.text) for item in await after(libera, now=NOW + 3)] == ["one", "two"]


async def test_what_seems_to_gather_for_longer_than_anything_may_is_due(home: Lease, libera: Lease) -> None:
    """As after the clock was set back."""
    (message,) = await say(home, "zero")
    await send(libera, message, "r1")
    await hear(home, edit_of(message, "one", "$e1"), gather=3.0)
    assert [plain(item.event.text) for item in await after(libera, now=NOW - 86_400)] == ["one"]


async def test_an_edit_of_a_message_that_waits_is_in_it(home: Lease, libera: Lease, store: Store) -> None:
    message, other = await say(home, "zero", "other")
    edits = [edit_of(message, text, f"${text}") for text in ("one", "two")]
    await hear(home, *edits, gather=3.0)
    merged, behind = await after(libera)
    assert body_of(merged.event).text == words("two")
    assert merged.deliveries == (message.id, *(Delivery.of(edit.key, LIBERA).id for edit in edits))
    assert (behind.delivery, behind.also) == (other.id, ())
    (post, _) = await libera.plan(LIBERA, [Post.of(LIBERA, merged.deliveries, 0, "two"), *cut(other, "other")])
    await libera.sent(post, "r1")
    assert [entry.delivery for entry in await store.outbox()] == [other.id]
    assert list(await store.remote_ids(message.event, LIBERA)) == ["r1"]
    assert await store.source_of(LIBERA, "r1") == message.event


async def test_an_edit_that_comes_after_its_message_was_read_or_frozen_is_delivered_by_itself(
    home: Lease, libera: Lease
) -> None:
    (message,) = await say(home, "zero")
    assert [item.delivery for item in await after(libera)] == [message.id]
    await hear(home, edit_of(message, "one", "$e1"))
    (post,) = await libera.plan(LIBERA, cut(message, "zero"))
    await hear(home, edit_of(message, "two", "$e2"))
    assert await texts(libera) == {LIBERA: ["zero"]}
    await libera.sent(post, "r1")
    one, two = await after(libera)
    assert [plain(item.event.text) for item in (one, two)] == ["one", "two"]
    known = two.known(message.event)
    assert known is not None
    assert (known.ids, known.before, known.excerpt) == (("r1",), "zero", "two")


async def test_what_people_saw_last_in_a_room_is_the_last_edit_that_was_sent_there(
    home: Lease, libera: Lease, store: Store
) -> None:
    message, _ = await say(home, "zero", to=[LIBERA, OFTC])
    await send(libera, message, "r1")
    oftc = await lease_of(store, "oftc")
    await send(oftc, Delivery.of(message.event, OFTC), "o1")
    first, last = edit_of(message, "one", "$e1"), edit_of(message, "two", "$e2")
    await hear(home, first, to=[LIBERA, OFTC])
    await send(libera, Delivery.of(first.key, LIBERA), "r2")
    await hear(home, last, to=[LIBERA, OFTC])
    (there,) = await after(libera)
    (elsewhere, _) = await after(oftc, OFTC)
    for item, before in ((there, "one"), (elsewhere, "zero")):
        known = item.known(message.event)
        assert known is not None
        assert (known.before, known.excerpt) == (before, "two")


async def test_a_message_is_the_last_until_another_is_said_or_sent_there(home: Lease, libera: Lease) -> None:
    question, other = await say(home, "question", "other", to=[LIBERA])
    await send(libera, question, "r1")
    await send(libera, other, "r2")
    for target, last in ((question, False), (other, True)):
        reply = said(HOME, matrix("carol"), f"to {target.event.id}", reply_to=target.event)
        await hear(home, reply)
        (item,) = await after(libera)
        known = item.known(target.event)
        assert known is not None
        assert known.last is last
        await libera.settle(Dropped([item.delivery], TOO_OLD))


async def test_a_message_in_a_thread_has_the_id_of_its_root_in_the_room_where_it_goes(
    home: Lease, libera: Lease
) -> None:
    (root,) = await say(home, "root")
    await send(libera, root, "r1")
    threaded = said(HOME, matrix("alice"), "in it")
    threaded = replace(threaded, body=replace(body_of(threaded), thread=root.event))
    await hear(home, threaded)
    await send(libera, Delivery.of(threaded.key, LIBERA), "r2")
    await hear(home, said(HOME, matrix("carol"), "yes", reply_to=threaded.key))
    (item,) = await after(libera)
    known = item.known(threaded.key)
    assert known is not None
    assert (known.thread, known.ids) == ("r1", ("r2",))


async def test_the_last_messages_of_a_room_are_those_said_or_sent_there_newest_first(
    home: Lease, libera: Lease
) -> None:
    one, waiting = await say(home, "one", "waits")
    await send(libera, one, "r1")
    native = said(LIBERA, irc("bob", "bob"), "two", "i1")
    await hear(libera, native, to=[HOME])
    await hear(home, edit_of(one, "ONE"))
    found = await libera.said_in(LIBERA, NOW - 300, 10)
    assert [(known.source.id, known.excerpt, known.ids) for known in found] == [
        ("i1", "two", ("i1",)),
        ("$one", "ONE", ("r1",)),
    ]
    assert [known.source.id for known in await libera.said_in(LIBERA, NOW - 300, 1)] == ["i1"]
    assert await libera.said_in(LIBERA, NOW + 1, 10) == []
    assert waiting.id


def removal_of(delivery: Delivery, name: str = "$removal") -> Event:
    return about(Redaction(delivery.event), name)


async def test_of_a_removed_message_that_was_never_sent_nothing_is_left_nor_is_its_removal_sent(
    home: Lease, libera: Lease, store: Store
) -> None:
    """In another room it was sent: that gets the removal."""
    message, elsewhere = await say(home, "oops", to=[LIBERA, OFTC])
    oftc = await lease_of(store, "oftc")
    await send(oftc, elsewhere, "o1")
    await hear(home, edit_of(message, "hunter2"), to=[LIBERA, OFTC])
    await hear(home, about(Reaction(message.event, "ok"), "$ok"), to=[LIBERA, OFTC], gather=9.0)
    committed = await hear(home, removal_of(message), to=[LIBERA, OFTC])
    assert message.id in committed.erased
    assert committed.new == 1
    assert await texts(libera) == {}
    (removal,) = await after(oftc, OFTC, NOW + 60)
    known = removal.known(message.event)
    assert known is not None
    assert (known.ids, known.excerpt, known.before, known.removed) == (("o1",), "", "", True)
    assert [entry.event.id for entry in await store.outbox()] == ["$removal"]
    assert await libera.losses() == []


async def test_a_half_sent_message_that_is_removed_is_finished_or_dropped_and_then_its_removal_is_sent(
    home: Lease, libera: Lease, store: Store
) -> None:
    for number, finished in enumerate((True, False)):
        (message,) = await say(home, f"oops {number}")
        head, tail = await libera.plan(LIBERA, cut(message, "on", "e"))
        await libera.sent(head, f"r{number}")
        assert (await hear(home, removal_of(message, f"$gone{number}"))).erased == {message.id}
        assert await texts(libera) == {LIBERA: ["e"]}
        if finished:
            await libera.sent(tail, f"t{number}")
        else:
            await libera.settle(Dropped([message.id], REDACTED))
        (removal,) = await after(libera)
        assert removal.ids_of(message.event) == ((f"r{number}", f"t{number}") if finished else (f"r{number}",))
        await libera.settle(Shown([removal.delivery]))
    assert await store.outbox() == []
    assert await libera.losses() == []


async def test_a_frozen_message_that_is_removed_stays_with_its_edits_and_the_removal_follows(
    home: Lease, libera: Lease, store: Store
) -> None:
    """It may have been sent: what has arrived could not be removed without its id. Who knows that it was not sent drops
    it, and then nothing is left."""
    message, other = await say(home, "oops", "other")
    late = edit_of(message, "later", "$late")
    await hear(home, edit_of(message, "hunter2"))
    merged, _ = await after(libera)
    plan = [Post.of(LIBERA, merged.deliveries, 0, "hunter2"), *cut(other, "other")]
    await libera.plan(LIBERA, plan)
    await hear(home, late)
    committed = await hear(home, removal_of(message))
    assert committed.erased == {*merged.deliveries, Delivery.of(late.key, LIBERA).id}
    assert await texts(libera) == {LIBERA: ["hunter2", "other"]}
    await libera.settle(Dropped(merged.deliveries, REDACTED))
    (backlog,) = await libera.due(NOW)
    assert backlog.posts == (plan[1],), "what is behind may be on its way"
    await libera.sent(plan[1], "r1")
    assert await store.outbox() == []
    assert await libera.losses() == []
    assert (await store.ledger(0.0)).lost == ()


async def test_a_removed_message_in_a_post_that_others_share_is_sent_and_then_removed(
    home: Lease, libera: Lease
) -> None:
    message, other = await say(home, "oops", "other")
    (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (message.id, other.id), 0, "oops+other")])
    await hear(home, removal_of(message))
    assert await texts(libera) == {LIBERA: ["oops+other"]}
    await libera.sent(post, "r1")
    (removal,) = await after(libera)
    assert removal.ids_of(message.event) == ("r1",)


async def test_a_reaction_that_is_taken_back_before_it_was_sent_is_never_sent(home: Lease, libera: Lease) -> None:
    (message,) = await say(home, "hi")
    await send(libera, message, "r1")
    sign = about(Reaction(message.event, "ok"), "$ok")
    await hear(home, sign, gather=9.0)
    await hear(home, about(Redaction(sign.key), "$back"))
    assert await after(libera, now=NOW + 60) == []


async def test_of_what_is_shown_without_a_post_nothing_is_left(home: Lease, libera: Lease, store: Store) -> None:
    one, two = await say(home, "one", "two")
    await libera.settle(Shown([one.id]))
    assert await texts(libera) == {LIBERA: ["two"]}
    assert [entry.delivery for entry in await store.outbox()] == [two.id]
    assert list(await store.remote_ids(one.event, LIBERA)) == []
    assert await libera.losses() == []


async def test_a_post_that_needed_no_message_is_done_and_has_no_id(home: Lease, libera: Lease, store: Store) -> None:
    (one,) = await say(home, "one")
    (post,) = await libera.plan(LIBERA, cut(one, "one"))
    assert await libera.sent(post, "")
    assert await store.outbox() == []
    assert list(await store.remote_ids(one.event, LIBERA)) == []


async def test_deliveries_that_die_together_leave_what_is_behind_them_frozen(
    home: Lease, libera: Lease, store: Store
) -> None:
    """It may be on its way, and would come twice if it were rendered again."""
    message, other = await say(home, "zero", "other")
    await hear(home, edit_of(message, "one"))
    merged, _ = await after(libera)
    plan = [Post.of(LIBERA, merged.deliveries, 0, "one"), *cut(other, "other")]
    await libera.plan(LIBERA, plan)
    await libera.settle(Dead(merged.deliveries, "no"))
    (backlog,) = await libera.due(NOW)
    assert backlog.posts == (plan[1],)


async def test_a_dead_message_is_retried_and_dropped_together_with_its_edits(
    home: Lease, libera: Lease, store: Store
) -> None:
    (message,) = await say(home, "zero")
    await hear(home, edit_of(message, "one"))
    (merged,) = await after(libera)
    await libera.settle(Dead(merged.deliveries, "no"))
    assert await store.retry(message.id)
    (again,) = await after(libera)
    assert (plain(again.event.text), again.deliveries) == ("one", merged.deliveries)
    await libera.settle(Dead(merged.deliveries, "no"))
    assert await store.drop(message.id)
    assert await store.outbox() == []


async def test_behind_passes_over_what_is_about_a_frozen_message(home: Lease, libera: Lease) -> None:
    """It would be shown before its message, or as nothing at all."""
    (message,) = await say(home, "zero")
    await libera.plan(LIBERA, cut(message, "zero"))
    await hear(home, edit_of(message, "one"), about(Reaction(message.event, "ok"), "$ok"))
    assert await libera.behind(LIBERA) is None
    (other,) = await say(home, "other")
    behind = await libera.behind(LIBERA)
    assert behind is not None
    assert behind.delivery == other.id


async def test_sender_and_excerpt_of_a_private_message_are_erased_once_it_is_delivered(
    home: Lease, store: Store
) -> None:
    bots, event = await lease_of(store, BOTS), said(Room("home", "!dm:hs"), matrix("alice"), "psst", private=True)
    ear = Room(BOTS, "duck@home/!dm:hs")
    await home.commit(Commit(None, "c1", [event], owed([event], ear)))
    await send(bots, Delivery.of(event.key, ear), "asked")
    known = (await home.known([event.key]))[event.key]
    assert (known.who, known.excerpt) == (None, "")


def test_the_methods_of_the_contract_and_of_the_core_have_the_same_arguments() -> None:
    """The contract names a verb with its arguments; the core has it with a lease's network and token before them."""
    for contract, own in ((Store, ()), (Lease, ("network", "token"))):
        verbs = {name: verb for name, verb in vars(contract).items() if hasattr(verb, "__wrapped__")}
        assert len(verbs) >= 7
        for name, verb in verbs.items():
            declared = [each for each in inspect.signature(verb).parameters.values() if each.name != "self"]
            written = [*inspect.signature(getattr(Core, name)).parameters.values()][1:]
            assert [each.name for each in written] == [*own, *(each.name for each in declared)], name
            assert [each.default for each in written][len(own) :] == [each.default for each in declared], name
