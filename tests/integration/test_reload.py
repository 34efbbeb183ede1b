"""The configuration of a running daemon changes, on real servers: networks and rooms that stay are not disturbed."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import free_port
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd) -> Pond:
    pond = Pond(tmp_path, synapse, services, ngircd)
    await pond.dig()
    pond.config["networks"].pop("plain")  # type: ignore[attr-defined]
    pond.config["links"]["pond"]["rooms"].pop()  # type: ignore[index]
    write_config(pond.folder, pond.config, {})
    return pond


@pytest.fixture
async def daemon(pond: Pond) -> AsyncGenerator[Daemon, None]:
    async with pond.daemon() as daemon:
        await daemon.ready()
        yield daemon


def _count(daemon: Daemon, event: str) -> int:
    return sum(line.get("event") == event for line in daemon.log)


async def _reloaded(daemon: Daemon, pond: Pond, event: str = "reloaded") -> dict[str, Any]:
    """Write the config and reload it; the log line with the outcome."""
    before = _count(daemon, event)
    write_config(pond.folder, pond.config, {})
    daemon.send(signal.SIGHUP)
    await daemon.logged(event, lambda line: _count(daemon, event) > before)
    return dict([line for line in daemon.log if line.get("event") == event][-1])


async def test_links_bots_and_rules_change_at_a_reload_while_connections_stay(pond: Pond, daemon: Daemon) -> None:
    config: Any = pond.config
    async with pond.people() as (alice, bob):
        await alice.send(pond.room, "one")
        await bob.heard("one")
        lake = f"#{unique('lake')}"
        await bob.join(lake)
        config["links"]["lake"] = {"rooms": [f"irc/{lake}"], "bots": ["drake"]}
        config["bots"]["drake"] = {"name": "Drake", "delay": 0}
        config["links"]["pond"]["members"] = ["alice"]
        await _reloaded(daemon, pond)
        await daemon.logged("joined", lambda line: lake in str(line.get("room")))
        await bob.say(lake, "drake: are you there?")
        await bob.heard("<Drake> are you there?")
        await bob.say(pond.channel, "am I a member?")
        await bob.heard("In pond I do not carry your messages: not a member of this link")
        await alice.send(pond.room, "two")
        await bob.heard("two")
        config["links"]["pond"]["members"] = "all"
        config["links"].pop("lake")
        await _reloaded(daemon, pond)
        await bob.say(pond.channel, "again")
        await alice.heard("again")
        await bob.say(lake, "drake: and now?")
        await bob.say(pond.channel, "duck: barrier")
        await bob.heard("<Little Yellow Duck> barrier")
        assert not any("<Drake> and now?" in message.text for message in bob.messages)
        assert not any("am I a member?" in message.text for message in alice.messages)
        assert pond.duck not in await bob.names(lake)
    assert [_count(daemon, event) for event in ("online", "logged_in", "offline")] == [1, 1, 0]


async def test_a_changed_configuration_file_is_reloaded_without_a_signal(pond: Pond, daemon: Daemon) -> None:
    config: Any = pond.config
    config["links"]["pond"]["welcome"] = {"guest": "Say hello to the duck."}
    write_config(pond.folder, pond.config, {})
    await daemon.logged("reloaded")
    async with pond.person(unique("eve")) as eve:
        await eve.join(pond.channel)
        await eve.say(pond.channel, "hi")
        await eve.heard("Say hello to the duck.")


async def test_a_broken_configuration_is_refused_as_a_whole_and_the_daemon_goes_on(pond: Pond, daemon: Daemon) -> None:
    config: Any = pond.config
    config["links"]["pond"]["members"] = ["alice"]
    config["links"]["pond"]["gests"] = "relay"
    config["networks"]["home"]["homeserver"] = "http://matrix.example.net"
    refused = await _reloaded(daemon, pond, "not_reloaded")
    problems = "\n".join(refused["problems"])
    for command in (["status"], ["outbox", "list"], ["mute-user", "bob"], ["lift", "bob"]):
        asked = await asyncio.to_thread(quackbridge, pond.folder, *command)  # of the running daemon
        assert asked.returncode == 0, asked.stderr
        assert "networks.home.homeserver" in asked.stderr
    assert "links.pond.gests: there is no such key; did you mean guests?" in problems
    assert "networks.home.homeserver" in problems
    async with pond.people() as (alice, bob):
        await bob.say(pond.channel, "still a member")
        await alice.heard("still a member")
    config["links"]["pond"].pop("gests")
    config["networks"]["home"]["homeserver"] = pond.synapse.url
    config["bots"]["duck"]["brain"] = "nowhere"
    refused = await _reloaded(daemon, pond, "not_reloaded")
    assert "bots.duck" in refused["problems"][0]
    (pond.folder / "config.yaml").unlink()
    daemon.send(signal.SIGHUP)
    await daemon.logged("not_reloaded", lambda line: "there is no config.yaml here" in str(line["problems"]))
    assert await daemon.stop() == 0


async def test_a_network_is_added_and_removed_by_reloads_while_the_others_stay_connected(
    pond: Pond, daemon: Daemon
) -> None:
    config: Any = pond.config
    assert pond.plain is not None
    async with pond.people() as (alice, bob):
        config["networks"]["plain"] = pond.irc_network(pond.plain.port)
        config["links"]["pond"]["rooms"].append(f"plain/{pond.channel}")
        reloaded = await _reloaded(daemon, pond)
        assert reloaded["started"] == ["plain"]
        async with pond.plain_person(unique("carol")) as carol:
            await carol.join(pond.channel)
            await daemon.logged("joined", lambda line: line.get("network") == "plain")
            await bob.say(pond.channel, "to three")
            await carol.heard("to three")
            await alice.heard("to three")
        config["networks"].pop("plain")
        config["links"]["pond"]["rooms"].pop()
        assert (await _reloaded(daemon, pond))["stopped"] == ["plain"]
        await bob.say(pond.channel, "to two")
        await alice.heard("to two")
    assert [_count(daemon, event) for event in ("online", "logged_in", "offline")] == [2, 1, 0]
    assert await daemon.stop() == 0


async def test_a_new_network_that_refuses_us_does_not_stop_the_others(pond: Pond, daemon: Daemon) -> None:
    config: Any = pond.config
    config["networks"]["other"] = {**config["networks"]["home"], "user": pond.synapse.user_id("nobody")}
    await _reloaded(daemon, pond)
    await daemon.logged("network_refused", lambda line: line["network"] == "other")
    async with pond.people() as (alice, bob):
        await alice.send(pond.room, "still here")
        await bob.heard("still here")
    assert await daemon.stop() == 0


async def test_a_setting_that_a_reload_cannot_change_is_named_and_the_rest_is_applied(
    pond: Pond, daemon: Daemon
) -> None:
    config: Any = pond.config
    config["store"]["path"] = "data/other.sqlite"
    config["links"]["pond"]["guests"] = "relay"
    await _reloaded(daemon, pond)
    assert (await daemon.logged("not_reloaded"))["key"] == "store.path"
    asked = await asyncio.to_thread(quackbridge, pond.folder, "status")
    assert "the daemon runs;" in asked.stdout
    assert "the daemon runs with other files" in asked.stderr
    async with pond.people() as (_, bob), MatrixPerson(pond.synapse.url, unique("eve")) as eve:
        room = await eve.join(pond.room)
        await eve.send(room, "carried as a guest")
        await bob.heard("(guest)> carried as a guest")
    assert not (pond.folder / "data" / "other.sqlite").exists()


async def test_sighup_during_the_start_is_harmless_and_a_change_made_then_is_applied(pond: Pond) -> None:
    config: Any = pond.config
    async with pond.daemon() as daemon:
        await asyncio.sleep(0.5)  # Python itself needs the first moments
        for _ in range(6):
            daemon.send(signal.SIGHUP)
            await asyncio.sleep(0.1)
        late = f"#{unique('late')}"
        config["links"]["late"] = {"rooms": [f"irc/{late}"]}
        write_config(pond.folder, pond.config, {})
        await daemon.logged("joined", lambda line: late in str(line.get("room")))
        await daemon.ready()
        assert await daemon.stop() == 0


async def test_sigterm_in_the_middle_of_a_reload_stops_the_daemon(pond: Pond) -> None:
    """A network that is replaced while lines wait for its flood budget takes some seconds to stop."""
    config: Any = pond.config
    config["networks"]["irc"]["flood"] = {"burst": 1, "per_second": 0.2}
    write_config(pond.folder, pond.config, {})
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        for number in range(8):
            await alice.send(pond.room, f"line {number}")
        await bob.heard("line 0")
        config["networks"]["irc"]["realname"] = "another"
        write_config(pond.folder, pond.config, {})
        daemon.send(signal.SIGHUP)
        await asyncio.sleep(0.3)  # the network is being stopped
        before = time.monotonic()
        assert await daemon.stop() == 0
        assert time.monotonic() - before < 6
        config["networks"]["irc"]["flood"] = {"burst": 1000, "per_second": 1000}
        write_config(pond.folder, pond.config, {})
        await daemon.start()
        await bob.heard("line 7", timeout=20)
        lines = [message.text.split()[-1] for message in bob.messages if message.sender == pond.duck]
        assert [*dict.fromkeys(lines)] == [str(number) for number in range(8)]  # a line in doubt may come twice on IRC


async def test_readyz_is_ok_after_a_reload_has_mended_a_network_and_not_with_an_unknown_room(pond: Pond) -> None:
    config: Any = pond.config
    server = config["networks"]["irc"]["server"]
    config["networks"]["irc"]["server"] = "127.0.0.1:1"
    config["http"] = {"listen": f"127.0.0.1:{free_port()}"}
    write_config(pond.folder, pond.config, {})
    async with pond.daemon() as daemon, aiohttp.ClientSession() as session:
        await daemon.logged("logged_in")
        url = f"http://{config['http']['listen']}/readyz"
        async with session.get(url) as answer:
            assert answer.status == 503
        config["networks"]["irc"]["server"] = server
        await _reloaded(daemon, pond)
        await daemon.ready()
        async with session.get(url) as answer:
            assert answer.status == 200
        config["links"]["pond"]["rooms"].append("home/#nowhere:" + pond.synapse.server_name)
        await _reloaded(daemon, pond)
        async with asyncio.timeout(25):
            while await _status(session, url) == 200:  # noqa: ASYNC110  (the homeserver is asked for the room first)
                await asyncio.sleep(0.1)
        assert await daemon.stop() == 0


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        return answer.status


async def test_a_network_that_was_refused_is_tried_again_by_the_next_reload(pond: Pond, daemon: Daemon) -> None:
    config: Any = pond.config
    late = unique("late")
    config["networks"]["other"] = {**config["networks"]["home"], "user": pond.synapse.user_id(late)}
    await _reloaded(daemon, pond)
    await daemon.logged("network_refused")
    await pond.synapse.register(late, PASSWORD)
    assert (await _reloaded(daemon, pond))["started"] == ["other"]
    await daemon.logged("logged_in", lambda line: line["network"] == "other")
