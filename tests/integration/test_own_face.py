"""What others see of the bridge's account: its device is signed, on the real homeserver, by `matrix-setup`."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.matrix.crypto import recovery
from bridge.matrix.crypto.signing import SigningKey
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_encrypted import _both_ways, _is_verified, _published, people

pytestmark = pytest.mark.servers
_OTHER = recovery.shown(bytes(32)) + "\n"


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    """A room and a channel that are linked."""
    return await dug(tmp_path, synapse, services)


def _setup(pond: Pond, *options: str, stdin: str = "") -> dict[str, Any]:
    done = quackbridge(pond.folder, "matrix-setup", "home", "--json", *options, stdin=stdin)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _status(pond: Pond) -> str:
    return quackbridge(pond.folder, "status").stdout


async def test_the_recovery_key_is_shown_once_by_the_running_daemon_and_can_be_made_anew(pond: Pond) -> None:
    async with people(pond) as (alice, _bob, _place), pond.daemon() as daemon:
        await daemon.ready()
        first = _setup(pond)
        assert (first["signed"], first["shown"]) == (True, None)
        again = _setup(pond)
        assert (again["recovery_key"], again["shown"][:2]) == (None, "20")
        assert "shown on" in quackbridge(pond.folder, "matrix-setup", "home").stdout
        second = _setup(pond, "--new-recovery-key")["recovery_key"]
        assert second not in (None, first["recovery_key"])
        status = _status(pond)
        assert "home: encrypted and signed (" in status
        log, audit = str(daemon.log), quackbridge(pond.folder, "audit").stdout
        assert not [key for key in (first["recovery_key"], second) if key in log or key in audit]
        assert _is_verified(await _published(alice, pond.duck_id), pond.duck_id)


async def test_a_restored_bridge_works_unsigned_says_so_and_is_signed_once_setup_has_the_recovery_key(
    pond: Pond,
) -> None:
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        shown = _setup(pond)["recovery_key"]
        backup = json.loads(quackbridge(pond.folder, "backup", "--json").stdout)["folder"]
        await daemon.stop()
        assert quackbridge(pond.folder, "restore", backup, "--yes", "--with-store").returncode == 0
        await daemon.start()
        await daemon.logged("not_verified")
        await daemon.ready()
        assert "clients warn of the bridge" in _status(pond)
        assert not _is_verified(await _published(alice, pond.duck_id), pond.duck_id)
        refused = quackbridge(pond.folder, "matrix-setup", "home", stdin=_OTHER)
        assert refused.returncode == 1
        assert "the recovery key is another one" in refused.stderr
        _setup(pond, stdin=shown + "\n")
        assert _is_verified(await _published(alice, pond.duck_id), pond.duck_id)
        assert "clients warn" not in _status(pond)
        await alice.knows(place, pond.duck_id)
        await _both_ways(pond, alice, bob, place, "after")


async def test_setup_signs_without_a_daemon_too(pond: Pond) -> None:
    async with people(pond) as (alice, bob, place):
        assert _setup(pond)["recovery_key"]
        assert _is_verified(await _published(alice, pond.duck_id), pond.duck_id)
        assert _setup(pond)["recovery_key"] is None
        async with pond.daemon() as daemon:
            await daemon.ready()
            await alice.knows(place, pond.duck_id)
            await _both_ways(pond, alice, bob, place, "after")
            assert not [line for line in daemon.log if line["event"] in ("not_verified", "new_device")]


async def test_the_account_is_cross_signed_and_a_restored_bridge_signs_its_new_device_with_the_recovery_key(
    pond: Pond,
) -> None:
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        first = await _published(alice, pond.duck_id)
        assert _is_verified(first, pond.duck_id)
        shown = json.loads(quackbridge(pond.folder, "matrix-setup", "home", "--json").stdout)["recovery_key"]
        assert shown not in str(daemon.log)
        await alice.knows(place, pond.duck_id)
        await _both_ways(pond, alice, bob, place, "before")
        backup = json.loads(quackbridge(pond.folder, "backup", "--json").stdout)["folder"]
        await daemon.stop()
        assert quackbridge(pond.folder, "restore", backup, "--yes", "--with-store").returncode == 0
        await daemon.start()
        await daemon.logged("new_device")
        assert (await daemon.logged("not_verified"))["reason"] == "there is no recovery key"
        await daemon.stop()
        networks: Any = pond.config["networks"]
        networks["home"]["recovery_key_file"] = "secrets/recovery"
        write_config(pond.folder, pond.config, {"home": PASSWORD, "recovery": shown})
        await daemon.start()
        await daemon.logged("device_signed")
        await daemon.ready()
        second = await _published(alice, pond.duck_id)
        assert _is_verified(second, pond.duck_id)
        assert second["master_keys"] == first["master_keys"]
        assert second["device_keys"][pond.duck_id].keys().isdisjoint(first["device_keys"][pond.duck_id])
        await _both_ways(pond, alice, bob, place, "after")
        assert (
            "recovery key" not in json.loads(quackbridge(pond.folder, "status", "--json").stdout)["encryption"]["home"]
        )


async def test_an_account_that_another_client_has_cross_signed_stays_as_it_is(pond: Pond) -> None:
    async with people(pond) as (alice, bob, place), MatrixPerson(pond.synapse.url, pond.duck) as client:
        master = SigningKey.new()
        keys = {"master_key": master.published(pond.duck_id, "master")}
        for kind in ("self_signing", "user_signing"):
            keys[f"{kind}_key"] = master.sign(pond.duck_id, SigningKey.new().published(pond.duck_id, kind))
        await client.call("POST", "keys/device_signing/upload", keys)
        async with pond.daemon() as daemon:
            await daemon.ready()
            assert (await daemon.logged("not_verified"))["reason"] == "there is no recovery key"
            found = await _published(alice, pond.duck_id)
            assert found["master_keys"][pond.duck_id]["keys"] == {f"ed25519:{master.public}": master.public}
            for typed, reason in (
                ("", "standard input is empty"),
                ("Esx\n", "typing error"),
                (_OTHER, "no secret storage"),
            ):
                refused = quackbridge(pond.folder, "matrix-setup", "home", stdin=typed)
                assert (refused.returncode != 0, reason in refused.stderr) == (True, True), refused.stderr
            await alice.knows(place, pond.duck_id)
            await _both_ways(pond, alice, bob, place, "all the same")
