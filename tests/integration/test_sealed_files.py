"""Files and polls in encrypted rooms, on real servers."""

from pathlib import Path
from typing import Any

import pytest
from nio import DownloadResponse
from nio.crypto.attachments import decrypt_attachment

from bridge.demo.servers import Synapse
from tests.integration.daemon import write_config
from tests.integration.loopback import BEFORE
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope
from tests.integration.test_encrypted import people
from tests.previews.hostile import ok, picture, serving

pytestmark = pytest.mark.servers

_CAT = picture(60, 40)


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    found = await dug(tmp_path, synapse, services)
    links: Any = found.config["links"]
    links["pond"]["preview"] = True
    write_config(found.folder, found.config, {"home": PASSWORD})
    return found


async def test_a_picture_that_somebody_on_irc_links_to_is_shown_encrypted(pond: Pond) -> None:
    async with (
        serving({"/cat.png": ok(_CAT)}) as server,
        people(pond) as (alice, bob, place),
        pond.daemon(BEFORE) as daemon,
    ):
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await bob.say(pond.channel, f"look: {server.url('/cat.png')}")
        content = (await alice.hears("look:")).source["content"]
        assert content["msgtype"] == "m.image"
        assert "url" not in content
        file = content["file"]
        stored = await alice.client.download(file["url"])
        assert isinstance(stored, DownloadResponse), stored
        assert _CAT not in stored.body
        assert decrypt_attachment(stored.body, file["key"]["k"], file["hashes"]["sha256"], file["iv"]) == _CAT
        assert file["key"]["k"] not in str(daemon.log)


async def test_the_result_of_a_poll_in_an_encrypted_room_is_told(pond: Pond) -> None:
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        answers = [{"id": name, "org.matrix.msc1767.text": name} for name in ("pond", "lake")]
        question = {"org.matrix.msc1767.text": "Where?"}
        start = {
            "question": question,
            "answers": answers,
            "max_selections": 1,
            "kind": "org.matrix.msc3381.poll.disclosed",
        }
        poll = await alice.put(place, "org.matrix.msc3381.poll.start", {"org.matrix.msc3381.poll.start": start})
        await bob.heard("Where?")
        relates = {"m.relates_to": {"rel_type": "m.reference", "event_id": poll}}
        vote = {"org.matrix.msc3381.poll.response": {"answers": ["lake"]}, **relates}
        await alice.put(place, "org.matrix.msc3381.poll.response", vote)
        end = {"org.matrix.msc3381.poll.end": {}, "org.matrix.msc1767.text": "over", **relates}
        await alice.put(place, "org.matrix.msc3381.poll.end", end)
        await bob.heard("[poll ended: Where? lake 1]")
