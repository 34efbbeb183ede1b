"""The promises of the bridge in hundreds of made-up worlds.

`SEED=123 pytest tests/simulation` repeats one, and shows all that happened; `SEEDS=20000` asks for more of them.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from tests.simulation import loop
from tests.simulation.checker import complaints
from tests.simulation.planted import PLANTED
from tests.simulation.world import Program, World

_GROUP = 50  # seeds a test, so that they can be spread over processes
_SEEDS = int(os.environ.get("SEEDS", "300"))
_FINDS = 300
"""Seeds within which an error has to be found."""


@contextmanager
def silenced() -> Iterator[None]:
    """Log nothing."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with silenced():
        yield


def simulate(seed: int, program: Program) -> tuple[World, list[str]]:
    """What happened, and what was wrong with it."""
    world = World(seed, program)
    try:
        loop.run(world.run())
    except (Exception, BaseExceptionGroup) as error:
        return world, [f"it never came to rest, or broke: {error!r}", *complaints(world)]
    return world, list(complaints(world))


def groups() -> list[range]:
    if seed := os.environ.get("SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(first, min(first + _GROUP, _SEEDS)) for first in range(0, _SEEDS, _GROUP)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", groups(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_no_message_is_lost_doubled_or_out_of_order_in_random_worlds(seeds: range) -> None:
    for seed in seeds:
        world, wrong = simulate(seed, Program())
        if wrong:
            happened = "\n".join(world.weather.trace) if len(seeds) == 1 else ""
            pytest.fail(f"repeat it with SEED={seed} pytest {__file__}\n{happened}\n" + "\n".join(wrong), pytrace=False)


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_found_within_the_first_seeds(error: str) -> None:
    assert any(simulate(seed, PLANTED[error])[1] for seed in range(_FINDS))


def test_the_same_seed_gives_the_same_world_in_every_process() -> None:
    seeds = range(5)
    here = [simulate(seed, Program())[0].weather.digest() for seed in seeds]
    assert here == [simulate(seed, Program())[0].weather.digest() for seed in seeds]
    script = (
        "from tests.simulation.test_simulation import Program, simulate\n"
        "import logging, structlog\n"
        "structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))\n"
        f"for seed in {list(seeds)}: print(simulate(seed, Program())[0].weather.digest())"
    )
    for hash_seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.split() == here
