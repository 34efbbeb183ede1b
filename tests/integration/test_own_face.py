"""What others see of the bridge's account: its device is signed, on the real homeserver, by `matrix-setup`."""

import asyncio
import json
import os
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.matrix.crypto import unpadded
from bridge.matrix.crypto.account import recovery_key as recovery
from bridge.matrix.crypto.account import signing
from bridge.matrix.crypto.account.secret_storage import NAMES
from bridge.matrix.crypto.account.signing import SigningKey
from bridge.store.peek import memory_of
from tests.faults.http import Ask, Fault, HttpProxy
from tests.integration import forks
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_encrypted import _is_verified, _published, both_ways, people

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


def _is_stored(pond: Pond, recovery_key: str) -> bool:
    """Whether the recovery key is in the store, or in any other file of the bridge."""
    secret = recovery.read(recovery_key)
    stored = memory_of(pond.folder / "data" / "quackbridge.sqlite", "home").values()
    files = [file.read_bytes() for file in pond.folder.rglob("*") if file.is_file() and "sqlite" not in file.name]
    written = (secret.hex(), recovery_key, recovery_key.replace(" ", ""))
    return secret.hex() in stored or any(word.encode() in file for word in written for file in files)


async def test_the_recovery_key_is_shown_once_by_the_running_daemon_and_can_be_made_anew(pond: Pond) -> None:
    async with people(pond) as (alice, _bob, _place), pond.daemon() as daemon:
        await daemon.ready()
        first = _setup(pond)
        assert (first["signed"], first["shown"]) == (True, None)
        assert not _is_stored(pond, first["recovery_key"])
        again = _setup(pond)
        assert (again["recovery_key"], again["shown"][:2]) == (None, "20")
        assert "shown on" in quackbridge(pond.folder, "matrix-setup", "home").stdout
        second = _setup(pond, "--new-recovery-key")["recovery_key"]
        assert second not in (None, first["recovery_key"])
        status = _status(pond)
        assert "home: encrypted and signed (" in status
        daemon.send(signal.SIGSTOP)
        assert "encryption: not known" in _status(pond)
        daemon.send(signal.SIGCONT)
        await daemon.stop(signal.SIGKILL)
        assert not _is_stored(pond, second)
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
        await both_ways(pond, alice, bob, place, "after")


async def test_setup_signs_without_a_daemon_too(pond: Pond) -> None:
    async with people(pond) as (alice, bob, place):
        assert _setup(pond)["recovery_key"]
        assert _is_verified(await _published(alice, pond.duck_id), pond.duck_id)
        assert _setup(pond)["recovery_key"] is None
        async with pond.daemon() as daemon:
            await daemon.ready()
            await alice.knows(place, pond.duck_id)
            await both_ways(pond, alice, bob, place, "after")
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
        await both_ways(pond, alice, bob, place, "before")
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
        await both_ways(pond, alice, bob, place, "after")
        assert (
            "recovery key" not in json.loads(quackbridge(pond.folder, "status", "--json").stdout)["encryption"]["home"]
        )


async def test_a_recovery_key_that_could_not_be_printed_is_kept(pond: Pond) -> None:
    async with pond.daemon() as daemon:
        await daemon.ready()
        errors = pond.folder / "errors"
        full = [Path(os.devnull), Path("/dev/full"), errors]
        assert await asyncio.to_thread(forks.wait, forks.start(pond.folder, ["matrix-setup", "home"], full)) != 0
        assert "No space left" in errors.read_text()
        assert _setup(pond)["recovery_key"]
        assert _setup(pond)["recovery_key"] is None


def _hides_keys(cut: tuple[str, ...] = ("master_keys", "self_signing_keys", "user_signing_keys")) -> Fault:
    """The homeserver does not tell that an account has cross-signing keys."""

    async def fault(_request: web.Request, ask: Ask) -> web.Response:
        answer = await ask()
        assert isinstance(answer.body, bytes)
        found = {key: value for key, value in json.loads(answer.body).items() if key not in cut}
        return web.json_response(found, status=answer.status)

    return fault


@dataclass
class _Client:
    """Another client of the bridge's account, with keys of its own; `recovery_key` opens their storage."""

    person: MatrixPerson
    user: str
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey.new() for _ in NAMES])
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    @property
    def recovery_key(self) -> str:
        return recovery.shown(self.secret)

    async def make_keys(self) -> None:
        """Publish its keys, whatever the account had before: Synapse then wants the password."""
        body: dict[str, object] = {"master_key": self.keys[0].published(self.user, "master")}
        for kind, key in zip(NAMES[1:], self.keys[1:], strict=True):
            body[f"{kind}_key"] = self.keys[0].sign(self.user, key.published(self.user, kind))
        user = {"type": "m.id.user", "user": self.user}
        body["auth"] = {"type": "m.login.password", "identifier": user, "password": PASSWORD}
        await self.person.call("POST", "keys/device_signing/upload", body)

    async def store_keys(self) -> None:
        await self._put("m.secret_storage.key.theirs", signing.description(self.secret))
        for kind, key in zip(NAMES, self.keys, strict=True):
            kept = f"m.cross_signing.{kind}"
            box = signing.seal(self.secret, kept, unpadded.encode(key.seed).encode())
            await self._put(kept, {"encrypted": {"theirs": box}})
        await self._put("m.secret_storage.default_key", {"key": "theirs"})

    async def _put(self, kind: str, content: object) -> None:
        await self.person.call("PUT", f"user/{quote(self.user)}/account_data/{kind}", content)


