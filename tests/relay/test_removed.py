"""A message that is removed is not delivered, nor what is left of it, nor its edits."""

import asyncio

from bridge.model.event import Edit, Event, EventKey, Redaction
from bridge.model.text import words
from tests.events import HOME, LIBERA, matrix, said
from tests.relay.test_relay import World
from tests.relay.test_suspects import _passing


def _removal(target: str) -> Event:
    return Event("$removal", HOME, matrix("alice"), 1_000.0, Redaction(EventKey(HOME, target)))


async def test_the_rest_of_a_long_message_that_is_removed_while_it_goes_out_is_not_sent() -> None:
    world = World()
    world.libera.slots = asyncio.Semaphore(1)
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "one\ntwo\nmy password\nfour", "$slip"))
        await world.libera.delivered(1)
        await world.home.hear(_removal("$slip"))
        await world.home.settled()
        for _ in range(10):
            world.libera.slots.release()
        await world.home.hear(said(HOME, matrix("alice"), "sorry"))
        sent = [text for room, text in world.libera.sent if room == LIBERA]
        while "<alice> sorry" not in sent:
            await asyncio.sleep(1)
            sent = [text for room, text in world.libera.sent if room == LIBERA]
    assert sent in (["<alice> one", "<alice> sorry"], ["<alice> one", "<alice> two", "<alice> sorry"])


async def test_the_edit_of_a_removed_message_is_not_delivered_either() -> None:
    world = World()
    world.libera.away[LIBERA] = "no connection"
    async with world.running(), _passing(world):
        await world.lookout.look(world.networks, world.leases)
        await world.home.hear(said(HOME, matrix("alice"), "oops", "$slip"))
        edit = Event("$edit", HOME, matrix("alice"), 1_000.0, Edit(EventKey(HOME, "$slip"), words("my password")))
        await world.home.hear(edit)
        await world.home.hear(_removal("$slip"))
        await world.home.settled()
        assert [entry for entry in await world.store.outbox() if entry.room == LIBERA] == []
