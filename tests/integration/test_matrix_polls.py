"""Polls on a real homeserver, as people on IRC read them."""

from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.matrix.http import votes
from tests.integration.pond import dug
from tests.integration.servers import Anope, unique
from tests.integration.test_matrix import pond
from tests.matrix.test_polls import final, unstable

pytestmark = pytest.mark.servers


def about(poll: str, **content: Any) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": "m.reference", "event_id": poll}, **content}


async def test_a_poll_its_edit_and_its_votes_are_told_and_who_may_not_end_it_does_not(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, services)
    async with (
        pond.daemon() as daemon,
        pond.people() as (alice, bob),
        MatrixPerson(synapse.url, unique("eve")) as eve,
        MatrixPerson(synapse.url, unique("dave")) as dave,
    ):
        await daemon.ready()
        await eve.join(pond.room)
        await dave.join(pond.room)
        poll = await alice.send_event(pond.room, "m.poll.start", final())
        line = await bob.heard("[poll:")
        assert line.text == f"<{pond.alice}> [poll: Where shall we meet? 1. pond 2. lake 3. river]"
        for who, place in ((eve, "lake"), (dave, "river"), (eve, "pond"), (alice, "pond")):
            await who.send_event(pond.room, "m.poll.response", about(poll, **{"m.selections": [place]}))
        await eve.send_event(pond.room, "m.poll.end", about(poll, **{"m.text": [{"body": "I say so"}]}))
        edit = {"m.new_content": final("When?", "pond", "lake", "river")}
        relates = {"m.relates_to": {"rel_type": "m.replace", "event_id": poll}}
        await alice.send_event(pond.room, "m.poll.start", final() | edit | relates)
        await bob.heard("s/Where shall we meet/When/")
        await alice.send_event(pond.room, "m.poll.end", about(poll, **{"m.text": [{"body": "over"}]}))
        ended = await bob.heard("[poll ended")
        assert ended.text.endswith("[poll ended: When? pond 2, river 1]")
        await dave.send_event(pond.room, "m.poll.response", about(poll, **{"m.selections": ["lake"]}))
        await alice.send_event(pond.room, "m.poll.end", about(poll, **{"m.text": [{"body": "again"}]}))
        old = await alice.send_event(pond.room, "org.matrix.msc3381.poll.start", unstable(max_selections=2))
        assert (await bob.heard("up to 2 answers")).text.endswith("3. river (up to 2 answers)]")
        chosen = {"org.matrix.msc3381.poll.response": {"answers": ["lake", "pond"]}}
        await dave.send_event(pond.room, "org.matrix.msc3381.poll.response", about(old, **chosen))
        await alice.send_event(
            pond.room, "org.matrix.msc3381.poll.end", about(old, **{"org.matrix.msc3381.poll.end": {}})
        )
        await bob.heard("[poll ended: Where shall we meet? pond 1, lake 1]")
        told = [heard.text for heard in bob.messages if "poll" in heard.text]
        assert len([text for text in told if "[poll ended" in text]) == 2, told
        assert not [text for text in told if pond.synapse.server_name in text], "nobody is named"


async def test_votes_are_read_page_by_page_latest_first(synapse: Synapse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "_PAGE", 2)
    async with pond(synapse) as (ours, alice, place), MatrixPerson(synapse.url, unique("eve")) as eve, ours.running():
        await eve.join(place)

        async def polled() -> str:
            poll = await alice.send_event(place, "m.poll.start", final())
            await eve.send_event(place, "m.poll.response", about(poll, **{"m.selections": ["river"]}))
            for choice in ("river", "pond", "sea", "lake", "pond", "lake"):
                await alice.send_event(place, "m.poll.response", about(poll, **{"m.selections": [choice]}))
            return await alice.send_event(place, "m.poll.end", about(poll, **{"m.text": [{"body": "over"}]}))

        await polled()
        await ours.hears("[poll ended: Where shall we meet? lake 1, river 1]")
        monkeypatch.setattr(votes, "_MOST", 4)
        await polled()
        event = await ours.hears("[poll ended: Where shall we meet? lake 1 (only the last")
        assert event.target is None
        assert len(event.refers) == 1
