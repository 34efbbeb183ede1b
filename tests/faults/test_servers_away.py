"""The servers are killed while people talk."""

from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from tests.faults.cases import IN_DOUBT, holds
from tests.faults.faults import both_killed, homeserver_killed, irc_killed
from tests.faults.scene import Outcome
from tests.integration.servers import Anope

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


CASES = {
    "the homeserver is killed": (homeserver_killed, 0),
    "the IRC server is killed": (irc_killed, IN_DOUBT),  # and its history with it
    "both servers are killed": (both_killed, IN_DOUBT),
}


@pytest.mark.parametrize("case", CASES)
async def test_no_message_is_lost_or_doubled_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    fault, in_doubt = CASES[case]
    await holds(fault, tmp_path, mortal_synapse, mortal_services, report, in_doubt)
