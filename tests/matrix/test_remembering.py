"""What admins are told by the adapter (bridge.matrix.hearing.remembering): with which batch, and when again."""

import random

import pytest

from bridge.matrix.account import Account
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.hearing.remembering import Remembering
from bridge.matrix.http.homeserver import Homeserver
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.network import News
from tests.fakes.memory import Notebook
from tests.settings import matrix_settings

_NEWS = News("1", "somebody compares emoji")


async def _remembering(memory: Notebook) -> tuple[Remembering, Rows]:
    homeserver, rooms, rng = Homeserver("http://localhost", "@duck:hs"), Rooms("home"), random.Random(1)
    account = Account(matrix_settings("home", "http://localhost", "@duck:hs"), homeserver, memory, Patience("h", rng))
    joining = Joining([], rooms, homeserver, account, memory, rng)
    invitations = Invitations("home", joining, Private("home", rooms, homeserver, account, memory), memory)
    rows = Rows(memory)
    await rows.load()
    return Remembering(invitations, rooms, rows), rows


@pytest.mark.parametrize("ends", ["stored", "given back"])
async def test_news_go_with_one_batch_and_again_with_the_next_if_that_was_not_stored(ends: str) -> None:
    remembering, _ = await _remembering(Notebook())
    remembering.tell(_NEWS)
    assert remembering.is_due
    assert remembering.news() == (_NEWS,)
    await remembering.take()
    remembering.stored() if ends == "stored" else remembering.give_back()
    assert remembering.news() == (() if ends == "stored" else (_NEWS,))


async def test_news_that_were_not_taken_outlive_a_crash_and_are_forgotten_with_their_batch() -> None:
    memory = Notebook()
    remembering, rows = await _remembering(memory)
    remembering.tell(_NEWS)
    await rows.flush()
    remembering, _ = await _remembering(memory)
    assert remembering.news() == (_NEWS,)
    await memory.remember(await remembering.take())
    remembering.stored()
    assert (await _remembering(memory))[0].news() == ()


async def test_news_are_not_forgotten_before_their_batch_is_stored() -> None:
    memory = Notebook()
    remembering, rows = await _remembering(memory)
    remembering.tell(_NEWS)
    await rows.flush()
    assert remembering.news() == (_NEWS,)
    await rows.flush()  # a key leaves just now
    assert (await _remembering(memory))[0].news() == (_NEWS,)


async def test_news_that_nobody_takes_are_bounded() -> None:
    remembering, _ = await _remembering(Notebook())
    for number in range(100):
        remembering.tell(News(str(number), "x"))
    assert len(remembering.news()) == 50
