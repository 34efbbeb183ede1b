"""The daemon is killed again and again while two people talk from encrypted room to encrypted room."""

import asyncio
import os
import random
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import Synapse
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.element import ElementPerson, ElementWeb
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers

_PAUSE_S = 0.15
"""From one message to the next of each of the two."""
_LIFE_S = 4.0
"""The longest time from the start of the daemon to its end: it takes about one until it is ready."""
_WORD = re.compile(r"number [0-9]+ of [ac]")


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


class _Talk:
    """What is said, and by whom: alice in the one room, carol in the other. Each hears the other through the bridge."""

    def __init__(self, alice: ElementPerson, carol: ElementPerson) -> None:
        self.people = (alice, carol)
        self.rooms = ("", "")
        self.count = 0
        self.is_over = False

    async def go_on(self) -> None:
        """Talk until it is over."""
        while not self.is_over:
            self.count += 1
            words = (f"number {self.count} of a", f"number {self.count} of c")
            saying = (
                each.say(*what) for each, what in zip(self.people, zip(self.rooms, words, strict=True), strict=True)
            )
            await asyncio.gather(*saying)
            await asyncio.sleep(_PAUSE_S)

    async def is_heard(self) -> None:
        """Return when both have heard the other. The last words first: the rest is there then, and only opened."""
        for hears, letter in zip(self.people, "ca", strict=True):
            for number in range(self.count, 0, -1):
                await hears.hears(f"number {number} of {letter}")


async def _killed(daemon: Daemon, kills: int, chance: random.Random) -> None:
    """Kill and start the daemon so many times, at moments that chance decides, also before it is ready."""
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.3, _LIFE_S))
        await daemon.stop(signal.SIGKILL)
        await daemon.start()
    await daemon.ready()


@pytest.mark.parametrize("kills", [4, pytest.param(14, marks=pytest.mark.long)])
async def test_kills_at_random_moments_lose_no_word_and_leave_none_unreadable_or_doubled(
    pond: Pond, element_web: ElementWeb, kills: int
) -> None:
    seed = int(os.environ.get("QUACKBRIDGE_SEED") or random.randrange(10**6))
    print(f"QUACKBRIDGE_SEED={seed}")  # noqa: T201
    url = pond.synapse.url
    async with AsyncExitStack() as stack:
        carol = await stack.enter_async_context(
            ElementPerson(element_web, url, await pond.synapse.register(unique("carol"), PASSWORD))
        )
        alice = await stack.enter_async_context(ElementPerson(element_web, url, pond.synapse.user_id(pond.alice)))
        talk = _Talk(alice, carol)
        talk.rooms = (str(await alice.ask("join", room=pond.room)), await _another_room(pond, carol))
        for person, room in zip(talk.people, talk.rooms, strict=True):
            await person.encrypt(room, rotation_period_msgs=3)
        assert quackbridge(pond.folder, "add-user", "carol", "--matrix", carol.user_id).returncode == 0
        daemon = await stack.enter_async_context(pond.daemon())
        await daemon.ready()
        for person, room in zip(talk.people, talk.rooms, strict=True):
            await person.knows(room, pond.duck_id)
        async with asyncio.TaskGroup() as group:
            talking = group.create_task(talk.go_on())
            await _killed(daemon, kills, random.Random(seed))
            talk.is_over = True
            await talking
        await talk.is_heard()
        for hears, room, letter in zip(talk.people, talk.rooms, "ca", strict=True):
            assert not hears.unreadable, seed
            said = [f"number {number} of {letter}" for number in range(1, talk.count + 1)]
            heard = [each.text for each in await hears.in_order(room) if each.sender == pond.duck_id]
            assert _words(heard) == said, seed


async def _another_room(pond: Pond, person: ElementPerson) -> str:
    """A second Matrix room in the link of the pond, where everybody is a member."""
    alias = unique("other")
    room = str(await person.ask("create", request={"preset": "public_chat", "room_alias_name": alias}))
    links: Any = pond.config["links"]
    links["pond"]["rooms"].append(f"home/#{alias}:{pond.synapse.server_name}")
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    return room


def _words(texts: list[str]) -> list[str]:
    return [word for text in texts for word in _WORD.findall(text)]
