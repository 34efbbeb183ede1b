"""Encrypted files and galleries that are said on Matrix, and files that are sent there, on real servers."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.model.event import Edit, Redaction
from bridge.model.outbox import Delivery, Known, Owed
from bridge.model.text import words
from bridge.network import Fetched, MediaSink, NotStored
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope
from tests.integration.test_matrix import owed, pond
from tests.integration.test_media import dig, fetch, link
from tests.matrix.sealed import KEY, sealed

pytestmark = pytest.mark.servers

_SMALL, _LARGE = random.Random(2).randbytes(200_000), random.Random(3).randbytes(5_000_000)


async def upload(alice: MatrixPerson, pond: Pond, data: bytes) -> str:
    """Upload `data`; its `mxc://` URI."""
    headers = {"Authorization": f"Bearer {alice._token}", "Content-Type": "application/octet-stream"}
    async with (
        aiohttp.ClientSession(pond.synapse.url, raise_for_status=True) as http,
        http.post("/_matrix/media/v3/upload", data=data, headers=headers) as answer,
    ):
        return str((await answer.json())["content_uri"])


async def said_encrypted(
    alice: MatrixPerson, pond: Pond, data: bytes, caption: str, *, flip: int | None = None
) -> None:
    """Say an encrypted picture; `flip` is the place of a byte that is another one on the homeserver."""
    encrypted, file = sealed(data)
    stored = bytearray(encrypted)
    if flip is not None:
        stored[flip] ^= 1
    file["url"] = await upload(alice, pond, bytes(stored))
    info: dict[str, Any] = {"size": len(data), "mimetype": "image/png"}
    content = {"msgtype": "m.image", "body": caption, "filename": "cat.png", "file": file, "info": info}
    await alice.send_event(pond.room, "m.room.message", content)


async def test_an_encrypted_file_is_a_link_to_what_was_encrypted_and_a_changed_one_is_never_given(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, _ = await dig(tmp_path, synapse, services)
    pond.config["media"] = {"max_size": "8M"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        await said_encrypted(alice, pond, _SMALL, "a small one")
        small = await link(bob, "a small one")
        assert await fetch(small) == (200, _SMALL)
        assert await fetch(small, Range="bytes=100-99999") == (206, _SMALL[100:100_000])
        assert await fetch(small, Range="bytes=-5") == (206, _SMALL[-5:])
        await said_encrypted(alice, pond, _LARGE, "a large one")
        large = await link(bob, "a large one")
        assert await fetch(large) == (200, _LARGE)
        assert await fetch(large, Range="bytes=100-99999") == (206, _LARGE[100:100_000])
        await said_encrypted(alice, pond, _SMALL, "a changed one", flip=1000)
        status, body = await fetch(await link(bob, "a changed one"))
        assert (status, body) == (502, b"The file on the Matrix server is not the one that was sent.\n")
        await said_encrypted(alice, pond, _LARGE, "another changed one", flip=1000)
        changed = await link(bob, "another changed one")
        for headers in ({}, {"Range": "bytes=0-99"}):
            with pytest.raises(aiohttp.ClientPayloadError):
                await fetch(changed, **headers)
        assert await daemon.stop() == 0
        assert "file_cut_off" in str(daemon.log)
        assert sealed(b"")[1]["key"]["k"] not in str(daemon.log)
        assert KEY.hex() not in str(daemon.log)


async def test_a_gallery_is_one_message_with_a_link_for_each_file(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, _ = await dig(tmp_path, synapse, services)
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        encrypted, file = sealed(_SMALL)
        file["url"] = await upload(alice, pond, encrypted)
        items = [
            {"itemtype": "m.image", "body": "a.png", "url": await upload(alice, pond, _SMALL[:100])},
            {"itemtype": "m.image", "body": "b.png", "file": file, "info": {"size": len(_SMALL)}},
        ]
        gallery = {"msgtype": "dm.filament.gallery", "body": "our holiday", "itemtypes": items}
        await alice.send_event(pond.room, "m.room.message", gallery)
        line = (await bob.heard("our holiday")).text
        first, second = (word for word in line.split() if word.startswith("http"))
        assert line == f"<{pond.alice}> our holiday [image: a.png] {first} [image: b.png, 200 KB] {second}"
        assert await fetch(first) == (200, _SMALL[:100])
        assert await fetch(second) == (200, _SMALL)


async def test_an_edit_that_swaps_the_file_is_told_with_the_new_link(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, _ = await dig(tmp_path, synapse, services)
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        image = {"msgtype": "m.image", "body": "see *her*", "filename": "cat.png"}
        first = image | {"url": await upload(alice, pond, _SMALL[:10])}
        event_id = await alice.send_event(pond.room, "m.room.message", first)
        old = await link(bob, "see *her*")
        for data, name in ((_SMALL[:20], "cat.png"), (_SMALL[:30], "dog.png")):
            new = image | {"url": await upload(alice, pond, data), "filename": name}
            relates = {"rel_type": "m.replace", "event_id": event_id}
            edit = first | {"m.new_content": new, "m.relates_to": relates}
            await alice.send_event(pond.room, "m.room.message", edit)
            url = await link(bob, f"(edited) see *her* [image: {name}")
            assert await fetch(url) == (200, data)
            assert url != old
            old = url


def picture(data: bytes) -> Fetched:
    return Fetched("image", "cat.png", data, "image/png", 640, 480, blurhash="LEHV6nWB2yk8")


async def events_of(alice: MatrixPerson, place: str, sender: str) -> list[dict[str, Any]]:
    """What `sender` said in the room, latest first, as its homeserver shows it."""
    found = await alice.call("GET", f"rooms/{quote(place)}/messages", dir="b", limit="50")
    return [event for event in found["chunk"] if event["sender"] == sender and event["type"] == "m.room.message"]


async def test_a_file_is_stored_and_sent_with_its_words_which_can_be_edited_and_removed(synapse: Synapse) -> None:
    async with pond(synapse) as (ours, alice, place), ours.running() as network:
        assert isinstance(network, MediaSink)
        attached = await network.attach(picture(_SMALL))
        async with network.download(attached.source) as download:
            assert b"".join([piece async for piece in download.chunks]) == _SMALL
        (room,) = ours.rooms
        item = replace(owed(room, "see http://x.example/cat.png"), attached=attached)
        (said,) = network.render([item])
        event_id = await network.send(said)
        (event,) = await events_of(alice, place, ours.user)
        file = {key: event["content"][key] for key in ("msgtype", "url", "filename", "info")}
        assert file == {
            "msgtype": "m.image",
            "url": attached.source,
            "filename": "cat.png",
            "info": {
                "size": len(_SMALL),
                "mimetype": "image/png",
                "w": 640,
                "h": 480,
                "xyz.amorgan.blurhash": "LEHV6nWB2yk8",
            },
        }
        assert event["content"]["body"].endswith("see http://x.example/cat.png")
        target = item.event.key
        known = {target: Known(target, ids=(event_id,))}

        async def changed(body: Edit | Redaction) -> None:
            about = replace(item.event, id=f"$of{event_id}{body.type}", body=body)
            (made,) = network.render([Owed(Delivery.of(about.key, room).id, room, about, known)])
            await network.send(made)

        await changed(Edit(target, words("look")))
        shown = await alice.call("GET", f"rooms/{quote(place)}/event/{quote(event_id)}")
        edit = shown["unsigned"]["m.relations"]["m.replace"]["content"]
        for content in (edit, edit["m.new_content"]):
            assert {key: content[key] for key in file} == file
            assert content["body"].endswith("look")
        await changed(Redaction(target))
        assert [event["content"] for event in await events_of(alice, place, ours.user)] == [{}, {}]


async def test_a_file_that_is_larger_than_the_homeserver_takes_is_not_stored(synapse: Synapse) -> None:
    async with pond(synapse) as (ours, alice, _), ours.running() as network:
        headers = {"Authorization": f"Bearer {alice._token}"}
        async with (
            aiohttp.ClientSession(synapse.url, raise_for_status=True) as http,
            http.get("/_matrix/client/v1/media/config", headers=headers) as answer,
        ):
            largest = (await answer.json())["m.upload.size"]
        with pytest.raises(NotStored, match="at most"):
            await network.attach(picture(bytes(largest + 1)))
