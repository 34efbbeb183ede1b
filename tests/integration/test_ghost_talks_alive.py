"""Private talk with ghosts as its operator gets it: the whole daemon, its commands, a homeserver that reaches it."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from tests.conftest import need
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


def reachable(pond: Pond) -> str:
    """Let the homeserver reach the bridge; the URL."""
    config: Any = pond.config
    url = f"http://{HOST}:{free_port()}"
    config["links"]["pond"]["ghosts"] = "speakers"
    config["networks"]["home"]["ghosts"] = {"url": f"{url}/bridge"}
    config["http"] = {"listen": url.removeprefix("http://")}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    return url


async def register(pond: Pond) -> dict[str, Any]:
    """What the homeserver's admin does; the registration."""
    done = quackbridge(pond.folder, "registration")
    assert (done.returncode, done.stderr) == (0, "")
    (pond.synapse.folder / "quackbridge.yaml").write_text(done.stdout)
    settings = pond.synapse.folder / "homeserver.yaml"
    changed = yaml.safe_load(settings.read_text()) | {"app_service_config_files": ["quackbridge.yaml"]}
    settings.write_text(yaml.safe_dump(changed))
    await pond.synapse.restart()
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


async def test_the_operator_is_told_whether_the_homeserver_reaches_the_bridge(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    need(Synapse, Anope)
    pond = await dug(tmp_path, own_synapse, services)
    url = reachable(pond)
    found = await register(pond)
    assert found["url"] == f"{url}/bridge"
    ghost = own_synapse.user_id(f"irc_irc_{pond.bob}")
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        await daemon.logged("ghost_talks_available")
        await daemon.ready()
        doctor = quackbridge(pond.folder, "doctor").stdout
        assert f"matrix home ghosts.url: the homeserver reaches the bridge at {url}/bridge" in doctor
        await bob.say(pond.channel, "hello")
        assert (await alice.heard("hello")).sender == ghost
        headers = {"Authorization": f"Bearer {found['hs_token']}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            for user, status in ((ghost, 200), (f"{ghost}x", 404)):
                async with http.get(f"{url}/bridge/_matrix/app/v1/users/{user}") as answer:
                    assert answer.status == status
            async with http.get(f"{url}/healthz") as answer:
                assert answer.status == 200
        await daemon.stop()
        doctor = quackbridge(pond.folder, "doctor").stdout
        assert "matrix home ghosts.url: the homeserver does not reach the bridge at `ghosts.url`" in doctor


async def test_a_homeserver_with_an_older_registration_is_told_of_once(
    tmp_path: Path, own_synapse: Synapse, services: Anope
) -> None:
    pond = await dug(tmp_path, own_synapse, services)
    config: Any = pond.config
    config["links"]["pond"]["ghosts"] = "speakers"
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    assert (await register(pond))["url"] is None
    reachable(pond)
    async with pond.people() as (alice, bob), pond.daemon() as daemon:
        told = await daemon.logged("ghost_talks_unavailable")
        assert told["reason"] == "the homeserver has a registration without `url`"
        assert "quackbridge registration" in told["hint"]
        await daemon.ready()
        await bob.say(pond.channel, "hello")
        assert (await alice.heard("hello")).sender == own_synapse.user_id(f"irc_irc_{pond.bob}")
