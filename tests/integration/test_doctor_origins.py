"""What the doctor says of how a network can tell members apart, on real servers."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.demo.servers import InspIRCd, Process
from bridge.demo.servers.process import HOST, free_port
from bridge.doctor import origins
from bridge.doctor.finding import Finding, Outcome
from bridge.irc.puppets import identd
from bridge.irc.puppets.origins import address
from bridge.irc.puppets.trial import Seen
from tests.conftest import need
from tests.integration.servers import plain_port
from tests.integration.test_puppet_origins import LOOPBACK, WEBIRC, asking, gated
from tests.settings import irc_settings

__all__ = ["asking", "gated"]

pytestmark = pytest.mark.servers

OK, WARN, FAIL = Outcome.OK, Outcome.WARN, Outcome.FAIL


async def examined(server: Process, puppets: Mapping[str, object], *, runs: bool = False) -> list[Finding]:
    settings = irc_settings(port=server.port, tls=False, puppets=puppets)
    return [finding async for finding in origins.found("irc net", settings, runs=runs)]


async def test_without_any_of_them_nothing_is_tried() -> None:
    settings = irc_settings(port=1, tls=False)
    assert [finding async for finding in origins.found("irc net", settings, runs=False)] == []


async def test_a_server_that_takes_webirc_is_well(gated: Process) -> None:
    (finding,) = await examined(gated, WEBIRC)
    assert (finding.outcome, finding.subject) == (OK, "irc net webirc")


async def test_a_wrong_password_of_webirc_is_told_whether_the_server_lets_us_in_or_not(gated: Process) -> None:
    """InspIRCd does not, ngIRCd does, under the bridge's address."""
    (finding,) = await examined(gated, {"webirc": {"password": "wrong-word"}})
    assert (finding.outcome, finding.subject) == (FAIL, "irc net webirc")
    assert "password" in finding.do
    assert "wrong-word" not in finding.said + finding.do
    assert ("WEBIRC" if isinstance(gated, InspIRCd) else HOST) in finding.said


async def test_a_source_that_works_and_one_that_does_not(inspircd: InspIRCd) -> None:
    (finding,) = await examined(inspircd, {"source": LOOPBACK})
    assert (finding.outcome, finding.subject) == (OK, "irc net source")
    assert address(LOOPBACK, "quackbridge doctor") in finding.said
    (finding,) = await examined(inspircd, {"source": "2001:db8:1::/64"})
    assert (finding.outcome, finding.subject) == (FAIL, "irc net source")
    assert "ip -6 route add local 2001:db8:1::/64 dev lo" in finding.do


async def test_a_server_that_asks_our_identd_is_well_and_one_that_does_not_is_told(
    asking: Process, inspircd: InspIRCd
) -> None:
    own = f"127.{100 + os.getpid() % 100}.0.0/16"  # other tests may listen at the same time
    place = f"{address(own, 'quackbridge doctor')}:113"
    try:
        identd.listener(place).close()
    except PermissionError:
        pytest.skip("ports below 1024 are for root on this machine")
    source, asked = await examined(asking, {"source": own, "identd": place})
    assert (source.outcome, asked.outcome, asked.subject) == (OK, OK, "irc net identd")
    _, asked = await examined(inspircd, {"source": own, "identd": place})
    assert asked.outcome is WARN
    assert "did not ask" in asked.said


async def test_the_port_of_the_identd_is_free_taken_or_the_daemons(inspircd: InspIRCd) -> None:
    async with plain_port(b"220 quack\r\n") as taken:
        place = {"identd": f"{HOST}:{taken}"}
        first, *_ = await examined(inspircd, place)
        assert (first.outcome, first.subject) == (FAIL, "irc net identd")
        assert "Address already in use" in first.said
        first, *_ = await examined(inspircd, place, runs=True)
        assert first.outcome is FAIL
        assert "another program answers there" in first.said
    place = {"identd": f"{HOST}:{free_port()}"}
    async with identd.Identd().listening(place["identd"]):
        await asyncio.sleep(0.1)  # it begins to listen
        (first,) = await examined(inspircd, place, runs=True)
        assert first.outcome is OK
    first, *_ = await examined(inspircd, place, runs=True)
    assert first.outcome is FAIL
    assert "Connection refused" in first.said


async def test_a_server_that_throws_members_out_is_told(tmp_path: Path) -> None:
    need(InspIRCd)
    async with InspIRCd(tmp_path / "irc", extra=f'<badip ipmask="{HOST}" reason="Go away">') as server:
        (finding,) = await examined(server, {"identd": f"{HOST}:{free_port()}"})
    assert (finding.outcome, finding.subject) == (FAIL, "irc net members")
    assert "Go away" in finding.said


def test_where_a_server_tells_nothing_of_where_one_comes_from_that_is_said() -> None:
    assert origins.webirc("w", "fd00::5", Seen("q", "hidden.example")).outcome is WARN
    assert origins.believed("i", Seen("~q", "h"), is_asked=True).outcome is WARN
    assert origins.source("s", "fd00::5", Seen("q", "hidden.example")).outcome is OK
