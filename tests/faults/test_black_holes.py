"""Connections that swallow everything, and a disk that takes nothing, while people talk."""

import shutil
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from tests.conftest import cannot
from tests.faults.cases import holds
from tests.faults.faults import CannotTraceError, disk_full, homeserver_black_holed, irc_black_holed
from tests.faults.scene import Outcome
from tests.integration.servers import Anope

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


CASES = {
    "the IRC connection is a black hole": irc_black_holed,
    "the homeserver connection is a black hole": homeserver_black_holed,
}


@pytest.mark.parametrize("case", CASES)
async def test_no_message_is_lost_or_doubled_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    await holds(CASES[case], tmp_path, mortal_synapse, mortal_services, report)


async def test_no_message_is_lost_or_doubled_when_the_disk_was_full(
    tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    if shutil.which("strace") is None:
        cannot("strace is not installed")
    try:
        await holds(disk_full, tmp_path, mortal_synapse, mortal_services, report)
    except* CannotTraceError as group:
        cannot(str(group.exceptions[0]))
