"""The promises of encrypted rooms in made-up worlds. SEED and SEEDS are as in test_simulation.

vodozemac takes its keys from the operating system: in each run of a seed they are others. Nothing is decided by them,
so that the same happens in the same order; only what keys, and so rows, are called differs.
"""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation import loop
from tests.simulation.sealed.checker import complaints
from tests.simulation.sealed.planted import PLANTED, Error
from tests.simulation.sealed.world import SealedWorld

_GROUP = 10  # seeds a test, so that they can be spread over processes
_SEEDS = int(os.environ.get("SEEDS", "20"))
_FINDS = 60
"""Seeds within which an error has to be found."""


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def simulate(seed: int, error: Error = Error()) -> tuple[SealedWorld, list[str]]:  # noqa: B008
    """What happened, and what was wrong with it."""
    world = SealedWorld(seed, error.lease, copies=error.copies)
    with error.wrong():
        try:
            loop.run(world.run())
        except (Exception, BaseExceptionGroup) as trouble:
            return world, [f"it never came to rest, or broke: {trouble!r}", *complaints(world)]
        return world, list(complaints(world))


def _seeds() -> list[range]:
    if seed := os.environ.get("SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(first, min(first + _GROUP, _SEEDS)) for first in range(0, _SEEDS, _GROUP)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", _seeds(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_no_message_is_lost_unreadable_in_plain_or_sealed_with_a_used_step(seeds: range) -> None:
    for seed in seeds:
        world, wrong = simulate(seed)
        if wrong:
            happened = "\n".join(world.weather.trace) if len(seeds) == 1 else ""
            pytest.fail(f"repeat it with SEED={seed} pytest {__file__}\n{happened}\n" + "\n".join(wrong), pytrace=False)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_with_keys_is_found_within_the_first_seeds(error: str) -> None:
    assert any(simulate(seed, PLANTED[error])[1] for seed in range(_FINDS))


@pytest.mark.timeout(600)
def test_a_seed_gives_the_same_world_though_its_keys_are_others() -> None:
    for seed in range(2):
        assert simulate(seed)[0].weather.digest() == simulate(seed)[0].weather.digest()
