"""Files of messages: their links are made when they are rendered, also if an edit overtook them."""

from dataclasses import replace

from bridge.model.event import Edit, Event, EventKey, Media
from bridge.model.outbox import handle
from bridge.model.text import words
from bridge.rules.link import Link, Rules
from tests.events import HOME, LIBERA, OFTC, matrix, rebodied, said
from tests.relay.test_relay import World

CAT = Media("image", "cat.png", 500, "image/png", "mxc://hs/cat")
PICTURE = rebodied(said(HOME, matrix("alice"), "look", "$cat"), media=(CAT,))


def _world() -> World:
    return World(Link("pond", (HOME, LIBERA), Rules(files_last=60.0)))


def _link(event: Event, media: Media) -> str:
    return f"https://pond/{handle(event, media)}/{media.until}"


async def test_a_file_is_sent_with_its_link_and_known_to_the_store_by_its_handle() -> None:
    world = _world()
    async with world.running():
        world.shared.link_to = _link
        await world.home.hear(PICTURE)
        (line,) = await world.libera.delivered(1)
    assert line == f"<alice> look [image: cat.png, 500 bytes] https://pond/{handle(PICTURE, CAT)}/1060"
    found = await world.store.file(handle(PICTURE, CAT))
    assert found is not None
    assert found.media.source == "mxc://hs/cat"
    assert "https" not in str(world.store.sql.execute("SELECT * FROM events").fetchall())


async def test_without_links_a_file_is_words_and_not_kept() -> None:
    world = World(Link("pond", (HOME, LIBERA, OFTC)))
    async with world.running():
        world.shared.link_to = _link
        await world.home.hear(PICTURE)
        assert await world.libera.delivered(1) == ["<alice> look [image: cat.png, 500 bytes]"]
    assert world.store.count("media") == 0


async def test_an_edit_that_overtakes_a_picture_has_the_link_to_the_new_one() -> None:
    world = _world()
    world.libera.away[LIBERA] = "no connection"
    dog = replace(CAT, name="dog.png", source="mxc://hs/dog")
    edit = Event("$edit", HOME, matrix("alice"), 1_000.0, Edit(EventKey(HOME, "$cat"), words("see"), media=(dog,)))
    async with world.running():
        world.shared.link_to = _link
        await world.lookout.look(world.networks, {})
        await world.home.hear(PICTURE)
        await world.home.hear(edit)
        await world.home.settled()
    lease = await world.store.acquire("libera", "test")
    (backlog,) = await lease.due(world.now + 10)
    (item,) = backlog.owed
    body = item.event.body
    assert not isinstance(body, Edit)
    assert [each.name for each in body.media] == ["dog.png"]  # type: ignore[union-attr]
    assert await world.store.file(handle(item.event, body.media[0])) is not None  # type: ignore[union-attr]
