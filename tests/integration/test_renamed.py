"""A network has another name in the config than in the store and among the users, on real servers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import Synapse
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


async def test_what_waits_for_a_renamed_network_is_delivered_after_rename_network_and_its_users_stay_members(
    tmp_path: Path, synapse: Synapse, own_services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, own_services)
    config: Any = pond.config
    async with pond.people() as (alice, _), pond.daemon() as daemon:
        await daemon.ready()
        await pond.irc.kill()
        await daemon.logged("offline")
        await alice.send(pond.room, "this waits")
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(_outbox, pond.folder):  # noqa: ASYNC110
                await asyncio.sleep(0.2)  # what a process has stored rings no bell here
        assert await daemon.stop() == 0
        config["networks"]["net"] = config["networks"].pop("irc")
        config["links"]["pond"]["rooms"][1] = f"net/{pond.channel}"
        config["links"]["pond"]["moderators"] = ["alcie"]
        write_config(pond.folder, config, {})
        await daemon.start()
        orphan = await daemon.logged("network_unknown")
        assert (orphan["network"], orphan["waiting"], orphan["identities"]) == ("irc", 1, 1)
        assert "no user 'alcie'; did you mean 'alice'?" in (await daemon.logged("config"))["text"]
        await daemon.logged("offline")
        assert quackbridge(pond.folder, "rename-network", "irc", "net").returncode == 2  # the daemon runs
        assert await daemon.stop() == 0
        assert quackbridge(pond.folder, "rename-network", "irc", "net").returncode == 0
        await pond.irc.start()
        async with pond.person("dave") as dave:
            await dave.join(pond.channel)
            await daemon.start()
            await dave.heard("this waits", timeout=30)
            assert not [line for line in daemon.log if line.get("event") == "network_unknown"]
            assert await daemon.stop() == 0
        assert not _outbox(pond.folder)


def _outbox(folder: Path) -> list[str]:
    return [entry["text"] for entry in json.loads(quackbridge(folder, "outbox", "list", "--json").stdout)]
