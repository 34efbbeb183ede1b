"""Devices that come, go, and have no keys left, with matrix-js-sdk, which Element Web runs."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import Synapse
from tests.faults.http import HttpProxy, says
from tests.integration import hasty
from tests.integration.daemon import write_config
from tests.integration.element import ElementPerson, ElementWeb
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_element import both_ways, people, restart
from tests.integration.test_matrix import eventually

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


@pytest.fixture
async def way(pond: Pond) -> AsyncGenerator[HttpProxy, None]:
    """A proxy between the daemon of the pond and its homeserver."""
    async with HttpProxy(pond.synapse.url) as proxy:
        networks: Any = pond.config["networks"]
        networks["home"]["homeserver"] = proxy.url
        write_config(pond.folder, pond.config, {"home": PASSWORD})
        yield proxy


async def test_a_device_that_comes_while_the_bridge_is_away_reads_it_and_so_does_one_that_was_closed(
    pond: Pond, element_web: ElementWeb
) -> None:
    async with (
        people(pond, element_web) as (alice, bob, place),
        pond.daemon() as daemon,
        AsyncExitStack() as stack,
    ):
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")
        await daemon.stop(signal.SIGKILL)
        new = await stack.enter_async_context(ElementPerson(element_web, pond.synapse.url, alice.user_id))
        await new.knows(place, pond.duck_id)
        await new.say(place, "from the new device")
        await daemon.start()
        await bob.heard("from the new device")
        await daemon.ready()
        await alice.go()
        await both_ways(pond, new, bob, place, "two")
        await restart(daemon)
        await both_ways(pond, new, bob, place, "three")
        await alice.come()
        for number in ("two", "three"):
            await alice.hears(f"{number} from bob")
        await both_ways(pond, alice, bob, place, "four")
        await new.hears("four from bob")
        assert not alice.unreadable
        assert {each.text for each in new.unreadable} <= {"? HISTORICAL_MESSAGE_NO_KEY_BACKUP"}


async def test_a_new_device_is_heard_though_all_our_one_time_keys_were_claimed(
    pond: Pond, element_web: ElementWeb
) -> None:
    async with people(pond, element_web) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        (device,) = (await alice.ask("trusts", user=pond.duck_id))["signed"]
        body = {"one_time_keys": {pond.duck_id: {device: "signed_curve25519"}}}
        asks = (alice.ask("call", method="POST", path="/keys/claim", body=body) for _ in range(60))
        claimed = await asyncio.gather(*asks)
        assert all(each["one_time_keys"] for each in claimed)
        async with ElementPerson(element_web, pond.synapse.url, alice.user_id) as new:
            await new.knows(place, pond.duck_id)
            await both_ways(pond, new, bob, place, "new")
            await alice.hears("new from bob")
        await eventually(lambda: _gives_a_one_time_key(alice, pond.duck_id, device))


async def test_a_device_without_a_one_time_key_gets_the_key_of_the_room_later(
    pond: Pond, way: HttpProxy, element_web: ElementWeb
) -> None:
    async with people(pond, element_web) as (alice, bob, place), pond.daemon(hasty.BEFORE) as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        way.spoil("/keys/claim", says(200, '{"one_time_keys": {}}'))
        await bob.say(pond.channel, "too early")
        await alice.hears("? ")
        await eventually(lambda: _hears_more(pond, alice, bob))
        assert way.spent


async def _hears_more(pond: Pond, alice: ElementPerson, bob: IrcPerson) -> bool:
    await bob.say(pond.channel, "and now")
    return any("and now" in each for each in alice.texts)


async def _gives_a_one_time_key(person: ElementPerson, user: str, device: str) -> bool:
    """Whether the homeserver has a one-time key of the device, not only the fallback key."""
    body = {"one_time_keys": {user: {device: "signed_curve25519"}}}
    found = await person.ask("call", method="POST", path="/keys/claim", body=body)
    return not any(each.get("fallback") for each in found["one_time_keys"][user][device].values())
