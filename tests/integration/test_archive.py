"""The archive on real servers: what is written down, what is taken out again, and that people are told."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bots.archive import read
from bridge.demo.servers import Synapse
from tests.integration.daemon import write_config
from tests.integration.pond import Pond
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


def _texts(folder: Path) -> list[str]:
    return [line["text"] for path in sorted(folder.glob("*/*.jsonl")) for line in read(path)]


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110  (files ring no bell)
            await asyncio.sleep(0.05)


async def test_what_members_say_is_in_the_archive_until_it_is_removed_and_people_are_told(
    tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> None:
    pond = Pond(tmp_path, synapse, services, ngircd)
    await pond.dig()
    config: Any = pond.config
    archive = {"use": "bots.archive:Archive", "name": "Archive", "hears": "all"}
    config["bots"]["archive"] = archive | {"settings": {"bot": {"folder": "data/archive"}}}
    config["links"]["pond"]["bots"].append("archive")
    write_config(pond.folder, pond.config, {})
    folder = pond.folder / "data" / "archive"
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.heard("I write down what members say here")
        secret = await alice.send(pond.room, "my secret")
        await bob.heard("my secret")
        await alice.send(pond.room, "wrng")
        await bob.heard("wrng")
        await bob.say(pond.channel, "from IRC")
        await alice.heard("from IRC")
        async with pond.person(unique("eve")) as eve:
            await eve.join(pond.channel)
            await eve.say(pond.channel, "I am a guest")
        await bob.say(pond.duck, "in private")
        await _until(lambda: sorted(_texts(folder)) == ["from IRC", "my secret", "wrng"])
        await daemon.stop(signal.SIGKILL)
        await daemon.start()
        await daemon.ready()
        await alice.redact(pond.room, secret)
        await _until(lambda: sorted(_texts(folder)) == ["from IRC", "wrng"])
        await bob.say(pond.channel, "barrier")
        await alice.heard("barrier")
        assert sum("I write down" in message.text for message in bob.messages) == 1
        assert "secret" not in "".join(path.read_text() for path in folder.glob("*/*"))
