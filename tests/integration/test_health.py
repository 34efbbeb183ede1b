"""What the running daemon tells of itself, on real servers: /healthz, /readyz and `quackbridge status`."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers

_SOON_S = 25.0
"""Seconds for what takes 15 at most on a machine that does nothing else."""


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    pond = await dug(tmp_path, synapse, services)
    pond.config["http"] = {"listen": f"{HOST}:{free_port()}"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    return pond


class _Asking:
    """Asks the daemon of a pond over HTTP."""

    def __init__(self, pond: Pond, http: aiohttp.ClientSession) -> None:
        self._url = f"http://{pond.config['http']['listen']}"  # type: ignore[index]
        self._http = http

    async def healthz(self) -> tuple[int, str]:
        async with self._http.get(f"{self._url}/healthz") as answer:
            return answer.status, await answer.text()

    async def readyz(self) -> tuple[int, dict[str, Any]]:
        async with self._http.get(f"{self._url}/readyz") as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def until_healthy(self, status: int) -> str:
        """What /healthz says once it has that `status`."""
        async with asyncio.timeout(_SOON_S):
            while True:
                found, said = await self.healthz()
                if found == status:
                    return said
                await asyncio.sleep(0.1)

    async def until_ready(self, status: int, patience: float = _SOON_S) -> dict[str, Any]:
        """What /readyz says once it has that `status`."""
        async with asyncio.timeout(patience):
            while True:
                found, said = await self.readyz()
                if found == status:
                    return said
                await asyncio.sleep(0.2)


def _status(pond: Pond) -> tuple[int, Any]:
    done = quackbridge(pond.folder, "status", "--json")
    return done.returncode, json.loads(done.stdout)


async def test_a_store_that_another_program_keeps_locked_makes_healthz_answer_503_until_it_is_free(
    pond: Pond,
) -> None:
    async with pond.daemon() as daemon, aiohttp.ClientSession() as http:
        await daemon.ready()
        asking = _Asking(pond, http)
        assert await asking.healthz() == (200, "ok\n")
        with closing(sqlite3.connect(pond.folder / "data" / "quackbridge.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            assert "the store could not be written for" in await asking.until_healthy(503)
            while time.monotonic() - begun < 16.0:
                assert (await asking.healthz())[0] == 503
                await asyncio.sleep(0.2)
            other.execute("ROLLBACK")
        assert await asking.until_healthy(200) == "ok\n"


async def test_readyz_and_status_tell_of_a_channel_from_which_we_were_kicked_until_we_are_back(pond: Pond) -> None:
    async with pond.people() as (alice, bob), pond.daemon() as daemon, aiohttp.ClientSession() as http:
        await daemon.ready()
        asking, room = _Asking(pond, http), f"irc/{pond.channel}"
        fine = await asking.until_ready(200)
        assert fine["status"] == "ok"
        assert {"network:home", "network:irc", f"room:{room}", "link:pond", "outbox", "disk", "clock", "loop"} < {
            *fine["checks"]
        }
        code, told = await asyncio.to_thread(_status, pond)
        assert (code, told["status"], told["running"]) == (0, "ok", True)
        await bob.ask(f"MODE {pond.channel} +b {pond.duck}!*@*", lambda line: line.command == "MODE")
        await bob.ask(f"KICK {pond.channel} {pond.duck} :secret words", lambda line: line.command == "KICK")
        said = await asking.until_ready(503)
        check = said["checks"][f"room:{room}"]
        assert said["status"] == "degraded"
        assert check["ok"] is False
        assert said["checks"]["link:pond"]["ok"] is False
        assert said["checks"]["network:irc"]["ok"] is True
        assert not {"secret", pond.bob} & {*json.dumps(said).split()}
        code, told = await asyncio.to_thread(_status, pond)
        assert (code, told["checks"][f"room:{room}"]["ok"], told["rooms"][room]["ok"]) == (1, False, False)
        words = await asyncio.to_thread(quackbridge, pond.folder, "status")
        assert words.returncode == 1
        assert room in words.stdout
        await bob.ask(f"MODE {pond.channel} -b {pond.duck}!*@*", lambda line: line.command == "MODE")
        await asking.until_ready(200, patience=120.0)
        code, told = await asyncio.to_thread(_status, pond)
        assert (code, told["rooms"][room]["ok"]) == (0, True)
        await alice.send(pond.room, "quack")
        await bob.heard("quack")
        await asyncio.sleep(2)  # the health is looked at every second
        _, told = await asyncio.to_thread(_status, pond)
        assert told["rooms"][room]["said"] is not None
        assert told["rooms"][f"home/{pond.room}"]["heard"] is not None
