"""What holds in every case: 120 numbered messages each way at 8 a second while something breaks, and none is lost, none
comes twice, all in order."""

import os
from collections.abc import Sequence
from pathlib import Path

from bridge.demo.servers import Synapse
from bridge.irc.client import IrcNetwork
from tests.faults.scene import Fault, Outcome, run, scene
from tests.integration.servers import Anope

RECOVERY = 15.0  # seconds from the return of what was away
IN_DOUBT = IrcNetwork.window  # posts that may come twice where a server keeps no history

SEED = int(os.environ.get("QUACKBRIDGE_SEED") or int.from_bytes(os.urandom(4)))


async def holds(
    fault: Fault,
    folder: Path,
    synapse: Synapse,
    services: Anope,
    report: list[Outcome],
    in_doubt: int = 0,
    puppets: Sequence[str] = (),
    tokens: Path | None = None,
) -> None:
    """`fault` loses nothing and doubles at most `in_doubt` posts. With `puppets`, members have nicks of their own; with
    `tokens` (as in `scene`), people on IRC are ghosts."""
    async with scene(folder, synapse, services.irc, services, SEED, puppets=puppets, tokens=tokens) as place:
        outcome = await run(place, fault)
        report.append(outcome)
        faces = place.traffic.irc.faces
        assert bool(place.traffic.matrix.by_ghosts()) is (tokens is not None), seeded(outcome)
    assert len(faces) > len(puppets), f"only as {faces}\n{seeded(outcome)}"
    for verdict in (outcome.to_irc, outcome.to_matrix):
        assert verdict.owed == 121, seeded(outcome)
        assert not verdict.lost, seeded(outcome)
        assert not verdict.out_of_order, seeded(outcome)
        assert verdict.first is not None, seeded(outcome)
        assert verdict.whole is not None, seeded(outcome)
        assert max(verdict.first, verdict.whole) <= RECOVERY, seeded(outcome)
    assert len(outcome.to_irc.doubled) <= in_doubt, seeded(outcome)
    assert not outcome.to_matrix.doubled, seeded(outcome)


def seeded(outcome: Outcome) -> str:
    return f"QUACKBRIDGE_SEED={SEED}\nto IRC: {outcome.to_irc}\nto Matrix: {outcome.to_matrix}"
