"""The promises of the bridge with faces in made-up worlds: members have nicks of their own on IRC, or people on IRC
have accounts of their own on Matrix.

SEED and SEEDS are as in test_simulation.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation import loop
from tests.simulation.faces import ghost_checker
from tests.simulation.faces.checker import complaints
from tests.simulation.faces.ghosts import GhostWorld
from tests.simulation.faces.planted import PLANTED, PLANTED_WITH_GHOSTS
from tests.simulation.faces.puppets import PuppetWorld
from tests.simulation.test_simulation import silenced

_GROUP = 10  # seeds a test, so that they can be spread over processes
_SEEDS = int(os.environ.get("SEEDS", "40"))
_FINDS = 60
"""Seeds within which an error has to be found."""


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with silenced():
        yield


def simulate(seed: int) -> tuple[PuppetWorld, list[str]]:
    """What happened, and what was wrong with it."""
    world = PuppetWorld(seed)
    try:
        loop.run(world.run())
    except (Exception, BaseExceptionGroup) as error:
        return world, [f"it never came to rest, or broke: {error!r}", *complaints(world)]
    return world, list(complaints(world))


def simulate_ghosts(seed: int, folder: Path) -> tuple[GhostWorld, list[str]]:
    """The same with ghosts."""
    world = GhostWorld(seed, folder)
    try:
        loop.run(world.run())
    except (Exception, BaseExceptionGroup) as error:
        return world, [f"it never came to rest, or broke: {error!r}", *ghost_checker.complaints(world)]
    return world, list(ghost_checker.complaints(world))


def _groups() -> list[range]:
    if seed := os.environ.get("SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(first, min(first + _GROUP, _SEEDS)) for first in range(0, _SEEDS, _GROUP)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", _groups(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_no_line_is_lost_doubled_out_of_order_or_said_by_the_wrong_one(seeds: range) -> None:
    for seed in seeds:
        world, wrong = simulate(seed)
        if wrong:
            happened = "\n".join(world.weather.trace) if len(seeds) == 1 else ""
            pytest.fail(f"repeat it with SEED={seed} pytest {__file__}\n{happened}\n" + "\n".join(wrong), pytrace=False)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_with_puppets_is_found_within_the_first_seeds(error: str) -> None:
    planted = PLANTED[error]
    with planted.wrong():
        assert any(simulate(seed)[1] for seed in range(planted.first, planted.first + _FINDS))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", _groups(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_no_message_is_lost_doubled_out_of_order_or_said_by_the_wrong_ghost(seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        world, wrong = simulate_ghosts(seed, tmp_path)
        if wrong:
            happened = "\n".join(world.weather.trace) if len(seeds) == 1 else ""
            pytest.fail(f"repeat it with SEED={seed} pytest {__file__}\n{happened}\n" + "\n".join(wrong), pytrace=False)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("error", PLANTED_WITH_GHOSTS)
def test_a_planted_error_with_ghosts_is_found_within_the_first_seeds(error: str, tmp_path: Path) -> None:
    with PLANTED_WITH_GHOSTS[error].wrong():
        assert any(simulate_ghosts(seed, tmp_path)[1] for seed in range(_FINDS))


def test_the_same_seed_gives_the_same_world_with_puppets_in_every_process() -> None:
    seeds = range(3)
    here = [simulate(seed)[0].weather.digest() for seed in seeds]
    script = (
        "from tests.simulation.test_faces import silenced, simulate\n"
        "with silenced():\n"
        f"    for seed in {list(seeds)}: print(simulate(seed)[0].weather.digest())"
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
