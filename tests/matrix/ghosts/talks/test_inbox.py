"""What the homeserver tells us, in the one stream of what is heard (bridge.matrix.ghosts.talks.inbox)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from bridge.matrix.ghosts.talks.inbox import Inbox
from bridge.network import Batch, NotNow
from tests.events import HOME, matrix, said

_ONE, _TWO = (said(HOME, matrix("alice"), text) for text in ("one", "two"))


async def _syncs(pauses: list[float]) -> AsyncGenerator[Batch, None]:
    for number, pause in enumerate(pauses):
        await asyncio.sleep(pause)
        yield Batch((), f"s{number}")


async def _taken(inbox: Inbox, pauses: list[float], cursor: str | None) -> list[Batch]:
    async with aclosing(_syncs(pauses)) as heard, aclosing(inbox.batches(heard, cursor)) as batches:
        return [batch async for batch in batches]


async def test_a_parcel_keeps_the_cursor_of_the_sync_and_is_stored_once_more_is_asked_for() -> None:
    inbox = Inbox()
    taking = asyncio.create_task(_taken(inbox, [1, 5], "before"))
    await inbox.store([_ONE], {"key": "value"})
    await asyncio.sleep(2)
    await inbox.store([_TWO], {})
    found = [(batch.cursor, batch.events, dict(batch.changes)) for batch in await taking]
    assert found == [("before", (_ONE,), {"key": "value"}), ("s0", (), {}), ("s0", (_TWO,), {}), ("s1", (), {})]


async def test_nothing_is_given_before_there_is_a_cursor() -> None:
    inbox = Inbox()
    storing = asyncio.create_task(inbox.store([_ONE], {}))
    found = await _taken(inbox, [1, 1], None)
    await storing
    assert [(batch.cursor, batch.events) for batch in found] == [("s0", ()), ("s0", (_ONE,)), ("s1", ())]


async def test_what_is_not_stored_is_not_acknowledged_and_may_be_told_again() -> None:
    inbox = Inbox()
    async with aclosing(_syncs([9])) as heard, aclosing(inbox.batches(heard, "c")) as batches:
        storing = asyncio.create_task(inbox.store([_ONE], {}))
        assert (await anext(batches)).events == (_ONE,)
        assert not storing.done()  # it is stored only when the next is asked for: here comes a crash
    with pytest.raises(NotNow):
        await storing
    taking = asyncio.create_task(_taken(inbox, [1], "c"))
    await inbox.store([_ONE], {})
    assert [batch.events for batch in await taking] == [(_ONE,), ()]


async def test_nobody_waits_for_ever_and_not_too_many_wait() -> None:
    inbox = Inbox()
    waiting = [asyncio.create_task(inbox.store([_ONE], {})) for _ in range(16)]
    await asyncio.sleep(1)
    with pytest.raises(NotNow, match="Too much"):
        await inbox.store([_TWO], {})
    assert all(isinstance(each, NotNow) for each in await asyncio.gather(*waiting, return_exceptions=True))
    taking = asyncio.create_task(_taken(inbox, [1], "c"))
    await inbox.store([_TWO], {})
    assert [batch.events for batch in await taking] == [(_TWO,), ()]


async def test_many_syncs_do_not_keep_a_parcel_waiting() -> None:
    inbox = Inbox()
    taking = asyncio.create_task(_taken(inbox, [0.0] * 500, "c"))
    await inbox.store([_ONE], {})
    found = await taking
    assert next(number for number, batch in enumerate(found) if batch.events) < 5
