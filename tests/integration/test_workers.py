"""Two daemons with one configuration and one store: each network is run by one of them."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import free_port
from bridge.store.postgres.users import UsersText
from bridge.users.tinydb import TinyUsers
from tests.conftest import need
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope, unique
from tests.integration.test_encrypted import both_ways, people
from tests.postgres import Postgres
from tests.shelves import Shelf, shelf

pytestmark = pytest.mark.servers
__all__ = ["shelf"]

_PATIENCE_S = 60.0


@dataclass
class Pair:
    """Two workers, each in a folder of its own, and the pond that they share."""

    pond: Pond
    shelf: Shelf
    daemons: tuple[Daemon, Daemon]

    def worker(self, network: str) -> str:
        """What the worker that runs `network` calls itself."""
        return self.shelf.worker(network)

    def owner(self, network: str) -> Daemon:
        """The daemon that runs `network`."""
        worker = self.worker(network)
        return next(each for each in self.daemons if worker.endswith(f":{each.pid}"))

    def other(self, daemon: Daemon) -> Daemon:
        return next(each for each in self.daemons if each is not daemon)

    async def owned(self, network: str, by: Daemon) -> None:
        """Return once `by` runs `network`."""
        async with asyncio.timeout(_PATIENCE_S):
            while self.owner(network) is not by:  # noqa: ASYNC110  (what the database holds is no event)
                await asyncio.sleep(0.1)

    async def hears(self, bob: IrcPerson, numbers: range) -> None:
        """Bob hears these lines of alice, each once and in their order."""
        await bob.heard(f"line {numbers[-1]}", timeout=_PATIENCE_S)
        lines = [message.text.rpartition(" ")[2] for message in bob.messages if "line " in message.text]
        assert lines == [str(number) for number in numbers]


@pytest.fixture
async def pair(tmp_path: Path, synapse: Synapse, services: Anope, shelf: Shelf) -> AsyncGenerator[Pair, None]:
    pond = await dug(tmp_path, synapse, services)
    pond.config["store"] = {"path": "data/quackbridge.sqlite", "url": shelf.url}
    pond.config["users"] = {"database": "store"}
    TinyUsers.create(shelf.users()).put(*TinyUsers(pond.folder / "data/users.json").list())
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    second = tmp_path / "second"
    shutil.copytree(pond.folder, second)
    async with Daemon(pond.folder) as one, Daemon(second) as two:
        pair = Pair(pond, shelf, (one, two))
        await one.ready()
        await two.ready()
        yield pair


@asynccontextmanager
async def talking(pair: Pair) -> AsyncGenerator[tuple[MatrixPerson, IrcPerson], None]:
    async with pair.pond.people() as (alice, bob):
        yield alice, bob


async def test_workers_share_the_networks_and_what_one_hears_the_other_says(pair: Pair) -> None:
    names = {"home", "irc", "bots"}
    held = [{name for name in names if pair.owner(name) is daemon} for daemon in pair.daemons]
    assert sorted(map(len, held)) == [1, 2]
    async with talking(pair) as (alice, bob):
        await alice.send(pair.pond.room, "line 0")
        await pair.hears(bob, range(1))
        await bob.say(pair.pond.channel, "and back")
        await alice.heard("and back", timeout=_PATIENCE_S)
        await bob.say(pair.pond.channel, f"{pair.pond.duck}: hello")
        await bob.heard("Little Yellow Duck", timeout=_PATIENCE_S)


async def test_each_worker_and_a_machine_without_one_tell_which_worker_has_what(pair: Pair, tmp_path: Path) -> None:
    workers = {name: pair.worker(name) for name in ("home", "irc")}
    for daemon in pair.daemons:
        async with asyncio.timeout(_PATIENCE_S):
            while (said := await _status(daemon.folder))["status"] != "ok":  # noqa: ASYNC110  (a report takes a second)
                await asyncio.sleep(0.5)
        assert {name: said["networks"][name]["worker"] for name in workers} == workers
        assert said["rooms"][f"home/{pair.pond.room}"]["worker"] == workers["home"]
    third = tmp_path / "third"
    shutil.copytree(pair.pond.folder, third, ignore=shutil.ignore_patterns("data", ".*"))
    said = await _status(third)
    assert {name: said["networks"][name]["worker"] for name in workers} == workers
    assert said["running"] is False
    assert "alice" in (await asyncio.to_thread(quackbridge, third, "list-users")).stdout


async def test_two_workers_in_one_folder_differ_by_the_environment(
    tmp_path: Path, synapse: Synapse, services: Anope, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.empty()
    pond = await dug(tmp_path, synapse, services)
    pond.config["store"] = {"path": "data/${QB_WORKER}.sqlite", "url": postgres.url}
    pond.config["http"] = {"listen": "127.0.0.1:${QB_HTTP}"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    ports = free_port(), free_port()
    async with AsyncExitStack() as stack:
        for name, port in zip(("first", "second"), ports, strict=True):
            monkeypatch.setenv("QB_WORKER", name)
            monkeypatch.setenv("QB_HTTP", str(port))
            await (await stack.enter_async_context(Daemon(pond.folder))).ready()
        http = await stack.enter_async_context(aiohttp.ClientSession())
        workers, here = set(), list[float]()
        for port in ports:
            async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                checks = (await answer.json())["checks"]
                workers.add(checks["loop"]["worker"])
            async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
                found = text_string_to_metric_families(await answer.text())
                here += [s.value for f in found for s in f.samples if s.name == "quackbridge_network_here"]
        assert len(workers) == 2
        assert sorted(here) == [0, 0, 1, 1]  # each network at one of the two
        twin = await stack.enter_async_context(Daemon(pond.folder))
        assert await twin.ended() != 0
        assert "another quackbridge is running on this store" in str(twin.log)


async def test_status_tells_what_the_daemon_knows_while_the_store_is_away(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    need(Postgres)
    async with Postgres() as server:
        pond = await dug(tmp_path, synapse, services)
        pond.config["store"] = {"path": "data/quackbridge.sqlite", "url": server.url}
        pond.config["users"] = {"database": "store"}
        write_config(pond.folder, pond.config, {"home": PASSWORD})
        TinyUsers.create(UsersText(server.url)).put(*TinyUsers(pond.folder / "data/users.json").list())
        async with Daemon(pond.folder) as daemon:
            await daemon.ready()
            await server.kill()
            await daemon.logged("users_unreadable")
            async with asyncio.timeout(_PATIENCE_S):
                while "the server of the store does not answer" not in (asked := await _asked(pond.folder)).stdout:  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            assert asked.returncode == 1
            assert "the outbox is not known" in asked.stdout
            assert "the store is away" in asked.stderr
            await server.start()
            async with asyncio.timeout(_PATIENCE_S):
                while (await _status(pond.folder)).get("status") != "ok":  # noqa: ASYNC110  (a server is no event)
                    await asyncio.sleep(0.5)


async def _asked(folder: Path) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(quackbridge, folder, "status")


async def _status(folder: Path) -> dict[str, Any]:
    asked = await asyncio.to_thread(quackbridge, folder, "status", "--json")
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


async def test_a_code_from_the_network_of_one_worker_is_known_to_the_other_and_so_is_who_became_known(
    pair: Pair,
) -> None:
    pond, account = pair.pond, unique("al")
    await pond.services.register(account, PASSWORD)
    async with pond.people() as (alice, _), pond.person(unique("ann"), sasl=(account, PASSWORD)) as ann:
        direct = await alice.direct(pond.duck_id)
        await alice.sees(direct, pond.duck_id)
        await ann.say(pond.duck, "prove")
        code = (await ann.heard("can be used once", timeout=_PATIENCE_S)).text.split()[0]
        await alice.send(direct, f"link-identity {code} yes")
        await alice.heard(f"irc/{account} is alice", timeout=_PATIENCE_S)
        await asyncio.sleep(2.5)  # each worker looks at the users once a second
        await ann.join(pond.channel)
        await ann.say(pond.channel, "now I am alice")
        await alice.heard("now I am alice", timeout=_PATIENCE_S)


async def test_an_encrypted_account_moves_with_its_keys(pair: Pair) -> None:
    pond = pair.pond
    async with people(pond) as (alice, bob, place):
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")
        ending = pair.owner("home")
        device = pair.shelf.remembered("home", "device_id")
        await ending.stop(signal.SIGKILL)
        await alice.say(place, "while nobody ran it")
        await pair.owned("home", pair.other(ending))
        await bob.heard("while nobody ran it", timeout=_PATIENCE_S)
        await both_ways(pond, alice, bob, place, "two")
        assert [text for text in alice.texts if text.startswith("?")] == []
        assert device
        assert pair.shelf.remembered("home", "device_id") == device


async def _knows_it_has_arrived(daemon: Daemon) -> None:
    """There is no history here by which the next worker could find that out."""
    await daemon.logged("sent", lambda line: str(line["room"]).startswith("irc/"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_network_goes_on_at_another_worker_when_its_own_ends(pair: Pair, how: signal.Signals) -> None:
    async with talking(pair) as (alice, bob):
        await alice.send(pair.pond.room, "line 0")
        await pair.hears(bob, range(1))
        ending = pair.owner("irc")
        await _knows_it_has_arrived(ending)
        left = pair.other(ending)
        stopping = asyncio.create_task(ending.stop(how))
        for number in range(1, 6):
            await alice.send(pair.pond.room, f"line {number}")
            await asyncio.sleep(0.2)
        await pair.owned("irc", left)
        await stopping
        await pair.hears(bob, range(6))


async def test_a_worker_that_was_stopped_for_long_wakes_up_without_its_networks(pair: Pair) -> None:
    async with talking(pair) as (alice, bob):
        await alice.send(pair.pond.room, "line 0")
        await pair.hears(bob, range(1))
        asleep = pair.owner("irc")
        awake = pair.other(asleep)
        await _knows_it_has_arrived(asleep)
        asleep.send(signal.SIGSTOP)
        for number in range(1, 4):
            await alice.send(pair.pond.room, f"line {number}")
        await pair.owned("irc", awake)
        await pair.hears(bob, range(4))
        asleep.send(signal.SIGCONT)
        await asleep.logged("network_lost", lambda line: line["network"] == "irc")
        for number in range(4, 7):
            await alice.send(pair.pond.room, f"line {number}")
        await pair.hears(bob, range(7))
        assert pair.owner("irc") is awake
