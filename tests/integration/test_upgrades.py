"""Upgraded Matrix rooms, aliases, power, and invitations to one-to-one rooms, on a real Synapse."""

from collections.abc import Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from bridge.demo.people import MatrixPerson
from bridge.demo.people.matrix import MatrixError
from bridge.demo.servers import Synapse
from bridge.matrix.client import MatrixNetwork
from bridge.matrix.rooms import joining
from bridge.model.event import Room
from bridge.model.text import plain
from tests.integration.servers import unique
from tests.integration.test_matrix import Ours, eventually, pond, post

pytestmark = pytest.mark.servers


async def _upgraded(alice: MatrixPerson, place: str, version: str = "11") -> str:
    """Upgrade the room as clients do; the new room."""
    return str((await alice.call("POST", f"rooms/{place}/upgrade", {"new_version": version}))["replacement_room"])


async def _moved(us: Ours, alice: MatrixPerson, new: str) -> None:
    """Give the configured alias to another room."""
    alias = us.rooms[0].id.replace("#", "%23").replace(":", "%3A")
    await alice.call("DELETE", f"directory/room/{alias}")
    await alice.call("PUT", f"directory/room/{alias}", {"room_id": new})


async def _goes_on(us: Ours, alice: MatrixPerson, new: str) -> None:
    """What is said in the new room is heard as said in the configured one."""
    await alice.sees(new, us.user, "join", timeout=20)
    await alice.send(new, "here we are")
    assert (await us.hears("here we are")).room == us.rooms[0]


@pytest.mark.parametrize("preset", ["public_chat", "private_chat"])
async def test_an_upgraded_room_is_followed_to_where_its_alias_points_now(synapse: Synapse, preset: str) -> None:
    async with pond(synapse, preset=preset, room_version="10") as (us, alice, place):
        if preset == "private_chat":
            await alice.invite(place, us.user)
        async with us.running() as network:
            await alice.sees(place, us.user)
            new = await _upgraded(alice, place)
            if preset == "private_chat":
                await alice.invite(new, us.user)
            await _goes_on(us, alice, new)
            await post(network, us.rooms[0], "back")
            assert (await alice.heard("back")).room == new
        async with us.running():
            await alice.send(new, "again")
            await us.hears("again")


async def test_an_invitation_to_the_room_that_the_alias_names_now_is_accepted_without_a_tombstone(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, _), us.running():
        new = await alice.create_room(preset="private_chat", name="moved")
        await _moved(us, alice, new)
        await alice.invite(new, us.user)
        await _goes_on(us, alice, new)


async def test_a_room_that_was_upgraded_while_the_bridge_was_away_is_followed(synapse: Synapse) -> None:
    async with pond(synapse, room_version="10") as (us, alice, place):
        async with us.running():
            await alice.send(place, "before")
            await us.hears("before")
        new = await _upgraded(alice, place)
        async with us.running():
            await _goes_on(us, alice, new)


async def test_a_refused_invitation_is_not_taken_for_a_removal_when_the_room_is_configured_later(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, place):
        async with us.running():
            await alice.send(place, "before")
            await us.hears("before")
            new = await alice.create_room(unique("other"))
            await alice.invite(new, us.user)
            await alice.sees(new, us.user, "leave")
        await _moved(us, alice, new)
        with capture_logs() as logs:
            async with us.running():
                await _goes_on(us, alice, new)
        assert not [line for line in logs if line["event"] == "not_joined"]


async def test_an_upgraded_room_that_is_configured_by_id_is_followed_also_after_a_restart(synapse: Synapse) -> None:
    async with pond(synapse, room_version="10") as (us, alice, place):
        us.rooms = [Room("home", place)]
        with capture_logs() as logs:
            async with us.running():
                await alice.sees(place, us.user)
                new = await _upgraded(alice, place)
                await _goes_on(us, alice, new)
        (line,) = [line for line in logs if line["event"] == "room_followed"]
        assert f"put {new} into the configuration" in line["hint"]
        async with us.running() as network:
            await alice.send(new, "still here")
            await us.hears("still here")
            await post(network, us.rooms[0], "me too")
            assert (await alice.heard("me too")).room == new
            newer = await _upgraded(alice, new, "12")
            await _goes_on(us, alice, newer)


async def test_a_room_that_does_not_name_its_predecessor_is_not_followed(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place):
        us.rooms = [Room("home", place)]
        trap = await alice.create_room(unique("trap"))
        with capture_logs() as logs:
            async with us.running():
                await alice.sees(place, us.user)
                tombstone = {"body": "moved", "replacement_room": trap}
                await alice.call("PUT", f"rooms/{place}/state/m.room.tombstone/", tombstone)
                await alice.sees(trap, us.user, "leave")
                await alice.send(trap, "hello?")
                await alice.send(place, "still here")
                await us.hears("still here")
        assert us.texts == ["still here"]
        assert [line["new"] for line in logs if line["event"] == "room_not_followed"] == [trap]


async def test_a_named_room_of_two_that_no_client_marked_is_a_private_conversation(synapse: Synapse) -> None:
    async with (
        pond(synapse) as (us, alice, _),
        us.running(),
        MatrixPerson(synapse.url, unique("carol")) as carol,
    ):
        two = await alice.create_room(preset="private_chat", name="Alice and the duck")
        await alice.invite(two, us.user)
        await alice.sees(two, us.user, "join")
        await alice.send(two, "psst")
        assert (await us.hears("psst")).private
        three = await alice.create_room(preset="private_chat", name="the three of us", invite=[carol.user_id])
        await alice.sees(three, carol.user_id, "join")
        await alice.invite(three, us.user)
        await alice.sees(three, us.user, "leave")
        public = await alice.create_room(name="everybody")
        await alice.invite(public, us.user)
        await alice.sees(public, us.user, "leave")