async def test_an_account_that_is_reset_while_the_bridge_runs_is_told_and_signed_again_by_setup(pond: Pond) -> None:
    async with (
        people(pond) as (alice, _, __),
        MatrixPerson(pond.synapse.url, pond.duck) as person,
        pond.daemon() as daemon,
    ):
        await daemon.ready()
        first = _setup(pond)["recovery_key"]
        client = _Client(person, pond.duck_id)
        await client.make_keys()
        assert "other cross-signing keys" in (await daemon.logged("not_verified"))["reason"]
        assert "clients warn of the bridge: the account has other cross-signing keys" in _status(pond)
        assert not _is_verified(await _published(alice, pond.duck_id), pond.duck_id)
        await client.store_keys()
        refused = quackbridge(pond.folder, "matrix-setup", "home", stdin=first + "\n")
        assert (refused.returncode, "the recovery key is another one" in refused.stderr) == (1, True)
        assert _setup(pond, stdin=client.recovery_key + "\n")["recovery_key"] is None
        published = await _published(alice, pond.duck_id)
        assert _is_verified(published, pond.duck_id)
        master = client.keys[0].public
        assert published["master_keys"][pond.duck_id]["keys"] == {f"ed25519:{master}": master}
        assert "encrypted and signed" in _status(pond)
        said = str(daemon.log) + quackbridge(pond.folder, "audit").stdout + Path(pond.folder, "data").as_posix()
        assert client.recovery_key not in said


async def test_the_password_that_synapse_wants_for_new_keys_is_that_of_the_configuration(pond: Pond) -> None:
    async with people(pond) as (alice, _, __), HttpProxy(pond.synapse.url) as proxy:
        async with MatrixPerson(pond.synapse.url, pond.duck) as person:
            await _Client(person, pond.duck_id).make_keys()
        proxy.spoil("/keys/query", _hides_keys(), times=1_000)  # Synapse asks only who had keys already
        _through(pond, proxy)
        async with pond.daemon() as daemon:
            await daemon.ready()
            await daemon.logged("device_signed")
            assert _is_verified(await _published(alice, pond.duck_id), pond.duck_id)
            assert sum("device_signing/upload" in asked for asked in proxy.asked) == 2  # without and with it
            assert PASSWORD not in str(daemon.log)


async def test_where_no_password_is_configured_setup_asks_for_the_one_that_synapse_wants(pond: Pond) -> None:
    async with (
        people(pond) as (alice, _, __),
        HttpProxy(pond.synapse.url) as proxy,
        MatrixPerson(pond.synapse.url, pond.duck) as person,
    ):
        await _Client(person, pond.duck_id).make_keys()
        proxy.spoil("/keys/query", _hides_keys(), times=1_000)
        user = {"type": "m.id.user", "user": pond.duck_id}
        login = {"type": "m.login.password", "identifier": user, "password": PASSWORD}
        token = str((await person.call("POST", "login", login))["access_token"])
        _through(pond, proxy, token=token)
        async with pond.daemon() as daemon:
            await daemon.ready()
            assert "the configuration has none" in (await daemon.logged("not_verified"))["reason"]
            assert "wants the account's password" in await asyncio.to_thread(_status, pond)
            for typed, said in (("", "Password of"), ("wrong\n", "does not accept the account's password")):
                refused = await asyncio.to_thread(quackbridge, pond.folder, "matrix-setup", "home", stdin=typed)
                assert (refused.returncode != 0, said in refused.stderr) == (True, True), refused.stderr
            assert (await asyncio.to_thread(_setup, pond, stdin=PASSWORD + "\n"))["recovery_key"]
            assert "encrypted and signed" in await asyncio.to_thread(_status, pond)
            assert _is_verified(await _published(alice, pond.duck_id), pond.duck_id)
            assert PASSWORD not in str(daemon.log) + quackbridge(pond.folder, "audit").stdout


def _through(pond: Pond, proxy: HttpProxy, *, token: str = "") -> None:
    """Let the daemon reach its homeserver by the proxy, with an access `token` instead of the password."""
    networks: Any = pond.config["networks"]
    networks["home"]["homeserver"] = proxy.url
    if token:
        networks["home"]["access_token_file"] = networks["home"].pop("password_file")
    write_config(pond.folder, pond.config, {"home": token or PASSWORD})


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
                ("", "Standard input is empty"),
                ("Esx\n", "typing error"),
                (_OTHER, "no secret storage"),
            ):
                refused = quackbridge(pond.folder, "matrix-setup", "home", stdin=typed)
                assert (refused.returncode != 0, reason in refused.stderr) == (True, True), refused.stderr
            await alice.knows(place, pond.duck_id)
            await both_ways(pond, alice, bob, place, "all the same")
