"""The daemon is killed or stopped while people talk."""

import signal
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from tests.faults.cases import IN_DOUBT, SEED, holds, seeded
from tests.faults.faults import ended, stopped_for
from tests.faults.scene import Outcome, run, scene
from tests.integration.servers import Anope, NgIrcd

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


CASES = {
    "the daemon is killed ten times": ended(signal.SIGKILL, 10),
    "the daemon is stopped three times": ended(signal.SIGTERM, 3),
}


@pytest.mark.parametrize("case", CASES)
async def test_no_message_is_lost_or_doubled_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    await holds(CASES[case], tmp_path, mortal_synapse, mortal_services, report)


async def test_on_a_server_without_history_only_the_absence_is_lost_and_it_is_logged(
    tmp_path: Path, mortal_synapse: Synapse, ngircd: NgIrcd, report: list[Outcome]
) -> None:
    async with scene(tmp_path, mortal_synapse, ngircd, None, SEED) as place:
        outcome = await run(place, stopped_for(3))
        report.append(outcome)
        told = [line for line in place.daemon.log if line.get("event") == "messages_missed"]
        said = {one.number: one for one in place.traffic.irc.said}
    assert not outcome.to_irc.lost, seeded(outcome)
    assert len(outcome.to_irc.doubled) <= IN_DOUBT, seeded(outcome)
    assert not outcome.to_irc.out_of_order, seeded(outcome)
    assert not outcome.to_matrix.doubled, seeded(outcome)
    start, back = outcome.gone
    assert all(start - 1 <= said[number].at <= back for number in outcome.to_matrix.lost), seeded(outcome)
    assert told, f"nobody was told of what may have been missed\n{seeded(outcome)}"
