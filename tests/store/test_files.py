"""Files to which links were made: they are known as long as the links work, and not once they are revoked."""

from dataclasses import replace

import pytest

from bridge.model.accounting import Traffic, Use
from bridge.model.event import FOREVER, Edit, Event, EventKey, Media, Redaction
from bridge.model.outbox import Addressed, Hosted, handle, text_handle
from bridge.model.text import words
from bridge.store import Commit, Lease
from tests.events import HOME, LIBERA, matrix, rebodied, said
from tests.fakes.store import MemoryStore

CAT = Media("image", "cat.png", 5, "image/png", "mxc://hs/cat", until=2_000)
DOG = replace(CAT, name="dog.png", source="mxc://hs/dog")
ALICE = matrix("alice")
PICTURE = rebodied(said(HOME, ALICE, "look", "$cat"), media=(CAT,))


class World:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.store = MemoryStore(lambda: self.now)

    async def hear(self, *events: Event) -> None:
        home = await self.store.acquire("home", "test")
        owed = Commit.owing(Addressed(event, LIBERA) for event in events)
        await home.commit(owed)

    async def carry_all(self) -> None:
        libera: Lease = await self.store.acquire("libera", "test")
        for entry in await self.store.outbox():
            await self.store.drop(entry.delivery)
        assert await libera.due(self.now) == []


@pytest.fixture
def world() -> World:
    return World()


def removal(target: str) -> Event:
    return replace(said(HOME, ALICE, "removed"), body=Redaction(EventKey(HOME, target)))


def edit(media: Media, event_id: str = "$edit") -> Event:
    return replace(said(HOME, ALICE, "edit", event_id), body=Edit(PICTURE.key, words("see"), media=(media,)))


async def test_a_file_is_known_after_its_message_was_carried_until_its_links_expire(world: World) -> None:
    await world.hear(PICTURE)
    await world.carry_all()
    assert await world.store.expire(world.now + 1) == 0, "a removal must still find the message"
    assert await world.store.file(handle(PICTURE, CAT)) == Hosted(PICTURE.key, CAT)
    world.now = 2_001.0
    assert await world.store.file(handle(PICTURE, CAT)) is None
    assert await world.store.expire(world.now) == 2
    assert (world.store.count("media"), world.store.count("events")) == (0, 0)


async def test_a_file_whose_links_work_for_ever_is_kept_and_one_without_links_never_is(world: World) -> None:
    forever, never = replace(CAT, until=FOREVER), replace(CAT, until=0)
    await world.hear(rebodied(PICTURE, media=(forever,)), rebodied(said(HOME, ALICE, "no"), media=(never,)))
    await world.carry_all()
    world.now = 10.0**9
    await world.store.expire(world.now)
    assert await world.store.file(handle(PICTURE, CAT)) == Hosted(PICTURE.key, forever)
    assert (world.store.count("media"), world.store.count("events")) == (1, 1)


async def test_the_removal_of_a_message_revokes_its_files_and_those_of_its_edits_for_good(world: World) -> None:
    await world.hear(PICTURE, edit(DOG))
    other = rebodied(said(HOME, ALICE, "other"), media=(CAT,))
    await world.hear(other)
    assert await world.store.file(handle(PICTURE, DOG)) is not None
    await world.carry_all()
    await world.hear(removal("$cat"))
    for event in (PICTURE, edit(DOG), edit(replace(CAT, source="mxc://hs/late"), "$later")):
        await world.hear(event)  # heard again, or late
        body = event.body
        assert not isinstance(body, Redaction)
        assert await world.store.file(handle(event, body.media[0])) is None  # type: ignore[union-attr]
    assert await world.store.file(handle(other, CAT)) is not None


async def test_a_revoked_file_stays_revoked_whatever_is_edited_and_its_name_is_gone(world: World) -> None:
    await world.hear(PICTURE)
    assert await world.store.revoke(handle(PICTURE, CAT)) == 1
    assert await world.store.revoke(handle(PICTURE, CAT)) == 0
    await world.hear(PICTURE, edit(CAT))
    assert await world.store.file(handle(PICTURE, CAT)) is None
    assert "mxc://hs/cat" not in str(world.store.sql.execute("SELECT * FROM media").fetchall())


