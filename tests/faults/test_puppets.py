"""Three members speak in turns, each with a nick of their own, while something breaks."""

import signal
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from tests.faults.cases import IN_DOUBT, SEED, holds, seeded
from tests.faults.faults import ended, irc_black_holed, irc_killed, ways_cut
from tests.faults.scene import Outcome, Scene, run, scene
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

_IRC_HOLE_S = 10.0


async def irc_black_holed_for_a_while(scene: Scene) -> float:
    return await irc_black_holed(scene, _IRC_HOLE_S)


CASES = {
    "the daemon is killed five times": (ended(signal.SIGKILL, 5), 0),
    "the daemon is stopped three times": (ended(signal.SIGTERM, 3), 0),
    "all connections are reset": (ways_cut, 0),
    "all connections to IRC are black holes": (irc_black_holed_for_a_while, 0),
    "the IRC server is killed": (irc_killed, IN_DOUBT),  # and its history with it
}


@pytest.mark.parametrize("case", CASES)
async def test_no_message_is_lost_or_doubled_or_out_of_order_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    fault, in_doubt = CASES[case]
    others = (unique("carol"), unique("dora"))
    await holds(fault, tmp_path, mortal_synapse, mortal_services, report, in_doubt, others)


WITHOUT_HISTORY = {
    "the daemon is killed three times": (ended(signal.SIGKILL, 3), 3 * IN_DOUBT),
    "all connections are reset": (ways_cut, IN_DOUBT),
}


@pytest.mark.parametrize(
    "case",
    ["the daemon is killed three times", pytest.param("all connections are reset", marks=pytest.mark.long)],
)
async def test_on_a_server_without_history_only_what_is_in_doubt_is_doubled_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, ngircd: NgIrcd, report: list[Outcome]
) -> None:
    """What is said there while the bridge is away is missed."""
    fault, in_doubt = WITHOUT_HISTORY[case]
    others = (unique("carol"), unique("dora"))
    async with scene(tmp_path, mortal_synapse, ngircd, None, SEED, puppets=others) as place:
        outcome = await run(place, fault)
        report.append(outcome)
        faces = place.traffic.irc.faces
        said = {one.number: one for one in place.traffic.irc.said}
    assert len(faces) > len(others), f"only as {faces}\n{seeded(outcome)}"
    assert outcome.to_irc.owed == 121, seeded(outcome)
    assert not outcome.to_irc.lost, seeded(outcome)
    assert not outcome.to_irc.out_of_order, seeded(outcome)
    assert len(outcome.to_irc.doubled) <= in_doubt, seeded(outcome)
    assert not outcome.to_matrix.doubled, seeded(outcome)
    assert not outcome.to_matrix.out_of_order, seeded(outcome)
    start, back = outcome.gone
    assert all(start - 1 <= said[number].at <= back + 3 for number in outcome.to_matrix.lost), seeded(outcome)
