"""A message that is removed is not delivered, nor what is left of it, nor its edits."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.model.event import Edit, Event, EventKey, Media, Redaction
from bridge.model.outbox import Delivery, Owed, Post, handle
from bridge.model.patterns import Pattern
from bridge.model.text import plain, words
from bridge.network import PermanentError, TransientError
from bridge.rules.link import Guests, Link, Rules
from bridge.store import Commit
from bridge.users import Measure, Sanction
from tests.events import HOME, LIBERA, matrix, rebodied, said
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
    assert [text for text in sent if text not in ("<alice> two", "<alice> (deleted)")] == [
        "<alice> one",
        "<alice> sorry",
    ]


def _message(text: str = "oops") -> Event:
    return said(HOME, matrix("alice"), text, "$slip")


async def test_what_is_removed_while_it_is_on_its_way_is_removed_once_it_has_arrived() -> None:
    world = World()
    world.libera.slots = asyncio.Semaphore(0)
    async with world.running():
        await world.home.hear(_message())
        await asyncio.sleep(1)
        await world.home.hear(_removal("$slip"))
        await world.home.settled()
        for _ in range(10):
            world.libera.slots.release()
        assert await world.libera.delivered(2) == ["<alice> oops", "<alice> (deleted)"]
        known = world.libera.rendered[-1][0].known(EventKey(HOME, "$slip"))
        assert known is not None
        assert known.ids == ("libera-0",)


async def test_what_may_have_arrived_before_a_crash_is_sent_again_and_then_removed() -> None:
    world = World()
    home, libera = [await world.store.acquire(name, "test") for name in ("home", "libera")]
    delivery = Delivery.of(_message().key, LIBERA)
    await home.commit(Commit(None, "0", [_message()], [delivery]))
    await libera.plan(LIBERA, [Post.of(LIBERA, (delivery.id,), 0, "<alice> oops")])
    world.libera.slots = asyncio.Semaphore(0)
    async with world.running():
        await world.home.hear(_removal("$slip"))
        await world.home.settled()
        for _ in range(10):
            world.libera.slots.release()
        assert await world.libera.delivered(2) == ["<alice> oops", "<alice> (deleted)"]
        assert world.libera.again == ["<alice> oops"]


@pytest.mark.parametrize(("unclear", "sent"), [(True, ["<alice> oops", "<alice> (deleted)"]), (False, [])])
async def test_what_surely_was_not_sent_is_not_sent_any_more_nor_is_its_removal(unclear: bool, sent: list[str]) -> None:
    world = World()
    world.libera.failures[LIBERA] = [TransientError("no connection", 30.0, unclear=unclear)]
    async with world.running(), _passing(world):
        await world.home.hear(_message())
        await asyncio.sleep(5)
        await world.home.hear(_removal("$slip"))
        await world.home.settled()
        await world.home.hear(said(HOME, matrix("alice"), "sorry"))
        assert await world.libera.delivered(len(sent) + 1) == [*sent, "<alice> sorry"]
        await asyncio.sleep(1)
        assert [entry for entry in await world.store.outbox() if entry.room == LIBERA] == []
        assert await world.leases["libera"].losses() == []


async def test_what_is_removed_and_then_refused_for_ever_is_not_kept() -> None:
    world = World()
    world.libera.slots = asyncio.Semaphore(0)
    world.libera.refused["oops"] = PermanentError("too rude")
    async with world.running():
        await world.home.hear(_message())
        await asyncio.sleep(1)
        await world.home.hear(_removal("$slip"))
        await world.home.settled()
        for _ in range(10):
            world.libera.slots.release()
        await world.home.hear(said(HOME, matrix("alice"), "sorry"))
        assert await world.libera.delivered(1) == ["<alice> sorry"]
        await asyncio.sleep(1)
        assert [entry for entry in await world.store.outbox() if entry.room == LIBERA] == []


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


async def test_a_removal_that_is_refused_keeps_nothing_from_being_delivered() -> None:
    world = World()
    world.libera.slots = asyncio.Semaphore(1)
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "one\ntwo\nthree", "$mine"))
        await world.libera.delivered(1)
        theirs = Event("$removal", HOME, matrix("mallory"), 1_000.0, Redaction(EventKey(HOME, "$mine")))
        await world.home.hear(theirs)
        await world.home.settled()
        for _ in range(2):
            world.libera.slots.release()
        async with asyncio.timeout(60):
            assert await world.libera.delivered(3) == ["<alice> one", "<alice> two", "<alice> three"]


async def test_messages_that_share_a_post_are_sent_though_all_of_them_were_removed_meanwhile() -> None:
    """The post may be on its way: what is left of it would come twice, and a room must never wait for it."""
    world = World()

    def merged(owed: Sequence[Owed], _: object = None) -> Sequence[Post]:
        text = "; ".join(plain(each.event.text) for each in owed)
        return [Post.of(owed[0].room, tuple(each.delivery for each in owed), 0, text)]

    world.libera.render = merged  # type: ignore[method-assign, assignment]
    world.libera.failures[LIBERA] = [TransientError("not now"), TransientError("not now")]
    async with world.running(), _passing(world):
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in ("zero", "x", "y")))
        await asyncio.sleep(2)
        for target in ("$zero", "$x", "$y"):
            removal = Event(f"${target}-gone", HOME, matrix("alice"), 1_000.0, Redaction(EventKey(HOME, target)))
            await world.home.hear(removal)
        await world.home.settled()
        await asyncio.sleep(60)
        await world.home.hear(said(HOME, matrix("alice"), "sorry"))
        for _ in range(600):
            if any("sorry" in text for room, text in world.libera.sent if room == LIBERA):
                return
            await asyncio.sleep(1)
    raise AssertionError("the room waits for ever")


_CAT = Media("image", "cat.png", 500, "image/png", "mxc://hs/cat")
_PICTURE = rebodied(said(HOME, matrix("alice"), "look", "$slip"), media=(_CAT,))
_RULES = Rules(files_last=60.0)


def _sanctioned(world: World, measure: Measure) -> None:
    world.users.sanction(Sanction("alice", measure, "pond", 0.0, None, "", "test"))


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("muted", ""),
        ("banned", ""),
        ("no member", ""),
        ("no member, and guests are ignored", ""),
        ("ignored", ""),
        ("may hold a password", "duck: login alice quack"),
    ],
)
async def test_what_its_author_removes_is_erased_with_its_links_though_the_removal_is_not_carried(
    why: str, reason: str
) -> None:
    world = World(Link("pond", (HOME, LIBERA), _RULES))
    async with world.running():
        await world.home.hear(_PICTURE)
        await world.libera.delivered(1)
        assert await world.store.file(handle(_PICTURE, _CAT)) is not None
        match why:
            case "muted" | "banned":
                _sanctioned(world, Measure.MUTE if why == "muted" else Measure.BAN)
            case "no member":
                world.users.remove("alice")
            case "no member, and guests are ignored":
                world.users.remove("alice")
                world.gate.set_links([Link("pond", (HOME, LIBERA), replace(_RULES, guests=Guests.IGNORE))])
            case "ignored":
                ignore = (Pattern.parse("@alice:*"),)
                world.gate.set_links([Link("pond", (HOME, LIBERA), replace(_RULES, ignore=ignore))])
        await world.home.hear(replace(_removal("$slip"), body=Redaction(EventKey(HOME, "$slip"), reason)))
        await world.home.settled()
    assert await world.store.file(handle(_PICTURE, _CAT)) is None
    known = (await world.leases["home"].known([_PICTURE.key]))[_PICTURE.key]
    assert (known.removed, known.excerpt) == (True, "")
    assert [text for _, text in world.libera.sent if "deleted" in text] == []


async def test_what_somebody_else_removes_without_the_right_to_stays_and_so_do_its_links() -> None:
    world = World(Link("pond", (HOME, LIBERA), _RULES))
    async with world.running():
        await world.home.hear(_PICTURE)
        await world.libera.delivered(1)
        await world.home.hear(replace(_removal("$slip"), sender=matrix("mallory")))
        await world.home.settled()
    assert await world.store.file(handle(_PICTURE, _CAT)) is not None
