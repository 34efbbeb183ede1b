"""Upgraded Matrix rooms, and invitations to one-to-one rooms, on a real Synapse."""

import pytest
from structlog.testing import capture_logs

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.model.event import Room
from tests.integration.servers import unique
from tests.integration.test_matrix import Ours, pond, post

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
