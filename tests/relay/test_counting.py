"""What the relay counts for the metrics: each event that is heard, each refusal, and each delivery, once."""

from typing import get_args

from bridge.model.accounting import Cause
from bridge.model.counters import BUCKETS_S, DeliveryOutcome
from bridge.model.event import TYPES, Body
from bridge.network import InDoubt, PermanentError, TransientError, Unread
from tests.events import HOME, LIBERA, OFTC, irc, matrix, said
from tests.relay.test_relay import World

SENT, RETRIED, DEAD, UNKNOWN = DeliveryOutcome


def test_the_types_that_are_counted_are_those_of_all_bodies() -> None:
    union, _ = get_args(Body)
    assert tuple(get_args(body.__annotations__["type"])[0] for body in get_args(union)) == TYPES


async def test_a_delivery_of_several_posts_is_counted_once_and_when_the_last_is_there() -> None:
    world = World()
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "one\ntwo\nthree"), said(HOME, matrix("alice"), "four"))
        await world.libera.delivered(4)
        await world.oftc.delivered(4)
        await world.home.settled()
        counters = world.shared.counters
    assert counters.received == {("home", "message"): 2}
    assert counters.deliveries == {("libera", "pond", SENT): 2, ("oftc", "pond", SENT): 2}
    assert counters.durations["libera"].numbers == [2] + [0] * len(BUCKETS_S)
    assert counters.refused == {}


async def test_the_time_of_a_delivery_counts_from_when_the_message_was_heard() -> None:
    world = World()
    world.libera.failures[LIBERA] = [TransientError("not now", retry_after=7.0)]
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        await world.oftc.delivered(1)
        world.now += 7.5
        await world.libera.delivered(1)
        counters = world.shared.counters
    assert counters.deliveries["libera", "pond", RETRIED] == 1
    assert counters.deliveries["libera", "pond", SENT] == 1
    assert counters.durations["libera"].total_s == 7.5
    assert counters.durations["libera"].numbers[BUCKETS_S.index(10.0)] == 1


async def test_dead_and_unknown_deliveries_are_counted() -> None:
    world = World()
    world.libera.failures[LIBERA] = [PermanentError("never")]
    world.oftc.failures[OFTC] = [InDoubt("who knows", resend=True)]
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        await world.oftc.delivered(1)
        await world.home.delivered(1)  # the notice of the dead one
        deliveries = world.shared.counters.deliveries
    assert (deliveries["libera", "pond", DEAD], deliveries["libera", "pond", SENT]) == (1, 0)
    assert (deliveries["oftc", "pond", UNKNOWN], deliveries["oftc", "pond", SENT]) == (1, 1)


async def test_refusals_are_counted_by_link_and_cause_and_never_by_what_anybody_has_written() -> None:
    world = World()
    world.home.unread = (Unread(HOME, "eve", "no key, says eve"),)
    async with world.running():
        await world.libera.hear(
            said(LIBERA, irc('mallory"} 1'), "hi"),
            said(LIBERA, irc("bob", "bob"), "login alice quack"),
        )
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        await world.libera.settled()
        await world.home.settled()
        counters = world.shared.counters
    assert counters.refused == {
        ("pond", Cause.GUEST): 1,
        ("pond", Cause.PASSWORD): 1,
        ("pond", Cause.UNREADABLE): 1,
    }


async def test_what_waited_too_long_is_counted_as_given_up() -> None:
    world = World()
    world.libera.away[LIBERA] = "kicked"
    async with world.running():
        await world.lookout.look(world.networks, world.leases)
        await world.home.hear(said(HOME, matrix("alice"), "hi"), said(HOME, matrix("alice"), "ho"))
        await world.oftc.delivered(2)
        world.now += world.terms.max_age + 1
        for _ in range(10):
            await world.lookout.look(world.networks, world.leases)
        assert world.shared.counters.given_up == {"libera": 2}
