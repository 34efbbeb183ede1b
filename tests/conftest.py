"""The real servers, started once a run: `synapse`, `inspircd`, `ngircd`, and `services` (an InspIRCd with Anope)."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import pytest
from hypothesis import settings

from bridge.demo.servers import InspIRCd, Process, Synapse
from tests.integration.servers import Anope, NgIrcd
from tests.postgres import Postgres
from tests.simulation.loop import SimulatedLoop

settings.register_profile("quackbridge", deadline=None)  # these machines are shared: no test is about time
settings.load_profile("quackbridge")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a run in the background: programs of tests would ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

Server = TypeVar("Server", bound=Process)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Asynchronous tests run in made-up time, where no test ever waits, but for those that say `real_time` or
    need real servers."""
    if item.get_closest_marker("real_time") or item.get_closest_marker("servers"):
        return {"real time": asyncio.new_event_loop}
    return {"made-up time": SimulatedLoop}


def need(*servers: type[Process]) -> None:
    """Skip where a server is missing; fail where the run was told that all are there."""
    if reasons := [reason for server in servers if (reason := server.missing())]:
        cannot("; ".join(reasons))


def cannot(reason: str) -> NoReturn:
    """Skip for that reason; fail where the run was told that nothing is missing."""
    if os.environ.get("QUACKBRIDGE_REQUIRE_SERVERS"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """`server`, started and stopped outside the event loops of the tests. An asynchronous fixture of the whole session
    would depend on the loop factory of each test, and so be set up again for each: seconds, a hundred times."""
    with asyncio.Runner() as runner:
        runner.run(server.start())
        try:
            yield server
        finally:
            runner.run(server.stop())


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """A homeserver without rate limits. Tests that kill their homeserver start one of their own."""
    need(Synapse)
    with running(Synapse(tmp_path_factory.mktemp("synapse"))) as server:
        yield server


@pytest.fixture(scope="session")
def inspircd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InspIRCd]:
    """An IRC server with IRCv3, without services and flood limits."""
    need(InspIRCd)
    with running(InspIRCd(tmp_path_factory.mktemp("inspircd"))) as server:
        yield server


@pytest.fixture(scope="session")
def ngircd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NgIrcd]:
    """A plain RFC 2812 server."""
    need(NgIrcd)
    with running(NgIrcd(tmp_path_factory.mktemp("ngircd"))) as server:
        yield server


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anope]:
    """Services with NickServ and SASL; the IRC server that they serve is `services.irc`."""
    need(InspIRCd, Anope)
    with (
        running(InspIRCd(tmp_path_factory.mktemp("services-ircd"), services=True)) as irc,
        running(Anope(tmp_path_factory.mktemp("anope"), irc)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A database server. Tests empty it."""
    need(Postgres)
    with running(Postgres()) as server:
        yield server
