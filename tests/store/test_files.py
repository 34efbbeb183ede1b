"""Files to which links were made: they are known as long as the links work, and not once they are revoked."""

import os
import sqlite3
import stat
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.event import FOREVER, Edit, Event, EventKey, Media, Message, Redaction
from bridge.model.outbox import Addressed, Hosted, handle, text_handle
from bridge.model.people import GUEST
from bridge.model.text import Span, Style, words
from bridge.store import Commit, Lease, backup, core
from bridge.store.migrations import VERSION
from bridge.store.sqlite import SqliteStore
from bridge.store.tables import files
from tests.data.stores import QUEUED, frozen_store
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
    assert await world.store.revoke_of("$cat", network) == (number, 0)
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


async def test_the_link_to_a_long_text_opens_its_last_edit_however_short_it_is_and_whatever_is_heard_again(
    world: World,
) -> None:
    story = long("once\nupon")
    short = replace(long("once", "$short", target=story.key), text_until=0)
    later = long("once\nmore", "$more", target=story.key)
    await world.hear(story, short)
    assert await world.store.text(text_handle(story)) == "once"
    await world.hear(story)
    assert await world.store.text(text_handle(story)) == "once"
    await world.hear(later)
    await world.hear(short, story)
    assert await world.store.text(text_handle(story)) == "once\nmore"
    await world.store.revoke(text_handle(story))
    await world.hear(replace(short, id="$again"), later)
    assert await world.store.text(text_handle(story)) is None
    assert "once" not in str(world.store.sql.execute("SELECT text FROM media").fetchall())


@pytest.mark.parametrize("first", ["once\nupon", "once"])
async def test_the_removal_of_an_edit_takes_its_words_from_behind_the_link(world: World, first: str) -> None:
    story = replace(long(first), text_until=2_000 if "\n" in first else 0)
    await world.hear(story, long("once\nmore", "$one", target=story.key), long("a\nsecret", "$two", target=story.key))
    assert await world.store.text(text_handle(story)) == "a\nsecret"
    await world.hear(removal("$two"))
    assert await world.store.text(text_handle(story)) is None
    assert "secret" not in str(world.store.sql.execute("SELECT text FROM media").fetchall())


@pytest.mark.parametrize("file", [True, False])
async def test_a_message_is_known_as_long_as_a_link_to_what_it_was_edited_to(world: World, file: bool) -> None:
    story = said(HOME, ALICE, "once", "$cat")
    change = edit(DOG) if file else long("once\nmore", "$more", target=story.key)
    name = handle(change, DOG) if file else text_handle(change)
    await world.hear(story, change)
    await world.carry_all()
    assert await world.store.expire(world.now + 1) == 0
    assert (await world.store.file(name) or await world.store.text(name)) is not None
    await world.hear(removal("$cat"))
    assert (await world.store.file(name), await world.store.text(name)) == (None, None)


async def test_a_waiting_message_has_the_link_to_the_text_of_the_edit_that_it_is_shown_with(world: World) -> None:
    story = said(HOME, ALICE, "once", "$long")
    await world.hear(story, long("once\nmore", "$more", target=story.key))
    libera = await world.store.acquire("libera", "test")
    (backlog,) = await libera.due(world.now)
    assert [owed.event.text_until for owed in backlog.owed] == [2_000]


async def test_a_text_is_kept_as_people_read_it_without_styles_and_in_no_more_than_64_kib(world: World) -> None:
    text = (
        Span("see "),
        Span("the pond", Style.BOLD, "https://pond.social"),
        Span("\r\nand "),
        Span("x", Style.SPOILER),
    )
    story = replace(long("x"), body=Message(text))
    await world.hear(story)
    assert await world.store.text(text_handle(story)) == "see the pond (https://pond.social)\nand ||x||"
    huge = replace(long("x", "$huge"), body=Message(words("é" * 40_000 + "\ud800")))
    await world.hear(huge)
    kept = await world.store.text(text_handle(huge))
    assert kept == "é" * 32_768


async def test_what_went_over_the_line_is_counted_by_days_and_forgotten(world: World) -> None:
    world.now = 10 * 86_400.0 - 1
    await world.store.count_traffic({TrafficKind.SERVED: Traffic(1, 10), TrafficKind.REFUSED: Traffic(2)})
    world.now += 1
    await world.store.count_traffic({TrafficKind.SERVED: Traffic(3, 30)})
    assert await world.store.traffic_since(world.now) == {TrafficKind.SERVED: Traffic(3, 30)}
    assert await world.store.traffic_since(0) == {TrafficKind.SERVED: Traffic(4, 40), TrafficKind.REFUSED: Traffic(2)}
    await world.store.expire(world.now)
    assert await world.store.traffic_since(0) == {TrafficKind.SERVED: Traffic(3, 30)}


async def test_a_waiting_message_has_no_link_to_its_text_if_its_edit_is_short(world: World) -> None:
    story = long("once\nmore")
    await world.hear(story, replace(long("once", "$short", target=story.key), text_until=0))
    libera = await world.store.acquire("libera", "test")
    (backlog,) = await libera.due(world.now)
    assert [owed.event.text_until for owed in backlog.owed] == [0]


def _by(member: bool, number: int) -> Event:
    """A text of a member, or of a user who is a guest in the link where they speak."""
    sender = replace(matrix("alice"), user="alice", note="" if member else GUEST)
    return replace(long("\u20ac" * 100, f"${number}"), sender=sender)


