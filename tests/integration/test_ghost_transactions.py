"""Transactions of a real homeserver, and what somebody may send in its name: nothing is lost, nothing heard twice."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import free_port
from bridge.network import Batch
from tests.conftest import need, running
from tests.integration.ghosttalk import Home, Ours, Stalled, home, person, talking
from tests.integration.irc import Log

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    need(Synapse)
    found = home(tmp_path_factory.mktemp("told"), free_port())
    with running(found.server):
        yield found


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[Home]:
    """One that the test may stop."""
    need(Synapse)
    found = home(tmp_path, free_port())
    with running(found.server):
        yield found


def _message(place: str, sender: str, text: str, event_id: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "m.room.message",
        "room_id": place,
        "sender": sender,
        "event_id": event_id,
        "origin_server_ts": 1_700_000_000_000,
        "content": {"msgtype": "m.text", "body": text},
        **more,
    }


async def _begun(us: Ours, ghost: str) -> str:
    """A room in which alice talks with the ghost."""
    place = await us.alice.direct(ghost)
    await us.until(lambda: f"ghost-room {place}" in us.memory.kept)
    return place


async def test_a_transaction_is_known_again_and_another_of_the_same_number_is_not_taken_for_it(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        place = await _begun(us, await us.appears(network, person()))
        one, two = (_message(place, us.alice.user_id, text, f"${text}") for text in ("one", "two"))
        for _ in range(3):
            assert await us.put("t1", {"events": [one]}) == (200, {})
        assert us.texts() == ["one"]
        assert (await us.put("t1", {"events": [one, two]}))[0] == 200  # its numbers have begun anew
        assert us.texts() == ["one", "two"]
        assert (await us.put("t2", {"events": [two, one]}))[0] == 200
        assert us.texts() == ["one", "two"]


async def test_two_at_once_are_heard_once_and_in_order(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        place = await _begun(us, await us.appears(network, person()))
        events = [_message(place, us.alice.user_id, str(number), f"$n{number}") for number in range(20)]
        answers = await asyncio.gather(*(us.put("same", {"events": events}) for _ in range(2)))
        assert sorted(status for status, _ in answers) in ([200, 200], [200, 503])
        assert us.texts() == [str(number) for number in range(20)]


async def test_only_the_words_of_the_member_in_their_own_room_count(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        ghost = await us.appears(network, person())
        place = await _begun(us, ghost)
        linked = await us.alice.room_id(us.room.id)
        alice, batches = us.alice.user_id, len(us.batches)
        strange = [
            _message("!foreign:elsewhere", alice, "not there", "$1"),
            _message(linked, alice, "not here", "$2"),
            _message(place, "@eve:elsewhere", "not me", "$3"),
            _message(place, ghost, "nor I", "$4"),
            {"type": "m.room.message", "room_id": place, "sender": alice},
            {"room_id": place, "event_id": "$5", "sender": ["x"], "type": {}, "content": "x"},
            {"type": "m.room.member", "room_id": {}, "state_key": ghost, "content": {"membership": "invite"}},
            _message(place, alice, "", "$6", content=None),
            "rubbish",
            None,
        ]
        assert (await us.put("strange", {"events": strange, "ephemeral": "x"}))[0] == 200
        assert us.texts() == []
        assert (await us.put("good", {"events": [_message(place, alice, "mine", "$7")]}))[0] == 200
        assert us.texts() == ["mine"]
        stored = [batch for batch in us.batches[batches:] if batch.events or batch.changes]
        assert [len(batch.events) for batch in stored if batch.events] == [1]


async def test_five_thousand_events_are_taken_in_and_those_of_other_rooms_cost_nothing(where: Home) -> None:
    async with talking(where) as us, us.runs() as network:
        place = await _begun(us, await us.appears(network, person()))
        linked, alice = await us.alice.room_id(us.room.id), us.alice.user_id
        foreign = [_message(linked, alice, f"far {number}", f"$f{number}") for number in range(4_800)]
        ours = [_message(place, alice, f"near {number}", f"$g{number}") for number in range(200)]
        before = len(us.batches)
        assert (await us.put("many", {"events": [*foreign[:2400], *ours, *foreign[2400:]]}))[0] == 200
        assert us.texts() == [f"near {number}" for number in range(200)]
        assert sum(bool(batch.events) for batch in us.batches[before:]) == 1  # one commit


async def test_a_wrong_token_or_body_gets_no_further(where: Home, log: Log) -> None:
    async with talking(where) as us, us.runs() as network:
        place = await _begun(us, await us.appears(network, person()))
        event = _message(place, us.alice.user_id, "forged", "$forged")
        for token in ("x", where.tokens.ours, where.tokens.theirs[:-1], where.tokens.theirs + "x"):
            status, error = await us.put("forged", {"events": [event]}, token)
            assert (status, error["errcode"]) == (403, "M_FORBIDDEN")
        assert len(log.of("homeserver_token_wrong")) == 1
        wrong: list[object] = [[], {"events": {}}, {}, "events"]
        for body in wrong:
            assert (await us.put("wrong", body))[0] == 400
        assert (await us.put("deep", b'{"events":' + b"[" * 100_000))[0] == 400
        assert us.heard == []


async def test_a_crash_before_it_is_stored_loses_nothing(where: Home) -> None:
    async with talking(where) as us:
        async with us.runs() as network:
            ghost = await us.appears(network, person())
            place = await _begun(us, ghost)
            us.stored = _stall
            await us.alice.send(place, "are you there?")
            status, error = await us.put("t1", {"events": [_message(place, us.alice.user_id, "one", "$one")]})
            assert (status, error["errcode"]) == (503, "M_UNKNOWN")
        assert us.heard == []
        us.stored = lambda _: None
        async with us.runs():
            await us.until(lambda: us.texts() == ["are you there?"])  # the homeserver tries again


def _stall(batch: Batch) -> None:
    if any(event.private for event in batch.events):
        raise Stalled


async def test_what_is_said_while_the_bridge_or_the_homeserver_is_away_comes_later(own_home: Home) -> None:
    async with talking(own_home) as us:
        async with us.runs() as network:
            place = await _begun(us, await us.appears(network, person()))
            await us.alice.send(place, "one")
            await us.until(lambda: us.texts() == ["one"])
        await us.alice.send(place, "two")
        await us.alice.send(place, "three")
        await own_home.server.restart()
        async with us.runs():
            await us.alice.send(us.room.id, "hello all")
            await us.until(lambda: us.texts() == ["one", "two", "three"], 30)
            await own_home.server.restart()
            await us.alice.send(place, "four")
            await us.until(lambda: us.texts() == ["one", "two", "three", "four"], 30)


async def test_a_homeserver_whose_database_was_restored_begins_its_numbers_anew(own_home: Home) -> None:
    database, copy = own_home.server.folder / "homeserver.db", own_home.server.folder / "copy"
    async with talking(own_home) as us, us.runs() as network:
        place = await _begun(us, await us.appears(network, person()))
        await own_home.server.stop()
        shutil.copy(database, copy)
        await own_home.server.start()
        for number in range(4):
            await us.alice.send(place, f"before {number}")
        await us.until(lambda: len(us.heard) == 4, 30)
        await own_home.server.stop()
        for each in own_home.server.folder.glob("homeserver.db*"):
            each.unlink()
        shutil.copy(copy, database)
        await own_home.server.start()
        async with MatrixPerson(own_home.server.url, us.alice.user_id.partition(":")[0][1:]) as alice:
            for number in range(4):
                await alice.send(place, f"after {number}")
            await us.until(lambda: len(us.heard) >= 8, 40)
        assert us.texts() == [f"{when} {number}" for when in ("before", "after") for number in range(4)]
