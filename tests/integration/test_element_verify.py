"""People verify the bridge by comparing emoji in matrix-js-sdk, which Element Web runs; an admin says yes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.daemon import quackbridge
from tests.integration.element import ElementPerson, ElementWeb
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope, unique
from tests.integration.test_element import both_ways, people, restart, shields
from tests.integration.test_matrix import eventually

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


async def _whom(person: ElementPerson, user: str, place: str, *, in_room: bool) -> dict[str, str]:
    """Whom to verify, and where."""
    if in_room:
        return {"user": user, "room": place}
    (device,) = (await person.ask("trusts", user=user))["signed"]
    return {"user": user, "device": device}


@asynccontextmanager
async def asked(pond: Pond, clients: ElementWeb) -> AsyncGenerator[tuple[ElementPerson, MatrixPerson, str], None]:
    """Alice, who can verify others, dora, an admin, and the room, while the daemon runs."""
    dora_id = await pond.synapse.register(unique("dora"), PASSWORD)
    assert quackbridge(pond.folder, "add-user", "dora", "--matrix", dora_id).returncode == 0
    assert quackbridge(pond.folder, "set-role", "dora", "admin").returncode == 0
    async with (
        people(pond, clients) as (alice, bob, place),
        MatrixPerson(pond.synapse.url, dora_id) as dora,
        pond.daemon() as daemon,
    ):
        await daemon.ready()
        assert await alice.ask("crossSign") is not None
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "before")
        yield alice, dora, place
        await restart(daemon)
        await both_ways(pond, alice, bob, place, "after")
        assert shields(alice, pond.duck_id) == {"NONE"}


def _shows(text: str, emoji: Sequence[tuple[str, str]]) -> bool:
    """Whether the same emoji are shown to the admin, in that order."""
    places = [text.find(f"{symbol} {name}") for symbol, name in emoji]
    return -1 not in places and (len({*emoji}) < len(emoji) or places == sorted(places))


@pytest.mark.parametrize("in_room", [True, False], ids=["in a room", "to the device"])
async def test_the_bridge_is_verified_once_an_admin_has_said_that_the_emoji_are_the_same(
    pond: Pond, element_web: ElementWeb, in_room: bool
) -> None:
    async with asked(pond, element_web) as (alice, dora, place):
        emoji = await alice.verify(**await _whom(alice, pond.duck_id, place, in_room=in_room))
        shown = await dora.heard("The bridge shows")
        assert _shows(shown.text, emoji)
        assert f"{alice.user_id} (device {alice.device})" in shown.text
        confirming = asyncio.create_task(alice.ask("confirm"))
        await dora.send(shown.room, "status")
        await dora.heard(lambda heard: heard.room == shown.room and heard.sender == pond.duck_id and heard != shown)
        assert not confirming.done()
        assert not await alice.trusts(pond.duck_id)
        await dora.send(shown.room, "yes")
        await confirming
        await eventually(lambda: alice.trusts(pond.duck_id))
        await dora.heard("vouches for them, too")
    assert alice.unreadable == []


async def test_the_bridge_is_not_verified_when_an_admin_says_no(pond: Pond, element_web: ElementWeb) -> None:
    async with asked(pond, element_web) as (alice, dora, place):
        await alice.verify(user=pond.duck_id, room=place)
        confirming = asyncio.create_task(alice.ask("confirm"))
        await dora.send((await dora.heard("The bridge shows")).room, "no")
        with pytest.raises(AssertionError, match="cancel"):
            await confirming
        assert not await alice.trusts(pond.duck_id)
