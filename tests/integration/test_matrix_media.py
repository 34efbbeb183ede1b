"""Encrypted files and galleries that are said on Matrix, and files that are sent there, on real servers."""

import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope
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
        assert await fetch(large, Range="bytes=100-99999") == (200, _LARGE), "a part would not be verified"
        await said_encrypted(alice, pond, _SMALL, "a changed one", flip=1000)
        status, body = await fetch(await link(bob, "a changed one"))
        assert (status, body) == (502, b"The Matrix server gives another file than the one that was sent.\n")
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
