"""Encrypted rooms and encrypted private conversations, through the real daemon, on real servers."""

import asyncio
import io
import json
import signal
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from nio import RoomMessage, UploadResponse

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from bridge.matrix.crypto.signatures import is_signed
from tests.faults.http import Ask, HttpProxy
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.sealed import SealedPerson
from tests.integration.servers import Anope, unique
from tests.integration.test_matrix import eventually
from tests.integration.test_media import fetch, link

pytestmark = pytest.mark.servers

_ALGORITHM = {"algorithm": "m.megolm.v1.aes-sha2"}
_SECRET = "a-secret-that-nobody-stores"


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


@asynccontextmanager
async def people(pond: Pond, *, encrypted: bool = True) -> AsyncGenerator[tuple[SealedPerson, IrcPerson, str], None]:
    """Alice, with a client that encrypts, bob, and the id of the room."""
    async with (
        SealedPerson(pond.synapse.url, pond.synapse.user_id(pond.alice), pond.folder / "alice") as alice,
        pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob,
    ):
        await bob.join(pond.channel)
        place = str((await alice.client.room_resolve_alias(pond.room)).room_id)
        if encrypted:
            await alice.client.room_put_state(place, "m.room.encryption", _ALGORITHM)
        yield alice, bob, place


async def both_ways(pond: Pond, alice: SealedPerson, bob: IrcPerson, place: str, words: str) -> None:
    await alice.say(place, f"{words} from alice")
    await bob.heard(f"{words} from alice")
    await bob.say(pond.channel, f"{words} from bob")
    await alice.hears(f"{words} from bob")


def _relates(kind: str, event_id: str) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": kind, "event_id": event_id}}


async def test_words_are_carriedboth_ways_also_those_from_before_a_restart(pond: Pond) -> None:
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")
        await daemon.stop(signal.SIGKILL)
        await alice.say(place, "while it was away")
        await daemon.start()
        await bob.heard("while it was away")
        await daemon.ready()
        await both_ways(pond, alice, bob, place, "two")
        assert [text for text in alice.texts if text.startswith("?")] == []
        said = [message.text for message in bob.messages if "from alice" in message.text or "away" in message.text]
        assert len(said) == len(set(said)) == 3


async def test_edits_replies_and_removals_are_carriedboth_ways(pond: Pond) -> None:
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        first = await alice.say(place, "the frist word")
        await bob.heard("the frist word")
        new = {"msgtype": "m.text", "body": "the first word"}
        await alice.say(place, "* the first word", **{"m.new_content": new}, **_relates("m.replace", first))
        await bob.heard("s/frist/first/")
        await bob.say(pond.channel, "somthing else")
        said = await alice.hears("somthing else")
        await bob.say(pond.channel, "s/somthing/something/")
        edit = await alice.hears("something else")
        assert edit.source["content"]["m.relates_to"]["event_id"] == said.event_id
        assert edit.source["content"]["m.new_content"]["body"].endswith("something else")
        reply = {"m.relates_to": {"m.in_reply_to": {"event_id": said.event_id}}}
        await alice.say(place, "I agree", **reply)
        assert pond.bob in (await bob.heard("I agree")).text
        await alice.client.room_redact(place, first)
        await bob.heard(lambda message: "removed" in message.text or "deleted" in message.text)


