"""Downloads by links while the homeserver's files, its sessions or the daemon are in trouble: a client never takes a
part for the whole, and messages go on."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from tests.faults.cases import IN_DOUBT
from tests.faults.http import Fault, HttpProxy, aborts, closes, file, more, says, silence
from tests.integration.daemon import Daemon, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope
from tests.integration.test_media import dig, fetch, link, post, until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

_FILES = "GET /_matrix/client/v1/media/download/"
_DATA = bytes(range(256)) * 4000
_HALF = _DATA[: len(_DATA) // 2]
_STOPPED_S = 10.0
"""Seconds in which the daemon has to end, whoever downloads."""
_STALLED_S = 60.0


@dataclass
class Place:
    """A picture on Matrix, and its link on IRC. The homeserver's answers go by `way`."""

    pond: Pond
    daemon: Daemon
    way: HttpProxy
    alice: MatrixPerson
    bob: IrcPerson
    url: str


@asynccontextmanager
async def place(folder: Path, synapse: Synapse, services: Anope, cache: str = "off") -> AsyncGenerator[Place, None]:
    pond, _ = await dig(folder, synapse, services)
    async with HttpProxy(synapse.url) as way:
        networks = pond.config["networks"]
        assert isinstance(networks, dict)
        networks["home"]["homeserver"] = way.url
        pond.config["media"] = {"max_size": "1G", "cache": cache}
        write_config(pond.folder, pond.config, {"home": PASSWORD})
        async with pond.daemon() as daemon, pond.people() as (alice, bob):
            await daemon.ready()
            await post(alice, pond, _DATA, "quack")
            yield Place(pond, daemon, way, alice, bob, await link(bob, "quack"))


BROKEN = {
    "the connection is reset in the middle": file(_HALF, length=len(_DATA), then=aborts),
    "the connection is reset in the middle of a file of unknown length": file(_HALF, length=0, then=aborts),
    "the file is shorter than promised": file(_DATA[:-1], length=len(_DATA), then=closes),
    "the connection is reset before the first byte": file(b"", length=len(_DATA), then=aborts),
}
REFUSED: dict[str, tuple[Fault, int]] = {
    "429": (says(429, '{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 100}'), 502),
    "502 of a proxy": (says(502, "<html>Bad gateway</html>", "text/html"), 502),
    "504 of a proxy": (says(504, "<html>Timeout</html>", "text/html"), 504),
    "504 of a homeserver that waits for another": (says(504, '{"errcode": "M_NOT_YET_UPLOADED"}'), 504),
    "500": (says(500, '{"errcode": "M_UNKNOWN"}'), 502),
    "the file is gone": (says(404, '{"errcode": "M_NOT_FOUND"}'), 404),
}


