"""The pictures of people (bridge.matrix.avatars)."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bridge.lib.ids import digest
from bridge.matrix import avatars
from bridge.matrix.avatars import Avatars
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.model.people import Sender
from tests.fakes.memory import Notebook

_BOB = Sender("irc", "bob", "bob", user="bob")
_ANN = replace(_BOB, user="ann")


class _Media(Homeserver):
    """A homeserver that stores files, unless it is `broken`."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "@duck:hs")
        self.broken = False
        self.tries = 0
        self.stored: list[bytes] = []
        self.news = asyncio.Event()

    async def upload(self, data: bytes, mime: str, name: str) -> str:
        self.tries += 1
        self.news.set()
        if self.broken:
            raise ApiError(404, "M_UNRECOGNIZED", "no media")
        assert (mime, name) == ("image/png", "avatar.png")
        self.stored.append(data)
        return f"mxc://hs/{len(self.stored)}"

    async def asked(self) -> None:
        """The next upload was tried, and what follows from it is done."""
        async with asyncio.timeout(5):
            await self.news.wait()
        self.news.clear()
        for _ in range(5):
            await asyncio.sleep(0)


@asynccontextmanager
async def held(media: _Media, memory: Notebook) -> AsyncGenerator[Avatars, None]:
    online = asyncio.Event()
    online.set()
    made = Avatars("home", media, memory, online)
    await made.recall()
    holding = asyncio.create_task(made.hold())
    try:
        yield made
    finally:
        holding.cancel()
        await asyncio.wait([holding])


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatars, "_APART_S", 0.0)


async def test_a_picture_is_stored_once_and_remembered_over_restarts_and_guests_have_none() -> None:
    media, memory = _Media(), Notebook()
    async with held(media, memory) as made:
        assert [made.of(who) for who in (_BOB, _BOB, replace(_BOB, user=None))] == ["", "", ""]
        await media.asked()
        assert made.of(_BOB) == "mxc://hs/1"
        assert made.of(_ANN) == ""
        await media.asked()
    async with held(media, memory) as made:
        assert (made.of(_BOB), made.of(_ANN)) == ("mxc://hs/1", "mxc://hs/2")
    assert len({*media.stored}) == media.tries == 2


async def test_a_user_who_is_renamed_all_the_time_has_one_picture() -> None:
    media = _Media()
    async with held(media, Notebook()) as made:
        made.of(_BOB)
        await media.asked()
        for number in range(50):
            assert made.of(replace(_BOB, address=f"bob{number}", network=f"net{number % 2}")) == "mxc://hs/1"
            await asyncio.sleep(0)
    assert media.tries == 1


async def test_a_failure_is_silent_and_not_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    media = _Media()
    media.broken = True
    async with held(media, Notebook()) as made:
        assert made.of(_BOB) == ""
        await media.asked()
        for _ in range(50):
            assert made.of(_BOB) == ""
            await asyncio.sleep(0)
        assert media.tries == 1
    monkeypatch.setattr(avatars, "_AGAIN_S", 0.0)
    async with held(media, Notebook()) as made:
        assert made.of(_BOB) == ""
        await media.asked()
        media.broken = False
        assert made.of(_BOB) == ""
        await media.asked()
        assert made.of(_BOB) == "mxc://hs/1"


async def test_only_so_many_people_are_remembered_and_wait() -> None:
    media, memory = _Media(), Notebook()
    kept = {str(number): f"mxc://hs/{number}" for number in range(avatars._MOST + 10)}
    memory.kept["avatars"] = json.dumps(kept)
    async with held(media, memory) as made:
        assert made.of(_BOB) == ""
        await media.asked()
        assert len(json.loads(memory.kept["avatars"])) == avatars._MOST
        assert json.loads(memory.kept["avatars"])[digest("picture", "bob")] == "mxc://hs/1"
        for number in range(1000):
            made.of(replace(_BOB, user=str(number)))
        assert len(made._wanted) <= avatars._WAITING


@pytest.mark.parametrize("kept", ["", "{", "[]", "7", '{"a": 1, "b": "https://x.y/"}', "[" * 100_000])
async def test_pictures_that_were_kept_in_another_form_are_made_again(kept: str) -> None:
    media = _Media()
    memory = Notebook()
    memory.kept["avatars"] = kept
    async with held(media, memory) as made:
        assert made.of(_BOB) == ""
        await media.asked()
        assert made.of(_BOB) == "mxc://hs/1"