@pytest.mark.parametrize(("network", "number"), [("", 2), ("home", 2), ("libera", 0)])
async def test_all_files_of_an_event_are_revoked_by_its_id(world: World, network: str, number: int) -> None:
    await world.hear(rebodied(PICTURE, media=(CAT, DOG)))
    assert await world.store.revoke_of("$cat", network) == number
    assert (await world.store.file(handle(PICTURE, CAT)) is None) == bool(number)


def long(text: str, event_id: str = "$long", *, target: EventKey | None = None) -> Event:
    event = replace(said(HOME, ALICE, text, event_id), text_until=2_000)
    return event if target is None else replace(event, body=Edit(target, words(text)))


async def test_a_whole_text_is_kept_as_last_edited_until_it_expires_or_its_message_is_removed(world: World) -> None:
    story = long("once\nupon\na time")
    await world.hear(story)
    await world.carry_all()
    assert await world.store.text(text_handle(story)) == "once\nupon\na time"
    assert await world.store.file(text_handle(story)) is None, "a text is no file"
    edit = long("once\nmore", "$more", target=story.key)
    await world.hear(edit)
    assert text_handle(edit) == text_handle(story)
    assert await world.store.text(text_handle(story)) == "once\nmore"
    world.now = 2_001.0
    assert await world.store.text(text_handle(story)) is None
    world.now = 1_000.0
    await world.hear(removal("$long"))
    await world.hear(long("late", "$late", target=story.key))
    assert await world.store.text(text_handle(story)) is None
    assert "once" not in str(world.store.sql.execute("SELECT * FROM media").fetchall())


async def test_an_edit_to_a_short_text_is_what_the_link_to_the_long_one_opens(world: World) -> None:
    story = long("once\nupon\na time")
    short = replace(long("once", "$short", target=story.key), text_until=0)
    await world.hear(story, short)
    assert await world.store.text(text_handle(story)) == "once"
    assert "upon" not in str(world.store.sql.execute("SELECT text FROM media").fetchall())
    await world.store.revoke(text_handle(story))
    await world.hear(replace(short, id="$shorter"))
    assert await world.store.text(text_handle(story)) is None


@pytest.mark.parametrize("offered", [0, 2_000])
async def test_a_message_that_waits_with_its_edit_has_a_link_to_its_text_if_the_edit_is_long(
    world: World, offered: int
) -> None:
    story = replace(long("once"), text_until=2_000 - offered)
    edit = replace(long("once\nmore", "$more", target=story.key), text_until=offered)
    await world.hear(story, edit)
    libera = await world.store.acquire("libera", "test")
    (backlog,) = await libera.due(world.now)
    assert [owed.event.text_until for owed in backlog.owed] == [offered]


@pytest.mark.parametrize("file", [True, False])
async def test_a_message_is_kept_as_long_as_a_link_to_what_it_was_edited_to_so_that_its_removal_is_heard(
    world: World, file: bool
) -> None:
    story = said(HOME, ALICE, "once", "$cat")
    change = edit(DOG) if file else long("once\nmore", "$more", target=story.key)
    name = handle(change, DOG) if file else text_handle(change)
    await world.hear(story)
    await world.hear(change)
    await world.carry_all()
    assert await world.store.expire(world.now + 1) == 0
    assert (await world.store.file(name) or await world.store.text(name)) is not None
    await world.hear(removal("$cat"))
    assert (await world.store.file(name), await world.store.text(name)) == (None, None)
    await world.store.expire(world.now + 1)
    assert world.store.count("deliveries") == 0


async def test_what_went_over_the_line_is_counted_by_days_and_forgotten(world: World) -> None:
    world.now = 10 * 86_400.0 - 1
    await world.store.use({Use.SERVED: Traffic(1, 10), Use.REFUSED: Traffic(2)})
    world.now += 1
    await world.store.use({Use.SERVED: Traffic(3, 30)})
    assert await world.store.used(world.now) == {Use.SERVED: Traffic(3, 30)}
    assert await world.store.used(0) == {Use.SERVED: Traffic(4, 40), Use.REFUSED: Traffic(2)}
    await world.store.expire(world.now)
    assert await world.store.used(0) == {Use.SERVED: Traffic(3, 30)}
