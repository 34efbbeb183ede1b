"""120 numbered messages each way at 8 a second while something breaks: none is lost, none comes twice, all in order."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from bridge.irc import IrcNetwork
from tests.faults.faults import (
    CannotTraceError,
    both_killed,
    disk_full,
    ended,
    homeserver_black_holed,
    homeserver_killed,
    irc_black_holed,
    irc_killed,
    stopped_for,
)
from tests.faults.scene import Fault, Outcome, run, scene
from tests.integration.servers import Anope, NgIrcd

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

RECOVERY = 15.0  # seconds from the return of what was away
IN_DOUBT = IrcNetwork.window  # posts that may come twice where a server keeps no history

SEED = int(os.environ.get("QUACKBRIDGE_SEED") or int.from_bytes(os.urandom(4)))

CASES = {
    "the daemon is killed ten times": ended(signal.SIGKILL, 10),
    "the daemon is stopped three times": ended(signal.SIGTERM, 3),
    "the IRC server is killed": irc_killed,
    "the homeserver is killed": homeserver_killed,
    "the IRC connection is a black hole": irc_black_holed,
    "the homeserver connection is a black hole": homeserver_black_holed,
    "both servers are killed": both_killed,
}


IN_SHORT = {"the daemon is killed ten times", "the IRC server is killed"}
"""What every run tries; the others are minutes more: `make faults`."""


@pytest.mark.parametrize("case", [pytest.param(x, marks=() if x in IN_SHORT else pytest.mark.long) for x in CASES])
async def test_nothing_is_lost_and_nothing_comes_twice_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    in_doubt = IN_DOUBT if CASES[case] in {irc_killed, both_killed} else 0  # its history went with the server
    await _holds(CASES[case], tmp_path, mortal_synapse, mortal_services, report, in_doubt)


async def test_a_full_disk_makes_intake_wait_and_go_on(
    tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    if shutil.which("strace") is None:
        _cannot("strace is not installed")
    try:
        await _holds(disk_full, tmp_path, mortal_synapse, mortal_services, report)
    except* CannotTraceError as group:
        _cannot(str(group.exceptions[0]))


async def test_on_a_server_without_history_what_was_missed_is_told(
    tmp_path: Path, mortal_synapse: Synapse, ngircd: NgIrcd, report: list[Outcome]
) -> None:
    async with scene(tmp_path, mortal_synapse, ngircd, None, SEED) as place:
        outcome = await run(place, stopped_for(3))
        report.append(outcome)
        told = [line for line in place.daemon.log if "unknown" in str(line)]
        said = {one.number: one for one in place.traffic.irc.said}
    assert not outcome.to_irc.lost, _seeded(outcome)
    assert len(outcome.to_irc.doubled) <= IN_DOUBT, _seeded(outcome)
    assert not outcome.to_irc.out_of_order, _seeded(outcome)
    assert not outcome.to_matrix.doubled, _seeded(outcome)
    start, back = outcome.gone
    assert all(start - 1 <= said[number].at <= back for number in outcome.to_matrix.lost), _seeded(outcome)
    assert told, f"nobody was told of what may have been missed\n{_seeded(outcome)}"


async def _holds(
    fault: Fault, folder: Path, synapse: Synapse, services: Anope, report: list[Outcome], in_doubt: int = 0
) -> None:
    async with scene(folder, synapse, services.irc, services, SEED) as place:
        outcome = await run(place, fault)
        report.append(outcome)
    for verdict in (outcome.to_irc, outcome.to_matrix):
        assert verdict.owed == 121, _seeded(outcome)
        assert not verdict.lost, _seeded(outcome)
        assert not verdict.out_of_order, _seeded(outcome)
        assert verdict.first is not None, _seeded(outcome)
        assert verdict.whole is not None, _seeded(outcome)
        assert max(verdict.first, verdict.whole) <= RECOVERY, _seeded(outcome)
    assert len(outcome.to_irc.doubled) <= in_doubt, _seeded(outcome)
    assert not outcome.to_matrix.doubled, _seeded(outcome)


def _seeded(outcome: Outcome) -> str:
    return f"QUACKBRIDGE_SEED={SEED}\nto IRC: {outcome.to_irc}\nto Matrix: {outcome.to_matrix}"


def _cannot(reason: str) -> None:
    if os.environ.get("QUACKBRIDGE_REQUIRE_SERVERS"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
