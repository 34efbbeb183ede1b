"""Verification by comparing emoji, through the real daemon, on real servers: another person's client asks, an admin
answers in the private chat."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import vodozemac
from aiohttp import web
from nio import AsyncClient

from bridge.demo.servers import Synapse
from tests.faults.http import Ask, HttpProxy
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.sealed import SealedPerson
from tests.integration.servers import Anope, unique
from tests.integration.verifier import Verifier

pytestmark = pytest.mark.servers

_ALGORITHM = {"algorithm": "m.megolm.v1.aes-sha2"}


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    found = await dug(tmp_path, synapse, services)
    assert quackbridge(found.folder, "set-role", "alice", "admin").returncode == 0
    return found


@asynccontextmanager
async def people(pond: Pond, *, member: bool = True) -> AsyncGenerator[tuple[SealedPerson, Verifier, Daemon], None]:
    """Alice, an admin, and carol, who verifies the bridge, while the daemon runs."""
    user = unique("carol")
    await pond.synapse.register(user, PASSWORD)
    carol_id = pond.synapse.user_id(user)
    if member:
        assert quackbridge(pond.folder, "add-user", "carol", "--matrix", carol_id).returncode == 0
    async with (
        pond.daemon() as daemon,
        SealedPerson(pond.synapse.url, pond.synapse.user_id(pond.alice), pond.folder / "alice") as alice,
        Verifier(pond.synapse.url, carol_id, pond.folder / "carol", pond.duck_id) as carol,
    ):
        await daemon.ready()
        await carol.client.join(pond.room)
        await carol.enters(str((await carol.client.room_resolve_alias(pond.room)).room_id))
        yield alice, carol, daemon


async def _vouches(pond: Pond, carol: Verifier) -> bool:
    """Whether the bridge's account has signed carol's master key: only another device of the account is told."""
    client = AsyncClient(pond.synapse.url, pond.duck_id)
    try:
        await client.login(PASSWORD)
        headers = {"Authorization": f"Bearer {client.access_token}"}
        body = json.dumps({"device_keys": {carol.user_id: [], pond.duck_id: []}})
        answer = await client.send("POST", "/_matrix/client/v3/keys/query", body, headers)
        found = await answer.json()
    finally:
        await client.close()
    (ours,) = found["user_signing_keys"][pond.duck_id]["keys"]
    return ours in found["master_keys"][carol.user_id].get("signatures", {}).get(pond.duck_id, {})


async def private(alice: SealedPerson, duck: str) -> str:
    """The room in which the bridge talks to alice alone."""
    found = next(event for event in alice.heard if event.sender == duck and "verify" in body(event))
    return str(found.room)


def body(event: Any) -> str:
    return str(event.source.get("content", {}).get("body", ""))


@pytest.mark.parametrize("where", ["device", "room", "sealed"])
async def test_an_admin_says_yes_in_the_chat_and_both_vouch_for_each_other(pond: Pond, where: str) -> None:
    async with people(pond) as (alice, carol, daemon):
        place = str((await carol.client.room_resolve_alias(pond.room)).room_id)
        if where == "sealed":
            await alice.client.room_put_state(place, "m.room.encryption", _ALGORITHM)
            await carol.knows(place, pond.duck_id)
        numbers = await carol.compare("" if where == "device" else place)
        asked = await alice.hears(numbers)
        assert f"{carol.user_id} (device {carol.client.device_id})" in body(asked)
        await carol.vouch()
        await alice.say(await private(alice, pond.duck_id), "yes")
        await carol.end()
        assert len(carol.asker.vouched) == 2  # the bridge's device and master key
        await alice.hears("the bridge's account vouches for them, too")
        over = await daemon.logged("verification_over")
        assert (over["code"], over["signed"]) == ("done", True)
        assert await _vouches(pond, carol)
    ledger = json.loads(quackbridge(pond.folder, "ledger", "--json").stdout)
    assert not re.search("verification|not a kind of event", json.dumps(ledger))


async def test_an_admin_says_no_and_nobody_is_verified(pond: Pond) -> None:
    async with people(pond) as (alice, carol, daemon):
        asked = body(await alice.hears(await carol.compare()))
        await carol.vouch()
        found = re.search(r"verify no (\w+)", asked)
        assert found is not None
        await alice.say(await private(alice, pond.duck_id), f"verify no {found[1]}")
        assert (await carol.told("cancel"))["code"] == "m.mismatched_sas"
        await alice.hears("Nothing is verified")
        assert (await daemon.logged("verification_over"))["signed"] is False
        assert not any(each.source["type"] == "m.key.verification.mac" for each in carol.posted)


async def test_their_client_may_confirm_later_or_cancel(pond: Pond) -> None:
    async with people(pond) as (alice, carol, _):
        await alice.hears(await carol.compare())
        await alice.say(await private(alice, pond.duck_id), "yes")
        await alice.hears("has to confirm it, too")
        await carol.vouch()
        await carol.end()
        await alice.say(await private(alice, pond.duck_id), "verify")  # news go with a sync, which waits for something
        await alice.hears("done. They see the bridge as verified")
        await alice.hears(await carol.compare())
        await carol.tell("cancel", {"code": "m.user", "reason": "x", **carol.asker.places})
        await alice.hears("they have cancelled")
        await alice.say(await private(alice, pond.duck_id), "verify yes")
        await alice.hears("nothing to compare now")


async def test_a_stranger_is_told_that_only_members_can(pond: Pond) -> None:
    async with people(pond, member=False) as (alice, carol, _):
        await carol.ask()
        cancelled = await carol.told("cancel")
        assert (cancelled["code"], "only members" in cancelled["reason"]) == ("m.user", True)
        assert not any("verify" in text for text in alice.texts)


async def test_a_homeserver_that_exchanges_the_keys_between_is_found_out(pond: Pond) -> None:
    """It changes the key that carol's client sends: the emoji differ, and so does what vouches for the lasting keys."""
    async with HttpProxy(pond.synapse.url) as proxy:
        networks: Any = pond.config["networks"]
        networks["home"]["homeserver"] = proxy.url
        write_config(pond.folder, pond.config, {"home": PASSWORD})
        async with people(pond) as (alice, carol, _):
            proxy.spoil("/sync", _exchange, 999)
            numbers = await carol.compare()
            assert numbers not in body(await alice.hears("The bridge shows"))
            await alice.say(await private(alice, pond.duck_id), "yes")  # without looking
            with pytest.raises(vodozemac.SasException):
                carol.asker.check(await carol.told("mac"))
            await carol.vouch()  # her client would not
            assert (await carol.told("cancel"))["code"] == "m.key_mismatch"
            await alice.hears("Somebody may be between")
            assert not await _vouches(pond, carol)