async def test_an_encrypted_file_in_an_encrypted_room_is_a_link_that_gives_it(pond: Pond) -> None:
    port, data = free_port(), b"quack " * 5_000
    pond.config["http"] = {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        stored, keys = await alice.client.upload(
            io.BytesIO(data), "application/octet-stream", encrypt=True, filesize=len(data)
        )
        assert isinstance(stored, UploadResponse), stored
        file = {**keys, "url": stored.content_uri}
        info = {"size": len(data), "mimetype": "text/plain"}
        content = {"msgtype": "m.file", "body": "quack.txt", "file": file, "info": info}
        await alice.put(place, "m.room.message", content)
        assert await fetch(await link(bob, "quack.txt")) == (200, data)


async def test_a_room_that_becomes_encrypted_gets_nothing_in_plain_from_then_on(pond: Pond) -> None:
    async with people(pond, encrypted=False) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await bob.say(pond.channel, "in plain")
        await alice.hears("in plain", sealed=False)
        await alice.client.room_put_state(place, "m.room.encryption", _ALGORITHM)
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")
        await daemon.stop(signal.SIGKILL)
        await bob.say(pond.channel, "nobody hears this")
        await daemon.start()
        await daemon.ready()
        await both_ways(pond, alice, bob, place, "two")
        plain = [event for event in alice.heard if isinstance(event, RoomMessage) and not event.decrypted]
        assert [event.body for event in plain if event.sender == pond.duck_id and pond.bob in event.body] == [
            f"<{pond.bob}> in plain"
        ]


async def test_a_private_conversation_is_answered_sealed_and_a_password_in_it_is_not_stored(pond: Pond) -> None:
    user = unique("carol")
    assert quackbridge(pond.folder, "add-user", "carol", "--password-stdin", stdin=_SECRET).returncode == 0
    await pond.synapse.register(user, PASSWORD)
    async with (
        pond.daemon() as daemon,
        SealedPerson(pond.synapse.url, pond.synapse.user_id(user), pond.folder / "carol") as carol,
    ):
        await daemon.ready()
        state = [{"type": "m.room.encryption", "state_key": "", "content": _ALGORITHM}]
        made = await carol.client.room_create(is_direct=True, invite=[pond.duck_id], initial_state=state)
        await carol.knows(made.room_id, pond.duck_id)
        await carol.say(made.room_id, "help")
        await carol.hears("You may say")
        await carol.say(made.room_id, f"login carol {_SECRET}")
        await carol.hears("Welcome, carol")
        await daemon.stop(signal.SIGKILL)
        await daemon.start()
        await daemon.ready()
        await carol.say(made.room_id, "whoami")
        await carol.hears("carol", sealed=True)
        answers = [event for event in carol.heard if event.sender == pond.duck_id and isinstance(event, RoomMessage)]
        assert all(event.decrypted for event in answers)
    with closing(sqlite3.connect(pond.folder / "data" / "quackbridge.sqlite")) as store:
        assert _SECRET not in "\n".join(store.iterdump())


async def test_a_message_whose_key_comes_late_is_carried_with_its_time_and_holds_up_no_other(
    pond: Pond, way: HttpProxy
) -> None:
    """The homeserver keeps what is sent to our device for some seconds."""
    kept: list[dict[str, Any]] = []

    async def keeps(_request: web.Request, ask: Ask) -> web.Response:
        answer = await ask()
        assert isinstance(answer.body, bytes)
        found = json.loads(answer.body)
        kept.extend(found.get("to_device", {}).pop("events", []))
        return web.json_response(found)

    async def gives(_request: web.Request, ask: Ask) -> web.Response:
        answer = await ask()
        assert isinstance(answer.body, bytes)
        found = json.loads(answer.body)
        found.setdefault("to_device", {}).setdefault("events", []).extend(kept)
        kept.clear()
        return web.json_response(found)

    user = unique("carol")
    await pond.synapse.register(user, PASSWORD)
    carol_id = pond.synapse.user_id(user)
    assert quackbridge(pond.folder, "add-user", "carol", "--matrix", carol_id).returncode == 0
    async with (
        people(pond) as (alice, bob, place),
        pond.daemon() as daemon,
        SealedPerson(pond.synapse.url, carol_id, pond.folder / "carol") as carol,
    ):
        await carol.client.join(pond.room)
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await carol.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "before")
        way.spoil("/sync", keeps, 99)
        await alice.say(place, "from now on")  # the sync that was under way is over
        await bob.heard("from now on")
        await carol.say(place, "first")
        await asyncio.sleep(6)
        await alice.say(place, "second")
        await bob.heard("> second")
        way.mend()
        way.spoil("/sync", gives, 99)
        await alice.say(place, "third")
        await bob.heard("> third")  # by the sync that was under way, or the next one
        await alice.say(place, "fourth")  # the next one is over
        late = await bob.heard(lambda message: message.text.endswith("> first"))
        assert "UTC] <" in late.text
        said = [each.text for each in bob.messages]
        second = next(text for text in said if text.endswith("> second"))
        assert "UTC" not in second
        assert said.index(second) < said.index(late.text)


