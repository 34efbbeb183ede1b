"""What of encryption is stored, and in which order (bridge.matrix.crypto.rows)."""

import asyncio
from collections.abc import Mapping

import pytest

from bridge.matrix.crypto.rows import PREFIX, WAITING, Rows
from bridge.network import UNCOPIED
from bridge.store import Unavailable
from tests.fakes.memory import Notebook

_A = f"{PREFIX}olm a"


class Slow(Notebook):
    """A memory that stores only when it is told to, or fails."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.fails = False

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        await self.may.wait()
        if self.fails:
            raise Unavailable("the store is away")
        await super().remember(changes)


async def _rows(memory: Notebook) -> Rows:
    rows = Rows(memory)
    await rows.load()
    return rows


async def test_rows_are_read_back_and_no_copy_of_a_store_has_them() -> None:
    memory = Notebook()
    rows = await _rows(memory)
    rows.put("olm", "a name with blanks", "1")
    rows.put("olm", "b", "2")
    rows.put("olm", "b", None)
    await rows.flush()
    assert [*memory.kept] == [f"{PREFIX}olm a name with blanks"]
    assert PREFIX.startswith(UNCOPIED)
    assert (await _rows(memory)).of("olm") == {"a name with blanks": "1"}


async def test_what_was_taken_and_not_stored_is_taken_again_with_what_is_newer() -> None:
    rows = await _rows(Notebook())
    rows.put("olm", "a", "1")
    rows.put("olm", "b", "1")
    assert len(await rows.take()) == 2
    rows.put("olm", "a", "2")
    rows.give_back()
    assert await rows.take() == {_A: "2", f"{PREFIX}olm b": "1"}
    rows.stored()
    assert await rows.take() == {}
    assert not rows.has_changed


async def test_a_newer_row_is_not_stored_before_an_older_one_that_is_under_way() -> None:
    """Else the older one would replace it: a step of a ratchet would be used twice."""
    memory = Notebook()
    rows = await _rows(memory)
    rows.put("olm", "a", "1")
    older = await rows.take()
    rows.put("olm", "a", "2")
    flushing = asyncio.create_task(rows.flush())
    await asyncio.sleep(0)
    assert memory.kept == {}
    await memory.remember(older)
    rows.stored()
    await flushing
    assert memory.kept == {_A: "2"}


async def test_a_batch_waits_for_rows_that_are_on_their_way_and_gets_those_that_were_not_stored() -> None:
    """The position must not move before them."""
    memory = Slow()
    memory.fails = True
    rows = await _rows(memory)
    rows.put("olm", "a", "1")
    flushing = asyncio.create_task(rows.flush())
    await asyncio.sleep(0)
    taking = asyncio.create_task(rows.take())
    await asyncio.sleep(0)
    assert not taking.done()
    memory.may.set()
    with pytest.raises(Unavailable):
        await flushing
    assert await taking == {_A: "1"}


async def test_a_row_that_is_as_before_is_not_stored_again() -> None:
    rows = await _rows(Notebook())
    rows.put("olm", "a", "1")
    await rows.flush()
    rows.put("olm", "a", "1")
    rows.put("olm", "b", None)
    assert not rows.has_changed


async def test_a_store_that_is_older_than_we_are_gets_everything_again() -> None:
    memory = Notebook()
    rows = await _rows(memory)
    rows.put("olm", "a", "1")
    await rows.take()
    memory.kept.clear()
    await rows.load()
    await rows.flush()
    assert memory.kept == {_A: "1"}


async def test_all_rows_can_be_removed() -> None:
    memory = Notebook()
    rows = await _rows(memory)
    rows.put("olm", "a", "1")
    await rows.flush()
    rows.clear()
    await rows.flush()
    assert memory.kept == {}


async def test_a_message_that_waited_is_forgotten_only_with_the_event_that_it_became() -> None:
    memory = Notebook()
    rows = await _rows(memory)
    rows.put(WAITING, "$1", "{}")
    await rows.take()
    rows.stored()
    await memory.remember({f"{PREFIX}{WAITING} $1": "{}"})
    rows.put(WAITING, "$1", None)
    rows.put("olm", "a", "1")
    await rows.flush()
    assert memory.kept == {_A: "1", f"{PREFIX}{WAITING} $1": "{}"}
    assert rows.has_changed
    assert await rows.take() == {f"{PREFIX}{WAITING} $1": None}