async def _exchange(_request: web.Request, ask: Ask) -> web.Response:
    answer = await ask()
    assert isinstance(answer.body, bytes)
    found = json.loads(answer.body)
    for event in found.get("to_device", {}).get("events", []):
        if event["type"] == "m.key.verification.key":
            event["content"]["key"] = vodozemac.Sas().public_key.to_base64()
    return web.json_response(found)


async def test_an_admin_compares_on_the_command_line(pond: Pond) -> None:
    async with people(pond) as (alice, carol, _):
        waiting = asyncio.create_task(
            asyncio.to_thread(quackbridge, pond.folder, "verify", "home", "--wait", "30", stdin="yes\n"), name="verify"
        )
        numbers = await carol.compare()
        await carol.vouch()
        await carol.end()
        done = await waiting
        assert (done.returncode, numbers in done.stderr) == (0, True), done.stderr
        assert re.search("vouches for them, too|has to confirm it, too", done.stdout)  # who is quicker
        assert len(carol.asker.vouched) == 2
        await alice.hears("vouches for them, too")
        numbers = await carol.compare()
        (one,) = json.loads(quackbridge(pond.folder, "verify", "--json").stdout)["comparisons"]
        assert " ".join(map(str, one["numbers"])) == numbers
        assert "not answered" in quackbridge(pond.folder, "verify", "home", stdin="perhaps\n").stdout
        said = quackbridge(pond.folder, "verify", "no", one["id"], "--json")
        assert json.loads(said.stdout)["same"] is False
        assert (await carol.told("cancel"))["code"] == "m.mismatched_sas"
        assert "nothing to compare" in quackbridge(pond.folder, "verify").stdout
    assert quackbridge(pond.folder, "verify").returncode == 1


async def test_a_device_that_its_owner_has_not_signed_verifies_us_where_only_signed_ones_are_believed(
    pond: Pond,
) -> None:
    networks: Any = pond.config["networks"]
    networks["home"]["trust"] = "cross-signed"
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with people(pond) as (alice, carol, daemon):
        place = str((await carol.client.room_resolve_alias(pond.room)).room_id)
        await alice.client.room_put_state(place, "m.room.encryption", _ALGORITHM)
        await carol.knows(place, pond.duck_id)
        waiting = asyncio.create_task(
            asyncio.to_thread(quackbridge, pond.folder, "verify", "home", "--wait", "30", stdin="yes\n"), name="verify"
        )
        numbers = await carol.compare(place)
        await carol.vouch()
        await carol.end()
        done = await waiting
        assert (done.returncode, numbers in done.stderr) == (0, True), done.stderr
        assert len(carol.asker.vouched) == 2
        assert (await daemon.logged("verification_over"))["signed"] is True
        await carol.say(place, "nobody has verified my device")
        assert "has not verified the device" in (await daemon.logged("not_opened"))["reason"]