async def test_a_file_that_breaks_off_is_never_whole_for_the_client_and_what_cannot_be_had_is_a_sentence(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    async with place(tmp_path, synapse, services) as here:
        for name, fault in BROKEN.items():
            here.way.spoil(_FILES, fault)
            with pytest.raises(aiohttp.ClientError):
                pytest.fail(f"{name}: {len((await fetch(here.url))[1])} bytes were taken for the whole")
            assert here.way.spent, name
            assert await fetch(here.url) == (200, _DATA), f"after: {name}"
        for name, (fault, status) in REFUSED.items():
            here.way.spoil(_FILES, fault)
            async with aiohttp.ClientSession() as http, http.get(here.url) as answer:
                said = await answer.text()
                assert answer.status == status, name
                assert said.endswith(".\n"), name
                assert "<" not in said, name
                assert (status == 404) or answer.headers["Retry-After"], name
            assert await fetch(here.url) == (200, _DATA), f"after: {name}"
        here.way.spoil(_FILES, file(_DATA, then=more))
        assert await fetch(here.url) == (200, _DATA), "what comes behind the promised length is none of the file"
        assert await fetch(here.url) == (200, _DATA)
        await here.alice.send(here.pond.room, "still here")
        await here.bob.heard("still here")
        assert not [line for line in here.daemon.log if "traceback" in str(line).lower()]


async def test_what_breaks_off_is_not_kept_and_what_was_whole_is_not_fetched_again(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    async with place(tmp_path, synapse, services, cache="20M") as here:
        for name, fault in BROKEN.items():
            await post(here.alice, here.pond, _DATA, f"quack {name}.")
            url = await link(here.bob, f"quack {name}.")
            here.way.spoil(_FILES, fault)
            with pytest.raises(aiohttp.ClientError):
                await fetch(url)
            assert await fetch(url) == (200, _DATA), f"after: {name}"
            here.way.spoil(_FILES, says(500, "{}"), times=1000)
            await until(url, 200)  # the cache has it a moment after the client
            assert await fetch(url) == (200, _DATA), f"from the cache, after: {name}"
            here.way.mend()


async def test_a_file_that_stalls_is_cut_off_after_a_while_and_messages_do_not_wait_for_it(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    async with place(tmp_path, synapse, services) as here:
        here.way.spoil(_FILES, file(_HALF, length=len(_DATA), then=silence))
        began = time.monotonic()
        waiting = asyncio.create_task(fetch(here.url))
        await here.way.spoilt()
        await here.alice.send(here.pond.room, "meanwhile")
        await here.bob.heard("meanwhile")
        await here.bob.say(here.pond.channel, "quite so")
        await here.alice.heard("quite so")
        assert not waiting.done()
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(_STALLED_S):
                await waiting
        assert time.monotonic() - began > 5
        assert await fetch(here.url) == (200, _DATA)


@pytest.mark.parametrize("soft", [True, False], ids=["soft logout", "all sessions are ended"])
async def test_a_link_opens_though_the_session_has_ended(
    soft: bool, tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    async with place(tmp_path, synapse, services) as here:
        if soft:
            here.way.spoil(_FILES, says(401, '{"errcode": "M_UNKNOWN_TOKEN", "soft_logout": true}'))
        else:
            async with MatrixPerson(synapse.url, here.pond.duck, PASSWORD) as other:
                await other.call("POST", "logout/all", {})
        found = await asyncio.gather(*(fetch(here.url) for _ in range(4)))
        assert found == [(200, _DATA)] * 4
        await here.alice.send(here.pond.room, "still here")
        await here.bob.heard("still here")


def _from(client: int) -> Mapping[str, str]:
    """The header by which a proxy says who asks: one address may have few downloads at a time."""
    return {"X-Forwarded-For": f"192.0.2.{client}"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
async def test_a_daemon_that_ends_during_downloads_loses_no_message_and_its_links_work_afterwards(
    number: signal.Signals, tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    async with place(tmp_path, synapse, services) as here:
        downloads = 5
        here.way.spoil(_FILES, file(_HALF, length=len(_DATA), then=silence), times=downloads)
        clients = [asyncio.create_task(fetch(here.url, **_from(each))) for each in range(downloads)]
        await here.way.spoilt()
        await asyncio.sleep(0.5)
        assert not any(client.done() for client in clients)
        said = [f"number {each}" for each in range(20)]
        for each in said[:10]:
            await here.alice.send(here.pond.room, each)
        began = time.monotonic()
        status = await here.daemon.stop(number)
        assert time.monotonic() - began < _STOPPED_S
        assert status == (0 if number is signal.SIGTERM else -number)
        for ended in await asyncio.gather(*clients, return_exceptions=True):
            assert isinstance(ended, aiohttp.ClientError), f"taken for the whole: {ended}"
        for each in said[10:]:
            await here.alice.send(here.pond.room, each)
        here.way.mend()
        await here.daemon.start()
        await here.daemon.ready()
        await here.bob.heard(said[-1])
        heard = [line.text.partition("> ")[2] for line in here.bob.messages if "number " in line.text]
        assert [*dict.fromkeys(heard)] == said
        assert len(heard) - len(said) <= (0 if number is signal.SIGTERM else IN_DOUBT)
        assert await fetch(here.url) == (200, _DATA)