def _changed(place: str, change: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Callable[..., Any]:
    """A fault that exchanges each sealed event of the room in a sync for others."""

    async def fault(_request: web.Request, ask: Ask) -> web.Response:
        answer = await ask()
        assert isinstance(answer.body, bytes)
        found = json.loads(answer.body)
        timeline = found.get("rooms", {}).get("join", {}).get(place, {}).get("timeline", {})
        events = timeline.get("events", [])
        if any(event["type"] == "m.room.encrypted" for event in events):
            timeline["events"] = [
                each for event in events for each in (change(event) if event["type"] == "m.room.encrypted" else [event])
            ]
        return web.json_response(found)

    return fault


async def _refused(daemon: Daemon, reason: str) -> None:
    await daemon.logged("not_opened", lambda line: reason in line["reason"])


async def test_a_message_that_the_homeserver_gives_to_another_sender_is_not_carried(pond: Pond, way: HttpProxy) -> None:
    user = unique("carol")
    await pond.synapse.register(user, PASSWORD)
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        carol_id = pond.synapse.user_id(user)
        async with SealedPerson(pond.synapse.url, carol_id, pond.folder / "carol") as carol:
            await carol.client.join(pond.room)
            await daemon.ready()
            await carol.knows(place, pond.duck_id)
            way.spoil(
                "/sync", _changed(place, lambda event: [event | {"sender": pond.synapse.user_id(pond.alice)}]), 99
            )
            await carol.say(place, "I am alice")
            await _refused(daemon, "no known device of its sender has sealed it")
            way.mend()
            await alice.knows(place, pond.duck_id)
            await alice.say(place, "no, I am")
            await bob.heard("no, I am")
        assert not [message for message in bob.messages if "I am alice" in message.text]


async def test_a_message_that_comes_again_as_another_event_is_not_carried_again_also_after_a_restart(
    pond: Pond, way: HttpProxy
) -> None:
    kept: list[dict[str, Any]] = []

    def keep(event: dict[str, Any]) -> list[dict[str, Any]]:
        kept.append(event)
        return [event, event | {"event_id": "$again"}]

    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        way.spoil("/sync", _changed(place, keep), 99)
        await alice.say(place, "pay him once")
        await bob.heard("pay him once")
        await _refused(daemon, "it repeats another message")
        way.mend()
        await both_ways(pond, alice, bob, place, "then")  # it is known to have been sent
        await daemon.stop()
        way.spoil("/sync", _changed(place, lambda event: [kept[0] | {"event_id": "$later"}, event]), 99)
        await daemon.start()
        await daemon.ready()
        await alice.say(place, "and now?")
        await bob.heard("and now?")
        await _refused(daemon, "it repeats another message")
        assert len([message for message in bob.messages if "pay him once" in message.text]) == 1


async def test_a_device_that_its_owner_does_not_have_is_not_carried(pond: Pond, way: HttpProxy) -> None:
    async def hidden(_request: web.Request, ask: Ask) -> web.Response:
        answer = await ask()
        assert isinstance(answer.body, bytes)
        found = json.loads(answer.body)
        found["device_keys"].pop(pond.synapse.user_id(pond.alice), None)
        return web.json_response(found)

    way.spoil("/keys/query", hidden, 99)
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await alice.say(place, "who am I?")
        await _refused(daemon, "no known device of its sender has sealed it")
        assert not [message for message in bob.messages if "who am I?" in message.text]


async def test_one_time_keys_are_made_again_when_all_were_claimed(pond: Pond) -> None:
    """A new device can always give us its keys."""
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        (device,) = [each.id for each in alice.client.device_store.active_user_devices(pond.duck_id)]
        for number in range(60):
            (claimed,) = (await alice.client.keys_claim({pond.duck_id: [device]})).one_time_keys.values()
            assert claimed, number
        await both_ways(pond, alice, bob, place, "after all that")


async def test_a_device_that_was_logged_out_meanwhile_publishes_its_keys_again(pond: Pond) -> None:
    """The room is encrypted only then: alice's client never takes back a device that was gone (nio 0.26)."""
    async with people(pond, encrypted=False) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        async with MatrixPerson(pond.synapse.url, pond.duck) as other:
            await other.call("POST", "logout/all", {})
        await daemon.logged("logged_out")
        await eventually(lambda: _is_verified_now(alice, pond.duck_id))
        await alice.client.room_put_state(place, "m.room.encryption", _ALGORITHM)
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")


async def _is_verified_now(alice: SealedPerson, user: str) -> bool:
    return _is_verified(await _published(alice, user), user)


@pytest.mark.parametrize(("moment", "times"), [("/sendToDevice/m.room.encrypted", 3), ("/send/m.room.encrypted", 1)])
async def test_a_kill_while_a_key_or_a_message_is_on_its_way_leaves_no_message_unreadable(
    pond: Pond, way: HttpProxy, moment: str, times: int
) -> None:
    """The homeserver gets what was sent, we do not get the answer. What is sealed next must not use the same step of
    the ratchet once more."""
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)

        async def kill(_request: web.Request, ask: Ask) -> web.Response:
            answer = await ask()
            daemon.send(signal.SIGKILL)
            return answer

        for time in ("first", "second"):  # with the second, the session with alice is stored as it is after the first
            await both_ways(pond, alice, bob, place, f"the {time} time")
        await daemon.stop()  # the next message needs a new key, which is sealed in that session
        way.spoil(moment, kill, times)
        await daemon.start()
        await daemon.ready()
        await bob.say(pond.channel, "number 0")
        for _ in range(times):
            await daemon.ended()
            await daemon.start()
        await daemon.ready()
        await alice.hears("number 0")
        await both_ways(pond, alice, bob, place, "at last")
        assert way.spent
        assert len([text for text in alice.texts if "number" in text]) == 1
        assert not [text for text in alice.texts if text.startswith("?")]


