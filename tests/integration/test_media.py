"""Pictures and files that are said on Matrix: the link that people on IRC get, on real servers."""

import asyncio
import random
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
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
        assert done.stdout == "the links to 1 file no longer work\n"
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
        assert (status, body) == (404, b"The Matrix server does not have this file.\n")
        await post(alice, pond, _PICTURE + bytes(800_000), "lies", info={"size": 5, "mimetype": "text/html"})
        url = await link(bob, "lies")
        assert (await fetch(url))[0] == 403
        await alice.send(pond.room, "* see", **_edit(await post(alice, pond, _PICTURE, "quite so"), "quite nice"))
        assert (await bob.heard("s/so/")).text == f"<{pond.alice}> s/so/nice/"


def _edit(target: str, text: str) -> dict[str, Any]:
    info = {"size": len(_PICTURE), "mimetype": "image/png"}
    new = {"msgtype": "m.image", "body": text, "filename": "cat.png", "url": "mxc://hs/other", "info": info}
    return {"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": target}}


async def test_a_download_under_way_is_cut_when_its_message_is_removed_and_a_kept_file_is_erased(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, port = await dig(tmp_path, synapse, services)
    pond.config["media"] = {"max_size": "50M", "cache": "10M"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    kept = pond.folder / "data" / "media-cache"
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        await post(alice, pond, _PICTURE, "small")
        small = await link(bob, "small")
        for _ in range(2):
            assert await fetch(small) == (200, _PICTURE)
            await _until_kept(kept)
        assert kept.stat().st_mode & 0o777 == 0o700
        large = await post(alice, pond, bytes(40_000_000), "large", info={"size": 40_000_000, "mimetype": "image/png"})
        url = await link(bob, "large")
        reading = asyncio.create_task(_slowly(port, url))
        await asyncio.sleep(0.5)
        await alice.redact(pond.room, large)
        async with asyncio.timeout(20):
            assert await reading < 39_000_000
        await until(url, 404)
        done = await asyncio.to_thread(quackbridge, pond.folder, "media", "revoke", small)
        assert done.returncode == 0, done.stderr
        await until(small, 404)
        assert [*kept.iterdir()] == []
        metrics = (await fetch(f"http://{HOST}:{port}/metrics"))[1].decode()
        assert "quackbridge_media_cache_hits_total 1.0" in metrics
        assert await daemon.stop() == 0
    told = await asyncio.to_thread(quackbridge, pond.folder, "status")
    assert re.search(
        r"today \(UTC\): 3 requests for files and texts answered \([0-9.]+ MB\), \d+ refused", told.stdout
    ), told.stdout


async def _until_kept(folder: Path) -> None:
    async with asyncio.timeout(10):
        while not folder.exists() or not any(len(each.name) == 32 for each in folder.iterdir()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _slowly(port: int, url: str) -> int:
    """Fetch a link at some 2 MB a second; how many bytes came."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    came = 0
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            came += len(piece)
            await asyncio.sleep(0.03)
    writer.close()
    return came


async def test_a_whole_text_is_served_until_its_message_is_removed(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, _ = await dig(tmp_path, synapse, services)
    text = "\n".join(f"line {number} <b>of many</b>" for number in range(200))
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        event = await alice.send(pond.room, text)
        url = await link(bob, "/t/")
        assert await fetch(url) == (200, text.encode())
        assert await fetch(url, Range="bytes=0-5") == (206, b"line 0")
        assert (await fetch(url.replace("/t/", "/m/")))[0] == 404
        await alice.redact(pond.room, event)
        await until(url, 404)


async def test_a_thousand_connections_and_whoever_holds_them_keep_no_message_and_no_other_client_waiting(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond, port = await dig(tmp_path, synapse, services)
    pond.config["http"] = {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}", "proxies": []}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        await post(alice, pond, _PICTURE, "look")
        url = await link(bob, "look")
        process = psutil.Process(daemon.pid)
        before = process.memory_info().rss
        for begun in (b"", b"GET / HTTP/1.1\r\nA: ", f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\n\r\n".encode()):
            for spread in (1, 1000):
                crowd = await asyncio.gather(
                    *(_visit(port, f"127.1.{number % spread // 250}.{number % spread % 250 + 1}", begun)
                      for number in range(1000)), return_exceptions=True,
                )  # fmt: skip
                words = f"all is well {len(begun)} {spread}"
                since = time.monotonic()
                await alice.send(pond.room, words)
                await bob.heard(words)
                assert time.monotonic() - since < 5
                await until(f"http://{HOST}:{port}/healthz", 200)
                assert time.monotonic() - since < 6
                for each in crowd:
                    if isinstance(each, asyncio.StreamWriter):
                        each.transport.abort()
        await until(url, 200)
        assert process.memory_info().rss - before < 60_000_000
        assert process.num_fds() < 200


async def _visit(port: int, source: str, begun: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(HOST, port, local_addr=(source, 0))
    writer.write(begun)
    return writer
