"""What becomes of what people say, on real servers with and without message tags: each case of `tests.cases`."""

import asyncio
from collections.abc import Mapping

import pytest

from bridge.demo.servers import Synapse
from tests.cases import CASES, Case
from tests.integration.servers import Anope, NgIrcd
from tests.integration.stage import Outcome, expected, name_of, play

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]  # all cases are played before the first is judged


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, synapse: Synapse, services: Anope, ngircd: NgIrcd
) -> Mapping[str, Outcome]:
    """What was seen in each case on each server. They are played side by side: much of the time, they wait."""
    return asyncio.run(play(tmp_path_factory.mktemp("cases"), CASES, synapse, services, ngircd))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.direction}: {case.title}")
def test_people_see_on_the_other_network(case: Case, outcomes: Mapping[str, Outcome]) -> None:
    for net in ("irc",) if case.tags else ("irc", "plain"):
        lines, events = outcomes[name_of(case, net)]
        assert (net, lines) == (net, expected(case, net)[0])
        assert (net, events) == (net, expected(case, net)[1])