async def test_an_upgrade_is_followed_though_the_alias_stays_and_also_after_a_restart(synapse: Synapse) -> None:
    async with pond(synapse, room_version="11") as (us, alice, place):
        async with us.running():
            new = await _upgraded(alice, place, "12")
            await _moved(us, alice, place)  # back to the old room, as where somebody else owns the alias
            await _goes_on(us, alice, new)
        (move,) = [move for batch in us.batches for move in batch.moves]
        assert (move.room, move.place, move.why) == (us.rooms[0], new, "it was upgraded")
        async with us.running() as network:
            await alice.send(new, "still here")
            await us.hears("still here")
            await post(network, us.rooms[0], "me too")
            assert (await alice.heard("me too")).room == new


async def test_a_creator_of_a_room_of_version_12_upgrades_it_though_no_power_is_listed(synapse: Synapse) -> None:
    async with pond(synapse, room_version="12") as (us, alice, place):
        us.rooms = [Room("home", place)]
        async with us.running():
            await alice.sees(place, us.user)
            levels = await alice.call("GET", f"rooms/{place}/state/m.room.power_levels/")
            assert alice.user_id not in levels.get("users", {})
            new = await _upgraded(alice, place, "12")
            await _goes_on(us, alice, new)


async def test_an_alias_that_is_moved_by_hand_is_followed_as_soon_as_its_room_lets_us_in(
    synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "_LOOK_EVERY", 0.3)
    async with pond(synapse) as (us, alice, place):
        new = await alice.create_room(preset="private_chat", name="moved")
        with capture_logs() as logs:
            async with us.running() as network:
                await _moved(us, alice, new)
                await eventually(lambda: _is_logged(logs, "room_not_followed"))
                await alice.send(place, "still here")
                await us.hears("still here")
                await post(network, us.rooms[0], "and so am I")
                assert (await alice.heard("and so am I")).room == place
                await alice.call("PUT", f"rooms/{new}/state/m.room.join_rules/", {"join_rule": "public"})
                await _goes_on(us, alice, new)
        (line,) = [line for line in logs if line["event"] == "room_not_followed"]
        assert line["new"] == new
        assert line["reason"].startswith("M_FORBIDDEN")
        (move,) = [move for batch in us.batches for move in batch.moves]
        assert (move.place, move.why) == (new, "its alias names another room now")


async def test_who_may_remove_what_others_said_is_known_and_kept_up_to_date(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, place), MatrixPerson(synapse.url, unique("carol")) as carol:
        await carol.join(place)

        async def may_redact(network: MatrixNetwork) -> tuple[bool, bool]:
            joined = network._rooms.of(us.rooms[0])
            assert joined is not None
            assert joined.power is not None
            return joined.power.may_redact(alice.user_id), joined.power.may_redact(carol.user_id)

        levels = await alice.call("GET", f"rooms/{place}/state/m.room.power_levels/")
        async with us.running() as network:
            await alice.redact(place, await alice.send(place, "first"))
            await alice.send(place, "barrier 1")
            await us.hears("barrier 1")
            assert await may_redact(network) == (True, False)
            promoted = levels | {"users": levels["users"] | {carol.user_id: 50}}
            await alice.call("PUT", f"rooms/{place}/state/m.room.power_levels/", promoted)
            await alice.send(place, "barrier 2")
            await us.hears("barrier 2")
            assert await may_redact(network) == (True, True)
        await carol.redact(place, await alice.send(place, "second"))
        await alice.send(place, "barrier 3")
        await alice.call("PUT", f"rooms/{place}/state/m.room.power_levels/", levels)
        async with us.running() as network:
            await us.hears("barrier 3")
            await alice.send(place, "barrier 4")
            await us.hears("barrier 4")
            assert await may_redact(network) == (True, False)


async def test_a_call_and_a_kind_of_somebodys_own_are_counted_and_a_state_event_is_not(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running():
        await alice.send_event(place, "org.matrix.msc4075.rtc.notification", {"notification_type": "ring"})
        await alice.send_event(place, "org.example.dance", {"steps": 3})
        await alice.call("PUT", f"rooms/{place}/state/m.room.topic/", {"topic": "ducks"})
        await alice.send(place, "barrier")
        await us.hears("barrier")
        unknown = "not a kind of event that is carried"
        counts = [count.reason for batch in us.batches for count in batch.counts]
        assert counts == [f"{unknown}: org.matrix.msc4075.rtc.notification", unknown]


async def test_a_message_of_the_largest_size_is_heard_and_one_byte_more_is_no_event(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running():
        size = 65_536
        while True:
            try:
                await alice.send(place, "x" * size)
            except MatrixError:
                size -= 8
            else:
                break
        heard = await us.hears("x" * size)
        assert len(plain(heard.text)) == size
        assert size > 64_000
        await alice.send(place, "and on")
        await us.hears("and on")


async def _is_logged(logs: Sequence[Mapping[str, object]], event: str) -> bool:
    return any(line["event"] == event for line in logs)
