"""The promises of the bridge where two workers share a store, in hundreds of made-up worlds.

`SEED=123 pytest tests/simulation/test_workers.py` repeats one, and shows all that happened.
"""

from collections.abc import Iterator, Mapping

import pytest

from bridge.store import Lease
from tests.simulation import loop
from tests.simulation.checker import complaints
from tests.simulation.test_simulation import groups, silenced
from tests.simulation.workers import Leases, SharedCore, TwoWorkers
from tests.simulation.world import Program

_FINDS = 150
"""Seeds within which an error has to be found."""


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with silenced():
        yield


def simulate(seed: int, program: Program) -> tuple[TwoWorkers, list[str]]:
    """What happened, and what was wrong with it."""
    world = TwoWorkers(seed, program)
    try:
        loop.run(world.run())
    except (Exception, BaseExceptionGroup) as error:
        return world, [f"it never came to rest, or broke: {error!r}", *complaints(world)]
    return world, list(complaints(world))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", groups(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_no_message_is_lost_doubled_or_out_of_order_where_two_workers_share_the_networks(seeds: range) -> None:
    moved = 0
    for seed in seeds:
        world, wrong = simulate(seed, Program())
        moved += sum("has lost" in line for line in world.weather.trace)
        if wrong:
            happened = "\n".join(world.weather.trace) if len(seeds) == 1 else ""
            pytest.fail(f"repeat it with SEED={seed} pytest {__file__}\n{happened}\n" + "\n".join(wrong), pytrace=False)
    assert moved or len(seeds) == 1


class _NoFence(Leases):
    """Whoever once had the lease may write."""

    def cursor(self, network: str, token: str) -> str | None:
        row = self._sql.execute("SELECT cursor FROM networks WHERE name = ?", (network,)).fetchone()
        return None if row is None else row[0]


class _Greedy(Leases):
    """A lease is taken although it has not run out."""

    def acquire(self, network: str, token: str, worker: str) -> bool:
        self._sql.execute("UPDATE networks SET until = 0 WHERE name = ?", (network,))
        return super().acquire(network, token, worker)


class _Unfenced(SharedCore):
    leases = _NoFence


class _Stealing(SharedCore):
    leases = _Greedy


class _Believing(Lease):
    """A worker believes in its lease for ever."""

    def valid(self) -> bool:
        return True


PLANTED: Mapping[str, Program] = {
    "no fence": Program(core=_Unfenced),
    "leases are stolen": Program(core=_Stealing),
    "a lease is believed in for ever, and there is no fence": Program(core=_Unfenced, lease=_Believing),
}


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_found_within_the_first_seeds(error: str) -> None:
    assert any(simulate(seed, PLANTED[error])[1] for seed in range(_FINDS))