@pytest.mark.parametrize(("guests", "all_texts", "left"), [(600, 10_000, {1, 3, 4, 5}), (10_000, 900, {3, 4, 5})])
async def test_the_oldest_texts_are_forgotten_once_they_take_too_much_and_those_of_guests_much_earlier(
    world: World, monkeypatch: pytest.MonkeyPatch, guests: int, all_texts: int, left: set[int]
) -> None:
    monkeypatch.setattr(files, "GUESTS_TEXTS", guests)
    monkeypatch.setattr(files, "ALL_TEXTS", all_texts)
    monkeypatch.setattr(core, "_EXPIRE_AT_ONCE", 1)
    said = {0: False, 1: True, 2: False, 3: False, 4: True, 5: False}
    events = [_by(member, number) for number, member in said.items()]
    for event in events:
        await world.hear(event)
    await world.store.expire(0.0)
    kept = [await world.store.text(text_handle(event)) is not None for event in events]
    assert {number for number, is_kept in enumerate(kept) if is_kept} == left


async def test_what_an_edit_adds_to_a_text_counts_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GUESTS_TEXTS", 600)
    first = replace(long("short"), sender=replace(matrix("mallory"), note=GUEST))
    edit = replace(long("x" * 601, "$edit", target=first.key), sender=replace(matrix("mallory"), note=GUEST))
    await world.hear(first)
    await world.store.expire(0.0)
    assert await world.store.text(text_handle(first)) == "short"
    await world.hear(edit)
    await world.store.expire(0.0)
    assert await world.store.text(text_handle(first)) is None


async def _commit(store: SqliteStore, commit: Commit) -> None:
    home = await store.acquire("home", "test")
    assert home is not None
    await home.commit(commit)


@pytest.mark.real_time
async def test_what_was_revoked_since_a_backup_stays_revoked_when_that_is_restored_also_if_it_is_heard_again(
    tmp_path: Path,
) -> None:
    path, kept = tmp_path / "store.sqlite", tmp_path / "backup.sqlite"
    before, since, kept_file = (
        rebodied(said(HOME, ALICE, "look", each), media=(CAT,)) for each in ("$before", "$since", "$kept")
    )
    swapped = replace(said(HOME, ALICE, "edit", "$swapped"), body=Edit(since.key, words("see"), media=(DOG,)))
    story = long("once upon a time")
    owed = [Commit.owing(Addressed(event, LIBERA) for event in events) for events in (
        (before, kept_file, story), (since, swapped),
    )]  # fmt: skip
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        await _commit(store, owed[0])
        backup.copy(path, kept)
        await _commit(store, owed[1])
        for event in ("$before", "$since", "$long"):
            await store.revoke_of(event)
    backup.restore(path, kept, "bak")
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        await _commit(store, owed[1])
        assert [await store.file(handle(event, CAT)) for event in (before, since)] == [None, None]
        assert await store.file(handle(swapped, DOG)) is None
        assert await store.text(text_handle(story)) is None
        assert await store.file(handle(kept_file, CAT)) is not None
        assert len([entry for entry in await store.outbox() if entry.event.id == "$since"]) == 1, "it is carried again"
    with closing(sqlite3.connect(path)) as sql:
        assert "once upon" not in str(sql.execute("SELECT * FROM media").fetchall())


@pytest.mark.real_time
@pytest.mark.parametrize("old", [b"no store", b"", None])
async def test_a_backup_is_restored_in_place_of_a_store_that_cannot_be_read(tmp_path: Path, old: bytes | None) -> None:
    path, kept = tmp_path / "store.sqlite", tmp_path / "backup.sqlite"
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        await _commit(store, Commit.owing([Addressed(PICTURE, LIBERA)]))
        backup.copy(path, kept)
    path.unlink() if old is None else path.write_bytes(old)
    backup.restore(path, kept, "bak")
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        assert await store.file(handle(PICTURE, CAT)) is not None


@pytest.mark.real_time
@pytest.mark.parametrize("version", range(1, VERSION))
async def test_a_backup_of_an_older_version_is_upgraded_when_it_is_restored(version: int, tmp_path: Path) -> None:
    path = tmp_path / "data" / "store.sqlite"
    assert backup.restore(path, frozen_store(version), "bak") is None
    async with aclosing(SqliteStore.attach(path, lambda: 1_000.0)) as store:
        assert QUEUED in {entry.delivery for entry in await store.outbox()}
    assert sorted(file.name for file in path.parent.iterdir() if file.suffix != ".lock") == ["store.sqlite"]


@pytest.mark.real_time
async def test_a_store_that_is_replaced_by_a_backup_is_kept_beside_it(tmp_path: Path) -> None:
    path, kept = tmp_path / "store.sqlite", tmp_path / "backup.sqlite"
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        backup.copy(path, kept)
        await _commit(store, Commit.owing([Addressed(PICTURE, LIBERA)]))
    replaced = backup.restore(path, kept, "now.bak")
    assert replaced == tmp_path / "store.sqlite.now.bak"
    assert stat.S_IMODE(replaced.stat().st_mode) == 0o600
    for file, waiting in ((path, 0), (replaced, 1)):
        async with aclosing(SqliteStore.attach(file, lambda: 1_000.0)) as store:
            assert len(await store.outbox()) == waiting


@pytest.mark.real_time
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("is_there", [True, False])
async def test_a_store_that_root_restores_belongs_to_the_user_of_the_daemon(tmp_path: Path, is_there: bool) -> None:
    copy, data = tmp_path / "backup.sqlite", tmp_path / "data"
    async with aclosing(SqliteStore.open(tmp_path / "store.sqlite", lambda: 1_000.0)):
        backup.copy(tmp_path / "store.sqlite", copy)
    data.mkdir()
    os.chown(data, 12_345, 12_345)
    if is_there:
        backup.restore(data / "store.sqlite", copy, "1.bak")
    backup.restore(data / "store.sqlite", copy, "2.bak")
    assert {file.stat().st_uid for file in data.iterdir()} == {12_345}
