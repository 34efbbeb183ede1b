"""Servers that the fault tests may kill, and a table of what was seen, under the tests' own results."""

from collections.abc import Iterator

import pytest

from bridge.demo.servers import InspIRCd, Synapse
from tests.conftest import need, running
from tests.faults.scene import Outcome
from tests.integration.servers import Anope

_SEEN = "seen"  # a property of a test, which also comes from another process


@pytest.fixture(scope="module")
def mortal_synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    need(Synapse)
    with running(Synapse(tmp_path_factory.mktemp("mortal-synapse"))) as server:
        yield server


@pytest.fixture(scope="module")
def mortal_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anope]:
    """Services, and an IRC server on which every channel keeps its history."""
    need(InspIRCd, Anope)
    folder = tmp_path_factory.mktemp("mortal-irc")
    irc = InspIRCd(folder / "ircd", services=True, modes="notH 500:1h")
    with running(irc), running(Anope(folder / "anope", irc)) as services:
        yield services


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[list[Outcome]]:
    """The outcomes to print at the end of the run."""
    outcomes: list[Outcome] = []
    yield outcomes
    rows = (f"  to IRC:    {it.to_irc}\n  to Matrix: {it.to_matrix}" for it in outcomes)
    request.node.user_properties += [(_SEEN, f"{request.node.name}\n{row}") for row in rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    rows = {text for report in reports for key, text in getattr(report, "user_properties", ()) if key == _SEEN}
    if rows:
        terminalreporter.section("faults")
        terminalreporter.line("\n".join(sorted(rows)))