async def test_a_kill_while_a_key_comes_loses_no_message(pond: Pond, way: HttpProxy) -> None:
    """Killed before the answer with the key, right with it, and once we have acknowledged it."""
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)

        async def kill_before(_request: web.Request, ask: Ask) -> web.Response:
            answer = await ask()
            if b"m.room.encrypted" in (answer.body if isinstance(answer.body, bytes) else b""):
                daemon.send(signal.SIGKILL)
                way.mend()
            return answer

        async def kill_after(request: web.Request, ask: Ask) -> web.StreamResponse:
            answer = await ask()
            if b"m.room.encrypted" not in (answer.body if isinstance(answer.body, bytes) else b""):
                return answer
            way.mend()
            await answer.prepare(request)
            await answer.write_eof()
            daemon.send(signal.SIGKILL)
            return answer

        async def kill_next(_request: web.Request, ask: Ask) -> web.Response:
            answer = await ask()
            if b"m.room.encrypted" in (answer.body if isinstance(answer.body, bytes) else b""):
                way.mend()
                way.spoil("/sync", kill_now)
            return answer

        async def kill_now(_request: web.Request, ask: Ask) -> web.Response:
            daemon.send(signal.SIGKILL)
            return await ask()

        for number, fault in enumerate((kill_before, kill_after, kill_next) * 2):
            alice.client.invalidate_outbound_session(place)
            way.spoil("/sync", fault, 99)
            await alice.say(place, f"number {number} of alice")
            await daemon.ended()
            await alice.say(place, f"number {number} while away")
            await daemon.start()
            await bob.heard(f"number {number} while away")
            await daemon.ready()
        said = [message.text for message in bob.messages if "number" in message.text]
        assert len({*said}) == 12  # a line on IRC may come twice after a kill


async def test_a_kill_while_our_keys_are_published_leaves_them_usable(pond: Pond, way: HttpProxy) -> None:
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:

        async def kill(_request: web.Request, ask: Ask) -> web.Response:
            answer = await ask()
            assert answer.status == 200
            daemon.send(signal.SIGKILL)
            return answer

        way.spoil("/keys/upload", kill)
        await daemon.ended()
        await daemon.start()
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")
        assert not [line for line in daemon.log if line["event"] in ("keys_not_published", "new_device")]


async def _published(alice: SealedPerson, user: str) -> dict[str, Any]:
    """What the homeserver tells of the keys of `user`."""
    headers = {"Authorization": f"Bearer {alice.client.access_token}"}
    body = json.dumps({"device_keys": {user: []}})
    answer = await alice.client.send("POST", "/_matrix/client/v3/keys/query", body, headers)
    found: dict[str, Any] = await answer.json()
    return found


def _is_verified(found: dict[str, Any], user: str) -> bool:
    """Whether all devices of `user` are signed by their self-signing key, and that by the master key."""
    (master,) = found["master_keys"][user]["keys"].values()
    (own,) = found["self_signing_keys"][user]["keys"].values()
    devices = found["device_keys"][user].values()
    whole = is_signed(found["self_signing_keys"][user], user, master, master)
    return whole and bool(devices) and all(is_signed(each, user, own, own) for each in devices)
