"""`quackbridge doctor` on real servers: all is well beside a running daemon, and each trouble gets its line."""

import asyncio
import json
import socket
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from bridge.store.peek import memory_of
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope

pytestmark = [pytest.mark.servers, pytest.mark.real_time]


async def examined(pond: Pond) -> tuple[int, Mapping[str, Mapping[str, Any]]]:
    """The exit status, and what was found, by subject."""
    done = await asyncio.to_thread(quackbridge, pond.folder, "doctor", "--json")
    assert done.stdout, done.stderr
    return done.returncode, {check["subject"]: check for check in json.loads(done.stdout)["checks"]}


@asynccontextmanager
async def ready(pond: Pond) -> AsyncGenerator[Daemon, None]:
    async with pond.daemon() as daemon:
        await daemon.ready()
        yield daemon


async def test_all_is_well_beside_a_running_daemon_which_keeps_its_nick_and_its_device(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, services)
    port = free_port()
    await services.register(pond.duck, PASSWORD)
    irc = {**pond.irc_network(pond.irc.port), "sasl": {"account": pond.duck, "password_file": "secrets/irc"}}
    networks = {**pond.config["networks"], "irc": irc}  # type: ignore[dict-item]
    config = {**pond.config, "networks": networks, "http": {"listen": f"{HOST}:{port}"}}
    write_config(pond.folder, config, {"home": PASSWORD, "irc": PASSWORD})
    async with pond.people() as (alice, bob), ready(pond) as daemon:
        device = memory_of(pond.folder / "data/quackbridge.sqlite", "home")["device_id"]
        status, found = await examined(pond)
        assert status == 0, found
        assert {each["outcome"] for each in found.values()} <= {"ok", "skip"}, found
        assert found["irc irc account"]["outcome"] == found["irc irc nick"]["outcome"] == "ok"
        assert "the bridge is in it" in found[f"irc irc/{pond.channel}"]["said"]
        assert device in found["matrix home device"]["said"]
        assert pond.duck in await bob.names(pond.channel)
        assert memory_of(pond.folder / "data/quackbridge.sqlite", "home")["device_id"] == device
        assert not [line for line in daemon.log if line.get("event") in ("offline", "logged_out", "left")]
        await _lose_voice(pond, alice, bob)
        status, found = await examined(pond)
        assert status == 1
        assert "moderated" in found[f"irc irc/{pond.channel}"]["said"]
        assert "may not speak" in found[f"matrix home/{pond.room}"]["said"]
        await bob.raw(f"MODE {pond.channel} +b {pond.duck}!*@*")
        room = await alice.room_id(pond.room)
        await alice.call("POST", f"rooms/{room}/ban", {"user_id": pond.duck_id})
        status, found = await examined(pond)
        assert "banned" in found[f"irc irc/{pond.channel}"]["said"]
        assert "not in the room" in found[f"matrix home/{pond.room}"]["said"]


async def _lose_voice(pond: Pond, alice: Any, bob: Any) -> None:
    await bob.raw(f"MODE {pond.channel} +m")
    await bob.ping()
    room = await alice.room_id(pond.room)
    levels = await alice.call("GET", f"rooms/{room}/state/m.room.power_levels/")
    users = {**levels["users"], pond.duck_id: -1}
    await alice.call("PUT", f"rooms/{room}/state/m.room.power_levels/", {**levels, "users": users})


async def test_before_the_first_start_a_wrong_password_a_taken_nick_and_port_and_an_open_secret_are_told(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, services)
    with closing(socket.create_server((HOST, 0))) as taken:
        listen = f"{HOST}:{taken.getsockname()[1]}"
        write_config(pond.folder, {**pond.config, "http": {"listen": listen}}, {"home": "wrong-password"})
        async with pond.person(pond.duck):
            status, found = await examined(pond)
    assert status == 1
    assert "does not accept the password" in found["matrix home account"]["said"]
    assert "taken by somebody else" in found["irc irc nick"]["said"]
    assert "another program" in found["http"]["said"]
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    assert (await examined(pond))[0] == 0
    assert quackbridge(pond.folder, "check-config", "--live").returncode == 0
    (pond.folder / "secrets" / "home").chmod(0o644)
    status, found = await examined(pond)
    assert status == 1
    assert "others can read" in found["config"]["said"]


async def test_dead_letters_and_a_certificate_that_nobody_trusts_are_told(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, synapse, services)
    async with ready(pond):
        pass
    with closing(sqlite3.connect(pond.folder / "data/quackbridge.sqlite")) as sql, sql:
        sql.execute(
            "INSERT INTO deliveries (id, event, network, room, since, said, behind, size, held, state)"
            " VALUES ('x', 1, 'irc', '#x', 1, 1, 1, 1, 0, 'dead')"
        )
    status, found = await examined(pond)
    assert (status, found["dead letters"]["outcome"]) == (0, "warn")
