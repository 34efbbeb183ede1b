"""Whom matrix-js-sdk, which Element Web runs, trusts of the bridge, and whom the bridge trusts of its users."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import Synapse
from tests.integration.daemon import quackbridge, write_config
from tests.integration.element import ElementPerson, ElementWeb
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_element import both_ways, people, restart, shields
from tests.integration.test_matrix import eventually

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


@pytest.mark.parametrize("renewed", [False, True])
async def test_the_recovery_key_opens_the_bridges_account_for_another_client(
    pond: Pond, element_web: ElementWeb, renewed: bool
) -> None:
    async with people(pond, element_web) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        shown = json.loads(quackbridge(pond.folder, "matrix-setup", "home", "--json").stdout)["recovery_key"]
        async with ElementPerson(element_web, pond.synapse.url, pond.duck_id) as other:
            if renewed:
                anew = quackbridge(pond.folder, "matrix-setup", "home", "--new-recovery-key", "--json")
                before, shown = shown, json.loads(anew.stdout)["recovery_key"]
                with pytest.raises(AssertionError):
                    await other.ask("crossSign", recoveryKey=before)
            assert await other.ask("crossSign", recoveryKey=shown)
            await eventually(lambda: other.trusts(pond.duck_id, devices=2))
            await both_ways(pond, alice, bob, place, "with two devices")
        assert shields(alice, pond.duck_id) == {"NONE"}


async def test_a_bridge_that_has_the_recovery_key_of_an_account_signs_its_device_with_the_keys_there(
    pond: Pond, element_web: ElementWeb
) -> None:
    async with ElementPerson(element_web, pond.synapse.url, pond.duck_id) as owner:
        assert await owner.ask("crossSign")
        key = await owner.ask("store")
        async with people(pond, element_web) as (alice, bob, place), pond.daemon() as daemon:
            await daemon.logged("not_verified")
            await daemon.ready()
            await both_ways(pond, alice, bob, place, "first")
            assert shields(alice, pond.duck_id) == {"RED UNSIGNED_DEVICE"}
            await daemon.stop()
            networks: Any = pond.config["networks"]
            networks["home"]["recovery_key_file"] = "secrets/recovery"
            write_config(pond.folder, pond.config, {"home": PASSWORD, "recovery": key})
            await daemon.start()
            await daemon.logged("device_signed")
            await daemon.ready()
            await both_ways(pond, alice, bob, place, "then")
            assert (await alice.hears("then from bob")).shield == "NONE"
            await eventually(lambda: owner.trusts(pond.duck_id, devices=2))


async def test_setup_takes_the_keys_of_another_client_from_standard_input_while_the_bridge_runs(
    pond: Pond, element_web: ElementWeb
) -> None:
    async with ElementPerson(element_web, pond.synapse.url, pond.duck_id) as owner:
        assert await owner.ask("crossSign")
        key = await owner.ask("store")
        async with people(pond, element_web) as (alice, bob, place), pond.daemon() as daemon:
            await daemon.logged("not_verified")
            await daemon.ready()
            done = quackbridge(pond.folder, "matrix-setup", "home", stdin=key + "\n")
            assert (done.returncode, "is signed" in done.stdout) == (0, True), done.stderr
            refused = quackbridge(pond.folder, "matrix-setup", "home", "--new-recovery-key")
            assert (refused.returncode, "another client has set up" in refused.stderr) == (1, True)
            await eventually(lambda: owner.trusts(pond.duck_id, devices=2))
            await both_ways(pond, alice, bob, place, "then")
            assert shields(alice, pond.duck_id) == {"NONE"}
            assert key not in str(daemon.log) + quackbridge(pond.folder, "audit").stdout


async def test_a_client_that_excludes_insecure_devices_reads_the_bridge_and_is_read(
    pond: Pond, element_web: ElementWeb
) -> None:
    async with people(pond, element_web, signed_only=True) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        assert await alice.ask("crossSign")
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")
        await restart(daemon)
        await both_ways(pond, alice, bob, place, "two")
        assert not alice.unreadable
