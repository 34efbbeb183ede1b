"""The archive: what is written down, what is not, and what is taken out again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bots.api import Question
from bots.archive import Archive, read
from bridge.model.event import Room
from bridge.model.text import words
from tests.events import HOME, matrix

pytestmark = pytest.mark.real_time

DAY = 1_700_000_000.0
ALICE = replace(matrix("alice"), user="alice")


def _said(text: str, id_: str = "", **more: object) -> Question:
    asked = Question(id_ or text, words(text), ALICE, HOME, DAY, link="pond", carried=True, called=False)
    return replace(asked, **more)  # type: ignore[arg-type]


def _archive(folder: Path, days: int = 365) -> Archive:
    return Archive("archive", Archive.Settings(folder=folder, days=days))


@asynccontextmanager
async def _running(archive: Archive) -> AsyncIterator[None]:
    running = asyncio.create_task(archive.run())
    await asyncio.sleep(0)
    yield
    running.cancel()
    await asyncio.wait({running})


def _texts(folder: Path) -> list[str]:
    return [line["text"] for path in sorted(folder.glob("*/*.jsonl")) for line in read(path)]


async def test_what_is_carried_is_written_down_and_private_words_and_those_of_guests_are_not(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "archive")
    async with _running(archive):
        for question in (
            _said("hello"),
            _said("psst", private=True, link=""),
            _said("I am a guest", carried=False),
            _said("elsewhere", link="", room=Room("home", "!x")),
            _said("next day", time=DAY + 86_400),
            _said("other link", link="../../etc"),
        ):
            assert await archive.answer(question) == ()
    assert sorted(_texts(tmp_path / "archive")) == ["hello", "next day", "other link"]
    (path,) = (tmp_path / "archive" / "pond").glob("2023-11-14.jsonl")
    assert json.loads(path.read_text()) == {
        "id": "hello",
        "time": DAY,
        "room": str(HOME),
        "who": "alice",
        "text": "hello",
    }
    assert path.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "etc").exists()


async def test_what_is_removed_or_edited_is_so_in_the_archive_also_after_a_restart_and_before_it_is_written(
    tmp_path: Path,
) -> None:
    archive = _archive(tmp_path)
    async with _running(archive):
        for text in ("one", "two", "three"):
            await archive.answer(_said(text))
        archive.removed("one")
        archive.edited("two", "TWO")
        archive.removed("late")
        await archive.answer(_said("late"))
    assert _texts(tmp_path) == ["TWO", "three"]
    again = _archive(tmp_path)
    async with _running(again):
        again.removed("three")
        again.removed("never heard of")
    assert _texts(tmp_path) == ["TWO"]
    assert "one" not in "".join(path.read_text() for path in tmp_path.glob("*/*"))


async def test_a_removal_is_done_also_if_the_bridge_was_killed_before_it_was_written(tmp_path: Path) -> None:
    archive = _archive(tmp_path)
    async with _running(archive):
        for text in ("one", "two"):
            await archive.answer(_said(text))
    archive = _archive(tmp_path)
    archive.removed("one")
    archive.removed("never heard of")
    archive.edited("one", "more")
    del archive
    again = _archive(tmp_path)
    async with _running(again):
        await again.answer(_said("never heard of"))
    assert _texts(tmp_path) == ["two"]
    assert not (tmp_path / "removed.txt").exists()


async def test_changes_of_what_is_not_in_the_archive_cost_one_look_at_it_together_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _archive(tmp_path)
    async with _running(archive):
        await archive.answer(_said("one"))
    looks: list[Path] = []

    def looked(path: Path) -> set[str]:
        looks.append(path)
        return set()

    monkeypatch.setattr("bots.archive._ids", looked)
    archive = _archive(tmp_path)
    async with _running(archive):
        await archive.answer(_said("of a guest", carried=False))
        for number in range(100):
            archive.edited("of a guest", f"{number}")
            archive.removed("of a guest")
        await asyncio.sleep(0.1)
        assert looks == []
        for number in range(1_000):
            archive.edited(f"elsewhere {number}", "x")
            archive.removed(f"nowhere {number}")
    assert len(looks) <= 3


async def test_no_message_keeps_the_others_out_of_the_archive(tmp_path: Path) -> None:
    archive = _archive(tmp_path)
    (tmp_path / "pond").mkdir()
    (tmp_path / "pond" / "2023-11-14.jsonl").write_text('{"id": "torn", "te')
    async with _running(archive):
        for question in (_said("\ud800", "a"), _said("in no year", time=9e12), _said("hello")):
            await archive.answer(question)
        archive.edited("a", "\udfff")
    assert _texts(tmp_path) == ["?", "hello"]


@pytest.mark.parametrize("days", [0, -1, 10**9])
def test_a_number_of_days_that_makes_no_sense_is_refused(days: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="days"):
        _archive(tmp_path, days)


async def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    archive = _archive(tmp_path, days=30)
    async with _running(archive):
        await archive.answer(_said("old", time=DAY))
        await archive.answer(_said("new", time=DAY + 31 * 86_400))
    assert _texts(tmp_path) == ["new"]


async def test_while_the_disk_refuses_what_was_said_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bots.archive._PAUSE_S", 0.01)
    (tmp_path / "archive").write_text("no folder")
    archive = _archive(tmp_path / "archive")
    async with _running(archive):
        await archive.answer(_said("hello"))
        await asyncio.sleep(0.05)
        (tmp_path / "archive").unlink()
        for _ in range(200):
            if _texts(tmp_path / "archive"):
                break
            await asyncio.sleep(0.01)
    assert _texts(tmp_path / "archive") == ["hello"]


def test_torn_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"id": "a", "text": "x"}\n[1]\n{"id": 5}\n\xff\xfe\n{"id": "b", "te')
    assert [line["id"] for line in read(path)] == ["a"]
    assert list(read(tmp_path / "none")) == []
