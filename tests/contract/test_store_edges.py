"""What is easily got wrong in an engine of the store, on every engine: orders, numbers and limits."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.model.accounting import Loss
from bridge.model.event import Edit, Event, EventKey, Media, Message, Reaction
from bridge.model.outbox import Addressed, Delivery, Post, handle, text_handle
from bridge.model.text import plain, words
from bridge.store import Commit, Dead, Dropped, Lease, Shown, Store
from tests.contract.stores import Engine, lease_of, opened
from tests.contract.test_store import about, after, cut, edit_of, hear, owed, say, send
from tests.events import HOME, LIBERA, OFTC, matrix, rebodied, said

pytestmark = pytest.mark.real_time

NOW = 1_000.0
_CROWD = 200


class _Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
async def store(engine: Engine, tmp_path: Path, clock: _Clock) -> AsyncGenerator[Store, None]:
    async with opened(engine, tmp_path, clock) as store:
        yield store


@pytest.fixture
async def home(store: Store) -> Lease:
    return await lease_of(store, "home")


@pytest.fixture
async def libera(store: Store) -> Lease:
    return await lease_of(store, "libera")


# Edits


async def test_an_edit_waits_as_long_as_an_earlier_one_of_its_message_whenever_others_are_due(
    home: Lease, libera: Lease
) -> None:
    message, other, third = await say(home, "zero", "other", "third")
    for number, each in enumerate((message, other, third)):
        await send(libera, each, f"r{number}")
    await hear(home, edit_of(message, "one", "$e1"), gather=9.0)
    await hear(home, edit_of(other, "changed", "$e2"), gather=2.0)
    await hear(home, edit_of(message, "two", "$e3"), edit_of(third, "new", "$e4"))
    assert [plain(item.event.text) for item in await after(libera, now=NOW + 2)] == ["changed", "new"]
    assert [plain(item.event.text) for item in await after(libera, now=NOW + 9)] == ["one", "changed", "two", "new"]


async def test_an_edit_of_a_dead_message_and_one_for_another_room_hold_nothing_up(
    home: Lease, libera: Lease, store: Store
) -> None:
    oftc = await lease_of(store, "oftc")
    message, elsewhere = await say(home, "zero", to=[LIBERA, OFTC])
    await libera.settle(Dead([message.id], "no"))
    await send(oftc, elsewhere, "o1")
    await hear(home, edit_of(message, "one", "$e1"), to=[OFTC], gather=9.0)
    await hear(home, edit_of(message, "two", "$e2"))
    assert [plain(item.event.text) for item in await after(libera)] == ["two"]


async def test_behind_and_append_pass_over_the_edit_of_a_frozen_message_and_no_other(
    home: Lease, libera: Lease
) -> None:
    message, other = await say(home, "zero", "other")
    await libera.plan(LIBERA, cut(message, "zero"))
    await send_behind(libera, other)
    await hear(home, edit_of(message, "one", "$e1"), edit_of(other, "changed", "$e2"))
    assert await libera.behind(LIBERA) is None, "both are about what is frozen"
    (late,) = await say(home, "late")
    found = await libera.behind(LIBERA)
    assert found is not None
    assert found.delivery == late.id


async def send_behind(libera: Lease, delivery: Delivery) -> None:
    assert await libera.append(delivery.room, [Post.of(delivery.room, (delivery.id,), 0, "x")])


async def test_a_whole_text_is_that_of_the_last_edit_whichever_is_carried_to_a_new_room_last(
    home: Lease, store: Store
) -> None:
    story = replace(said(HOME, matrix("alice"), "once\nupon", "$story"), text_until=2_000)
    first, second = (
        replace(about(Edit(story.key, words(text)), name), text_until=2_000)
        for text, name in (("once\nmore", "$first"), ("the\nend", "$second"))
    )
    for event in (story, first, second):
        await home.commit(Commit.owing([Addressed(event, LIBERA)]))
    assert await store.text(text_handle(story)) == "the\nend"
    for event in (first, story):  # they are heard again, as after a gap, and go to a room that is new
        await home.commit(Commit.owing([Addressed(event, OFTC)]))
        assert await store.text(text_handle(story)) == "the\nend"


# Posts


async def test_posts_that_are_rendered_anew_get_the_numbers_after_all_that_were_sent(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two = await say(home, "one", "two")
    head, middle, _ = await libera.plan(
        LIBERA, [*cut(one, "a", "b"), Post.of(LIBERA, (one.id, two.id), 2, "the rest, and two")]
    )
    assert await libera.sent(head, "$1")
    assert await libera.sent(middle, "$2")
    await libera.settle(Dead([two.id], "no"))
    again = await libera.plan(LIBERA, [Post.of(LIBERA, (one.id,), 5 + part, "again") for part in range(2)])
    for post, remote in zip(reversed(again), ("$4", "$3"), strict=True):
        assert await libera.sent(post, remote)
    assert list(await store.remote_ids(one.event, LIBERA)) == ["$1", "$2", "$3", "$4"]


async def test_posts_that_are_appended_get_the_numbers_after_all_that_are_frozen(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two = await say(home, "one", "two")
    frozen = await libera.plan(LIBERA, cut(one, "a", "b"))
    appended = await libera.append(LIBERA, cut(two, "c", "d"))
    await libera.settle(Dead([one.id], "no"))
    assert not await libera.sent(frozen[0], "$0")
    for post, remote in zip(reversed(appended), ("$2", "$1"), strict=True):
        assert await libera.sent(post, remote)
    assert list(await store.remote_ids(two.event, LIBERA)) == ["$1", "$2"]


# What is kept


async def test_a_dead_delivery_keeps_its_text_when_all_others_of_its_event_are_done(
    home: Lease, libera: Lease, store: Store
) -> None:
    oftc = await lease_of(store, "oftc")
    dead, other = await say(home, "hello", to=[LIBERA, OFTC])
    await libera.settle(Dead([dead.id], "no"))
    await send(oftc, other, "o1")
    (entry,) = await store.outbox()
    assert plain(entry.event.text) == "hello"
    assert await store.retry(dead.id)
    assert [plain(item.event.text) for item in await after(libera)] == ["hello"]


@pytest.mark.parametrize("of_edit", [False, True])
async def test_a_message_is_kept_while_a_link_to_what_is_in_it_or_in_its_edit_works(
    home: Lease, libera: Lease, store: Store, clock: _Clock, of_edit: bool
) -> None:
    cat = Media("image", "cat.png", 5, "image/png", "mxc://hs/cat", until=2_000)
    message = said(HOME, matrix("alice"), "look", "$look")
    event: Event = about(Edit(message.key, words("see"), media=(cat,)), "$edit")
    if not of_edit:
        message = event = rebodied(message, media=(cat,))
    for each in dict.fromkeys((message, event)):
        await home.commit(Commit.owing([Addressed(each, LIBERA)]))
        await libera.settle(Shown([Delivery.of(each.key, LIBERA).id]))
    await store.expire(NOW + 1)
    assert await home.known([message.key])
    assert await store.file(handle(event, cat)) is not None
    clock.now = 2_001.0
    await store.expire(NOW + 1)
    assert not await home.known([message.key])


async def test_a_network_is_heard_once_whatever_is_done_with_what_it_said(
    home: Lease, libera: Lease, store: Store
) -> None:
    one, two, three, four = await say(home, "one", "two", "three", "four")
    await send(libera, one, "r1")
    await libera.settle(Dead([two.id], "no"))
    await libera.settle(Dropped([three.id], "too old"))
    known = [said(HOME, matrix("alice"), text) for text in ("one", "two", "three", "four")]
    for _ in range(2):
        assert (await home.commit(Commit(events=known, deliveries=owed(known, LIBERA)))).new == 0
    assert [item.delivery for item in await after(libera)] == [four.id]


# Limits


async def test_at_most_two_hundred_of_what_has_gathered_about_one_message_are_due_at_once(
    home: Lease, libera: Lease
) -> None:
    (message,) = await say(home, "zero")
    await send(libera, message, "r1")
    signs = [about(Reaction(message.event, f"{number}"), f"${number}") for number in range(_CROWD + 5)]
    await hear(home, *signs, gather=2.0)
    (backlog,) = await libera.due(NOW + 2, each=20)
    assert len(backlog.owed) == _CROWD
    assert [plain(item.event.text) for item in backlog.owed[:2]] == ["0", "1"]


async def test_what_has_gathered_about_another_message_is_not_of_the_crowd(home: Lease, libera: Lease) -> None:
    one, two = await say(home, "one", "two")
    await send(libera, one, "r1")
    await send(libera, two, "r2")
    signs = [
        about(Reaction(to.event, f"{number}"), f"${to.id}{number}")
        for to, many in ((one, 25), (two, 5))
        for number in range(many)
    ]
    await hear(home, *signs, gather=2.0)
    (backlog,) = await libera.due(NOW + 2, each=20)
    assert len(backlog.owed) == 25


async def test_a_room_keeps_its_newest_delivery_however_large_that_is(home: Lease, libera: Lease) -> None:
    _, newest = await say(home, "x" * 10_000, "y" * 10_000)
    assert await libera.trim(NOW - 60, 100, 100) == 1
    assert [item.delivery for item in await after(libera)] == [newest.id]


async def test_of_a_loss_that_was_told_what_came_since_remains_with_its_time(
    home: Lease, libera: Lease, clock: _Clock
) -> None:
    async def lose(text: str, at: float) -> None:
        clock.now = at
        (lost,) = await say(home, text)
        await libera.settle(Dropped([lost.id], "too old"))

    await lose("one", NOW)
    await lose("two", NOW + 3)
    (told,) = await libera.losses()
    assert told == Loss(LIBERA, "too old", 2, NOW, NOW + 3)
    await lose("three", NOW + 5)
    await libera.commit(Commit(told=[told]))
    (left,) = await libera.losses()
    assert left == Loss(LIBERA, "too old", 1, NOW + 3, NOW + 5)
    await libera.commit(Commit(told=[left]))
    assert list(await libera.losses()) == []


async def test_a_loss_that_was_told_in_a_commit_that_is_repeated_is_told_once(home: Lease, libera: Lease) -> None:
    for text in ("one", "two"):
        (lost,) = await say(home, text)
        await libera.settle(Dropped([lost.id], "too old"))
    notice = said(HOME, matrix("duck"), "one was lost", "$notice")
    told = Commit(events=[notice], deliveries=owed([notice], LIBERA), told=[Loss(LIBERA, "too old", 1, NOW, NOW)])
    for _ in range(3):
        await libera.commit(told)
        assert [loss.number for loss in await libera.losses()] == [1]


async def test_the_lease_of_another_is_not_let_go(store: Store, home: Lease) -> None:
    later = await lease_of(store, "home")
    await home.release()
    await later.remember({"still": "ours"})
    assert (await store.owners())["home"].worker == "test"


async def test_a_message_in_a_thread_is_no_last_message_of_another_thread(home: Lease, libera: Lease) -> None:
    (root,) = await say(home, "root")
    await send(libera, root, "r1")
    threaded = rebodied(said(HOME, matrix("alice"), "in it", "$in"), thread=EventKey(HOME, root.event.id))
    assert isinstance(threaded.body, Message)
    await home.commit(Commit.owing([Addressed(threaded, LIBERA)]))
    (item,) = await after(libera)
    known = item.known(root.event)
    assert known is not None
    assert known.last
