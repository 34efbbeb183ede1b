"""What the tests on real servers share."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.demo.servers import InspIRCd, Synapse
from tests.conftest import cannot
from tests.integration.element import ElementWeb, missing
from tests.integration.irc import Log
from tests.integration.servers import Anope


@pytest.fixture
def log() -> Iterator[Log]:
    """What our own process logs."""
    with capture_logs() as entries:
        yield Log(entries)


@pytest.fixture
async def own_services(tmp_path: Path) -> AsyncGenerator[Anope, None]:
    """An IRC server of the test's own, which it may kill."""
    async with InspIRCd(tmp_path / "ircd", services=True) as irc, Anope(tmp_path / "anope", irc) as services:
        yield services


@pytest.fixture
async def own_synapse(tmp_path: Path) -> AsyncGenerator[Synapse, None]:
    async with Synapse(tmp_path / "synapse") as server:
        yield server


@pytest.fixture(scope="session")
def element_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ElementWeb]:
    """The process with the clients of those who use Element."""
    if reason := missing():
        cannot(reason)
    with ElementWeb(tmp_path_factory.mktemp("element")) as clients:
        yield clients
