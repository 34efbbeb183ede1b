"""The same with ghosts: who speaks by an account of their own is lost and doubled no more than by the bridge's."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bridge.demo.servers import Synapse
from bridge.matrix.ghosts.registration import token_file
from tests.conftest import need, running
from tests.faults.cases import holds
from tests.faults.faults import ended, homeserver_black_holed, homeserver_killed, ways_cut
from tests.faults.scene import Outcome, Scene
from tests.integration.haunted import haunted
from tests.integration.servers import Anope, unique

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


async def registration_lost(scene: Scene) -> float:
    """The homeserver is started anew without the registration, and once more with it: others speak meanwhile."""
    settings = scene.synapse.folder / "homeserver.yaml"
    whole = settings.read_text()
    without = {key: value for key, value in yaml.safe_load(whole).items() if key != "app_service_config_files"}
    settings.write_text(yaml.safe_dump(without))
    await scene.synapse.restart()
    await asyncio.sleep(3)
    settings.write_text(whole)
    await scene.synapse.restart()
    return asyncio.get_running_loop().time()


CASES = {
    "the daemon is killed ten times": ended(signal.SIGKILL, 10),
    "the homeserver is killed": homeserver_killed,
    "the homeserver connection is a black hole": homeserver_black_holed,
    "the connections are cut": ways_cut,
    "the homeserver forgets the registration for a while": registration_lost,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Synapse, Path]]:
    """A homeserver that knows us, and the file with our tokens."""
    need(Synapse)
    folder = tmp_path_factory.mktemp("mortal-haunted")
    with running(haunted(folder)) as server:
        yield server, token_file(None, "home", folder / "data")


@pytest.mark.parametrize("case", CASES)
async def test_no_message_is_lost_or_doubled_with_ghosts_while(
    case: str, tmp_path: Path, home: tuple[Synapse, Path], mortal_services: Anope, report: list[Outcome]
) -> None:
    synapse, tokens = home
    await holds(CASES[case], tmp_path, synapse, mortal_services, report, tokens=tokens)


async def test_no_message_is_lost_or_doubled_with_faces_on_both_sides_while_the_daemon_is_killed_five_times(
    tmp_path: Path, home: tuple[Synapse, Path], mortal_services: Anope, report: list[Outcome]
) -> None:
    synapse, tokens = home
    others = (unique("carol"), unique("dora"))
    await holds(ended(signal.SIGKILL, 5), tmp_path, synapse, mortal_services, report, puppets=others, tokens=tokens)
