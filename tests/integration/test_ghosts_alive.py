"""Ghosts as their operator gets them: the whole daemon, its command, a homeserver that is started anew for it."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.demo.servers import Synapse
from tests.conftest import need
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


async def _register(pond: Pond) -> None:
    """What the homeserver's admin does."""
    done = quackbridge(pond.folder, "registration")
    assert (done.returncode, done.stderr) == (0, "")
    (pond.synapse.folder / "quackbridge.yaml").write_text(done.stdout)
    settings = pond.synapse.folder / "homeserver.yaml"
    changed = yaml.safe_load(settings.read_text()) | {"app_service_config_files": ["quackbridge.yaml"]}
    settings.write_text(yaml.safe_dump(changed))
    await pond.synapse.restart()


def _status(pond: Pond) -> str:
    return quackbridge(pond.folder, "status").stdout


def _with_ghosts(pond: Pond, **more: Any) -> None:
    links: Any = pond.config["links"]
    links["pond"] |= {"ghosts": "speakers", **more}
    write_config(pond.folder, pond.config, {"home": PASSWORD})


async def test_an_admin_adds_the_registration_while_people_talk_and_nothing_is_lost_or_doubled(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    need(Synapse, Anope)
    pond = await dug(tmp_path, own_synapse, services)
    _with_ghosts(pond)
    ghost = own_synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.say(pond.channel, "number 1")
        first = await alice.heard("number 1")
        assert (first.sender, first.text) == (pond.duck_id, f"<{pond.bob}> number 1")
        assert "home: no ghosts, and the bridge speaks for them: there is no registration" in _status(pond)
        doctor = quackbridge(pond.folder, "doctor").stdout
        assert "matrix home ghosts: there is no registration yet" in doctor
        assert (await daemon.logged("ghosts_unavailable"))["reason"] == "there is no registration yet"
        await _register(pond)
        await daemon.logged("ghosts_available")
        for number in range(2, 12):
            await bob.say(pond.channel, f"number {number}")
        await alice.heard("number 11", timeout=30)
        await alice.send(pond.room, "to irc")
        await bob.heard("to irc")
        await daemon.stop(signal.SIGKILL)
        for number in range(12, 14):
            await bob.say(pond.channel, f"number {number}")
        await daemon.start()
        await daemon.ready()
        await bob.say(pond.channel, "number 99")
        await alice.heard("number 99", timeout=30)
        said = [heard for heard in await alice.history(pond.room) if "number" in heard.text]
        lines = [line for heard in said[1:] for line in heard.text.split("\n")]
        assert {heard.sender for heard in said[1:]} == {ghost}
        assert lines[:10] == [f"number {number}" for number in range(2, 12)]
        assert len(lines) == len(set(lines))
        assert len([line for line in daemon.log if line["event"] == "ghosts_unavailable"]) <= 1
        echoed = [message for message in bob.messages if message.sender == pond.duck and "number" in message.text]
        assert echoed == []
        assert "home: 1 ghost\n" in _status(pond)
        assert "matrix home ghosts: the homeserver knows the registration" in quackbridge(pond.folder, "doctor").stdout
        told = quackbridge(pond.folder, "explain", "--as", f"irc/{pond.bob}", "--in", "pond").stdout
        assert f"on home they speak as {ghost}" in told


async def test_who_was_banned_is_told_why_their_words_are_refused(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, own_synapse, services)
    _with_ghosts(pond)
    await _register(pond)
    ghost = own_synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.say(pond.channel, "hello")
        assert (await alice.heard("hello")).sender == ghost
        place = await alice.room_id(pond.room)
        await alice.call("POST", f"rooms/{place}/ban", {"user_id": ghost, "reason": "too loud"})
        await daemon.logged("ghost_removed")
        await bob.say(pond.channel, "still there?")
        told = await bob.heard("too loud")
        assert (told.sender, told.room) == (pond.duck, pond.bob)


async def test_where_all_have_ghosts_who_was_there_before_has_one_without_a_word(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, own_synapse, services)
    _with_ghosts(pond, ghosts="all", membership="all")
    await _register(pond)
    ghost = own_synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await alice.sees(pond.room, ghost, "join", timeout=20)
        await bob.say(pond.channel, "hello")
        assert (await alice.heard("hello")).sender == ghost
        assert [heard.text for heard in await alice.history(pond.room)] == ["hello"]


async def test_ghosts_come_and_go_with_their_people_though_nobody_is_told_in_words(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, own_synapse, services)
    _with_ghosts(pond, membership="off")
    await _register(pond)
    ghost = own_synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.say(pond.channel, "hello")
        await alice.heard("hello")
        await bob.part(pond.channel, "tea")
        await alice.sees(pond.room, ghost, "leave", timeout=20)
        await bob.join(pond.channel)
        await bob.say(pond.channel, "back")
        assert (await alice.heard("back")).sender == ghost
        assert {heard.text for heard in await alice.history(pond.room)} == {"hello", "back"}


async def test_a_crowd_that_comes_and_goes_at_once_leaves_no_ghosts_behind(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    """Also of those whose ghosts were on their way: whoever comes last has theirs after all of them."""
    pond = await dug(tmp_path, own_synapse, services)
    _with_ghosts(pond, ghosts="all", guests="relay")
    await _register(pond)
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.ready()
        await bob.say(pond.channel, "hello")
        await alice.heard("hello")
        async with AsyncExitStack() as stack:
            crowd = [await stack.enter_async_context(pond.person(f"crowd{number}")) for number in range(16)]
            await asyncio.gather(*(each.join(pond.channel) for each in crowd))
            await alice.sees(pond.room, own_synapse.user_id("irc_irc_crowd0_1"), "join", timeout=20)
        async with pond.person("last") as last:
            await last.join(pond.channel)
            await alice.sees(pond.room, own_synapse.user_id("irc_irc_last_1"), "join", timeout=30)
            place = await alice.room_id(pond.room)
            async with asyncio.timeout(20):
                while any(  # noqa: ASYNC110  (a homeserver has to be asked)
                    "crowd" in user for user in (await alice.call("GET", f"rooms/{place}/joined_members"))["joined"]
                ):
                    await asyncio.sleep(0.2)
