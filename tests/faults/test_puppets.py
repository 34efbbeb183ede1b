"""Three members speak in turns, each with a nick of their own, while something breaks."""

import signal
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from tests.faults.cases import IN_DOUBT, holds
from tests.faults.faults import ended, irc_killed, ways_cut
from tests.faults.scene import Outcome
from tests.integration.servers import Anope, unique

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

CASES = {
    "the daemon is killed five times": (ended(signal.SIGKILL, 5), 0),
    "the daemon is stopped three times": (ended(signal.SIGTERM, 3), 0),
    "all connections are reset": (ways_cut, 0),
    "the IRC server is killed": (irc_killed, IN_DOUBT),  # and its history with it
}


@pytest.mark.parametrize("case", CASES)
async def test_no_message_is_lost_or_doubled_or_out_of_order_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    fault, in_doubt = CASES[case]
    others = (unique("carol"), unique("dora"))
    await holds(fault, tmp_path, mortal_synapse, mortal_services, report, in_doubt, others)
