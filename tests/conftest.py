"""The real servers, started once a run: `synapse`, `inspircd`, `ngircd`, and `services` (an InspIRCd with Anope)."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NoReturn

import pytest
import pytest_asyncio

from bridge.demo.servers import InspIRCd, Process, Synapse
from tests.integration.servers import Anope, NgIrcd
from tests.simulation.loop import SimulatedLoop


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def synapse(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Synapse]:
    """A homeserver without rate limits. Tests that kill their homeserver start one of their own."""
    need(Synapse)
    async with Synapse(tmp_path_factory.mktemp("synapse")) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def inspircd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InspIRCd]:
    """An IRC server with IRCv3, without services and flood limits."""
    need(InspIRCd)
    async with InspIRCd(tmp_path_factory.mktemp("inspircd")) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ngircd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NgIrcd]:
    """A plain RFC 2812 server."""
    need(NgIrcd)
    async with NgIrcd(tmp_path_factory.mktemp("ngircd")) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Anope]:
    """Services with NickServ and SASL; the IRC server that they serve is `services.irc`."""
    need(InspIRCd, Anope)
    async with (
        InspIRCd(tmp_path_factory.mktemp("services-ircd"), services=True) as irc,
        Anope(tmp_path_factory.mktemp("anope"), irc) as server,
    ):
        yield server
