"""Pictures that people on IRC link to: fetched from a web server, and shown on Matrix, on real servers."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.store.sqlite import SqliteStore
from tests.integration.daemon import write_config
from tests.integration.loopback import BEFORE
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope
from tests.previews.hostile import Server, ok, picture, serving, to

pytestmark = pytest.mark.servers

_CAT = picture(600, 400)


async def _dig(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    """A pond where pictures are shown that people on IRC link to."""
    pond = await dug(tmp_path, synapse, services)
    links: Any = pond.config["links"]
    links["pond"]["preview"] = True
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    return pond


async def _event(alice: MatrixPerson, pond: Pond, words: str) -> dict[str, Any]:
    """The content of the event with these words."""
    heard = await alice.heard(words)
    room = await alice.room_id(pond.room)
    path = f"/_matrix/client/v3/rooms/{room}/event/{heard.id}"
    return dict((await _get(alice, pond, path))["content"])


async def _get(alice: MatrixPerson, pond: Pond, path: str) -> Any:
    headers = {"Authorization": f"Bearer {alice._token}"}
    async with (
        aiohttp.ClientSession(pond.synapse.url, raise_for_status=True, headers=headers) as http,
        http.get(path) as answer,
    ):
        return await answer.json() if "json" in answer.content_type else await answer.read()


async def test_a_picture_that_a_member_links_to_on_irc_is_shown_on_matrix_in_its_place(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await _dig(tmp_path, synapse, services)
    async with serving(
        {"/a.png": to("/cats/Tom.jpg"), "/cats/Tom.jpg": ok(_CAT), "/page.png": ok(b"<html>")}
    ) as server:

        async def slow(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(2)
            writer.write(ok(_CAT))

        server.answers["/slow.png"] = slow
        async with pond.daemon(BEFORE) as daemon, pond.people() as (alice, bob):
            await daemon.ready()
            await bob.say(pond.channel, f"look: {server.url('/a.png')} *soft*")
            content = await _event(alice, pond, "look")
            assert (content["msgtype"], content["filename"]) == ("m.image", "a.png")
            assert content["body"].endswith(f"look: {server.url('/a.png')} *soft*")
            assert content["info"] | {"size": len(_CAT), "mimetype": "image/png", "w": 600, "h": 400} == content["info"]
            assert len(content["info"]["xyz.amorgan.blurhash"]) == 28
            media = content["url"].removeprefix("mxc://")
            assert await _get(alice, pond, f"/_matrix/client/v1/media/download/{media}") == _CAT

            await bob.say(pond.channel, server.url("/slow.png"))
            await bob.say(pond.channel, "said after it")
            await alice.heard("said after it")
            said = [message.text for message in alice.messages]
            assert [number for number, text in enumerate(said) if "slow.png" in text or "said after" in text] == [
                len(said) - 2,
                len(said) - 1,
            ]
            assert (await _event(alice, pond, "slow.png"))["msgtype"] == "m.image"

            await bob.say(pond.channel, server.url("/page.png"))
            assert (await _event(alice, pond, "page.png"))["msgtype"] == "m.text"
            assert await daemon.stop() == 0
            await _uses(pond, 2)


async def _uses(pond: Pond, number: int) -> None:
    async with aclosing(SqliteStore.open(pond.folder / "data" / "quackbridge.sqlite", time.time)) as store:
        used = await store.traffic_since(time.time())
    assert [(traffic.number, traffic.bytes) for traffic in used.values()] == [(number, number * len(_CAT))]


async def test_nothing_is_fetched_from_this_machine_and_a_stop_does_not_wait_for_what_is_slow(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await _dig(tmp_path, synapse, services)
    async with serving({}) as server:

        async def never(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        server.answers |= {"/a.png": ok(_CAT), "/never.png": never}
        async with pond.daemon() as daemon, pond.people() as (alice, bob):
            await daemon.ready()
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1"):
                await bob.say(pond.channel, f"{host}: {server.url('/a.png', host)}")
                assert (await _event(alice, pond, f"{host}: "))["msgtype"] == "m.text"
            assert server.asked == []
            assert await daemon.stop() == 0
        async with pond.daemon(BEFORE) as daemon, pond.people() as (alice, bob):
            await daemon.ready()
            await bob.say(pond.channel, server.url("/never.png"))
            await _asked(server, 1)
            start = asyncio.get_running_loop().time()
            assert await daemon.stop() == 0
            assert asyncio.get_running_loop().time() - start < 5
            await daemon.start()
            assert (await _event(alice, pond, "never.png"))["msgtype"] == "m.text"


async def _asked(server: Server, number: int) -> None:
    async with asyncio.timeout(20):
        while len(server.asked) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
