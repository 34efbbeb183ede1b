"""Pictures and files that are said on Matrix: the link that people on IRC get, on real servers."""

import asyncio
import random
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers

_PICTURE = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(300_000)


async def dig(tmp_path: Path, synapse: Synapse, services: Anope) -> tuple[Pond, int]:
    """A pond with links to files, and the port that they lead to."""
    pond, port = Pond(tmp_path, synapse, services), free_port()
    await pond.dig()
    pond.config["http"] = {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}"}
    pond.config["media"] = {"max_size": "1M"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    return pond, port


async def post(alice: MatrixPerson, pond: Pond, data: bytes, caption: str = "", **content: Any) -> str:
    """Upload a file, and say it; its event's id."""
    headers = {"Authorization": f"Bearer {alice._token}", "Content-Type": "image/png"}
    async with (
        aiohttp.ClientSession(pond.synapse.url, raise_for_status=True) as http,
        http.post("/_matrix/media/v3/upload", data=data, headers=headers) as answer,
    ):
        source = (await answer.json())["content_uri"]
    told = {"msgtype": "m.image", "body": caption or "cat.png", "filename": "cat.png", "url": source}
    info = {"size": len(data), "mimetype": "image/png"}
    return await alice.send_event(pond.room, "m.room.message", {**told, "info": info, **content})


async def link(bob: IrcPerson, words: str) -> str:
    """The link in the line with `words`."""
    found = re.search(r"http://\S+", (await bob.heard(words)).text)
    assert found is not None
    return found[0]


async def fetch(url: str, **headers: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        return answer.status, await answer.read()


async def until(url: str, status: int) -> None:
    """Return when the link answers with `status`."""
    async with asyncio.timeout(20):
        while True:
            with suppress(aiohttp.ClientConnectionError):
                if (await fetch(url))[0] == status:
                    return
            await asyncio.sleep(0.1)


async def test_a_picture_is_a_link_that_gives_it_until_its_message_is_removed_also_after_a_restart(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, _ = await dig(tmp_path, synapse, services)
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        first = await post(alice, pond, _PICTURE, "look at *her*")
        line = await bob.heard("[image")
        assert re.fullmatch(
            rf"<{pond.alice}> look at \*her\* \[image: cat.png, 300 KB\] http://[0-9.:]+/m/[\w-]{{48}}", line.text
        )
        url = await link(bob, "look at")
        assert await fetch(url) == (200, _PICTURE)
        assert await fetch(url, Range="bytes=100-199999") == (206, _PICTURE[100:200_000])
        other = await post(alice, pond, _PICTURE[:1000], "another")
        again = await link(bob, "another")
        assert await daemon.stop() == 0
        await daemon.start()
        await daemon.ready()
        assert await fetch(url) == (200, _PICTURE)
        await alice.redact(pond.room, first)
        await until(url, 404)
        assert await fetch(again) == (200, _PICTURE[:1000])
        done = await asyncio.to_thread(quackbridge, pond.folder, "media", "revoke", f"home/{other}")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "1 file: no link works any more\n"
        assert (await fetch(again))[0] == 404
        assert "Bearer" not in str(daemon.log)
        assert alice._token not in str(daemon.log)


async def test_a_file_that_is_too_large_or_cannot_be_decrypted_is_words_and_a_removed_upload_a_sentence(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, _ = await dig(tmp_path, synapse, services)
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        info = {"size": 2_000_000, "mimetype": "image/png"}
        await post(alice, pond, _PICTURE, "large", info=info)
        assert (await bob.heard("large")).text == f"<{pond.alice}> large [image: cat.png, 2.0 MB]"
        await post(alice, pond, _PICTURE, "secret", url=None, file={"url": "mxc://hs/x"})
        assert (await bob.heard("secret")).text == f"<{pond.alice}> secret [image: cat.png, 300 KB]"
        await post(alice, pond, _PICTURE, "gone", url=f"mxc://{synapse.server_name}/neverwas")
        status, body = await fetch(await link(bob, "gone"))
        assert (status, body) == (404, b"The Matrix server does not have this file (any more).\n")
        await post(alice, pond, _PICTURE + bytes(800_000), "lies", info={"size": 5, "mimetype": "text/html"})
        url = await link(bob, "lies")
        assert (await fetch(url))[0] == 403
        await alice.send(pond.room, "* see", **_edit(await post(alice, pond, _PICTURE, "quite so"), "quite nice"))
        assert (await bob.heard("s/so/")).text == f"<{pond.alice}> s/so/nice/"


def _edit(target: str, text: str) -> dict[str, Any]:
    info = {"size": len(_PICTURE), "mimetype": "image/png"}
    new = {"msgtype": "m.image", "body": text, "filename": "cat.png", "url": "mxc://hs/other", "info": info}
    return {"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": target}}
