"""Members whom real servers tell apart: by WEBIRC on InspIRCd (`cgiirc`) and ngIRCd (`WebircPassword`), by the address
from which they connect, and by an identd."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd, Process
from bridge.demo.servers.process import HOST
from bridge.irc.puppets import identd, origins
from bridge.irc.puppets.nicks import username
from bridge.network import PermanentError
from tests.conftest import need, running
from tests.fakes.memory import Notebook
from tests.integration import routed
from tests.integration.certificates import self_signed
from tests.integration.irc import Log
from tests.integration.puppets import member, pond, says
from tests.integration.servers import NgIrcd, unique

pytestmark = pytest.mark.servers

WEBIRC = {"webirc": {"password": "secret-of-webirc"}}
ADDRESSES = "fd71:7561:636b::/64"
_CGIIRC = f"""
<module name="cgiirc">
<cgihost type="webirc" password="secret-of-webirc" mask="{HOST}">
"""


@pytest.fixture(scope="module", params=["inspircd", "ngircd"])
def gated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that takes WEBIRC from us."""
    folder = tmp_path_factory.mktemp(request.param)
    kind = InspIRCd if request.param == "inspircd" else NgIrcd
    need(kind)
    webirc = NgIrcd(folder, extra="Ident = no\nWebircPassword = secret-of-webirc")
    with running(InspIRCd(folder, extra=_CGIIRC) if kind is InspIRCd else webirc) as server:
        yield server


async def seen(bob: IrcPerson, nick: object) -> tuple[str, str]:
    """User name and host of somebody, as WHOIS shows them."""
    answer = await bob.ask(f"WHOIS {nick}", lambda line: line.command == "311")
    return answer.params[2], answer.params[3]


async def test_by_webirc_each_member_has_an_address_and_keeps_the_user_name(gated: Process) -> None:
    ann, bea = member(unique("ann")), member(unique("bea"))
    async with pond(gated, puppets=WEBIRC) as (us, bob):
        for who in (ann, bea):
            await says(us, who, f"quack of {who.user}")
            assert (await bob.heard(f"quack of {who.user}")).sender == who.user
            user, host = await seen(bob, who.user)
            assert (user.lstrip("~"), host) == (username(who.address), origins.address(ADDRESSES, who.address))
        assert us.events == []


async def test_a_ban_of_an_address_hits_one_member_alone(gated: Process) -> None:
    ann, bea = member(unique("ann")), member(unique("bea"))
    async with pond(gated, puppets=WEBIRC) as (us, bob):
        await bob.raw(f"MODE {us.room.id} +b *!*@{origins.address(ADDRESSES, ann.address)}")
        await bob.ping()
        with pytest.raises(PermanentError, match="banned"):
            await says(us, ann, "one")
        await says(us, bea, "two")
        assert (await bob.heard("two")).sender == bea.user


async def test_a_puppet_is_known_where_the_server_shows_the_gateway_as_its_user_name(gated: Process) -> None:
    """As ngIRCd does. What it said is nobody's words, also for a bridge that was started again."""
    ann, memory = member(unique("ann")), Notebook()
    puppets = {"webirc": {"password": "secret-of-webirc", "gateway": "pond"}}
    for text in ("one", "two"):
        async with pond(gated, puppets=puppets, memory=memory) as (us, bob):
            await says(us, ann, text)
            assert (await bob.heard(text)).sender == ann.user
            user, _ = await seen(bob, ann.user)
            assert user.lstrip("~") == ("pond" if isinstance(gated, NgIrcd) else username(ann.address))
            assert us.events == []


async def test_a_member_whom_the_server_does_not_let_in_by_webirc_speaks_with_the_mark(
    tmp_path_factory: pytest.TempPathFactory, log: Log
) -> None:
    """InspIRCd closes the connection, and the log says why, without the password."""
    need(InspIRCd)
    ann = member(unique("ann"))
    async with InspIRCd(tmp_path_factory.mktemp("own") / "ircd", extra=_CGIIRC) as server:
        async with pond(server, puppets={"webirc": {"password": "wrong-word"}}) as (us, bob):
            await says(us, ann, "quack")
            assert (await bob.heard("quack")).text == f"<{ann.user}> quack"
        entry = await log.shows("puppet_offline")
        assert "WEBIRC" in entry["reason"]
        assert not [each for each in log._entries if "wrong-word" in repr(each)]


# Addresses of their own


@pytest.fixture(params=["inspircd", "ngircd"])
def server(request: pytest.FixtureRequest, inspircd: InspIRCd, ngircd: NgIrcd) -> Process:
    return inspircd if request.param == "inspircd" else ngircd


LOOPBACK = "127.77.0.0/16"
"""Addresses of loopback, any of which may be bound here."""


async def test_each_member_connects_from_an_address_of_their_own_and_a_ban_hits_one_alone(server: Process) -> None:
    ann, bea = member(unique("ann")), member(unique("bea"))
    async with pond(server, puppets={"source": LOOPBACK}) as (us, bob):
        for who in (ann, bea):
            await says(us, who, f"quack of {who.user}")
            await bob.heard(f"quack of {who.user}")
            assert (await seen(bob, who.user))[1] == origins.address(LOOPBACK, who.address)
        assert (await seen(bob, us.settings.nick))[1] == HOST
        await bob.raw(f"MODE {us.room.id} +b *!*@{origins.address(LOOPBACK, ann.address)}")
        await bob.ping()
        with pytest.raises(PermanentError, match="banned"):
            await says(us, ann, "two")
        await says(us, bea, "three")
        assert (await bob.heard("three")).sender == bea.user


async def test_a_member_connects_from_their_address_by_tls_to_a_server_whose_name_is_checked(tmp_path: Path) -> None:
    need(InspIRCd)
    signed, ann = self_signed(tmp_path, "localhost", 9), member(unique("ann"))
    async with InspIRCd(tmp_path / "irc", tls=(signed.certificate, signed.key)) as server:
        place = f"localhost:{server.tls_port}"
        there: dict[str, Any] = {"server": place, "tls": True, "tls_ca_file": signed.certificate}
        async with pond(server, puppets={"source": LOOPBACK}, **there) as (us, bob):
            await says(us, ann, "quack")
            assert (await bob.heard("quack")).sender == ann.user
            assert (await seen(bob, ann.user))[1] == origins.address(LOOPBACK, ann.address)


async def test_from_an_address_that_is_routed_elsewhere_nobody_connects_and_the_mark_speaks(
    inspircd: InspIRCd, log: Log
) -> None:
    ann = member(unique("ann"))
    async with pond(inspircd, puppets={"source": "2001:db8:1::/64"}) as (us, bob):
        await says(us, ann, "quack")
        assert (await bob.heard("quack")).text == f"<{ann.user}> quack"
        entry = await log.shows("puppet_offline")
        assert f"from {origins.address('2001:db8:1::/64', ann.address)}" in entry["reason"]
        assert "has no IPv6 address" in entry["reason"]


async def test_from_a_prefix_that_is_routed_to_this_machine_each_member_has_an_ipv6_address(tmp_path: Path) -> None:
    """In a network namespace of its own, where the test may set routes."""
    need(InspIRCd)
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("unshare or ip is not installed")
    route = f"ip link set lo up && ip -6 route add local {routed.PREFIX} dev lo"
    command = ("unshare", "-rn", "sh", "-c", f'{route} && exec "$@"', "sh")
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:  # noqa: ASYNC221
        pytest.skip("no network namespace of one's own, or no IPv6, on this machine")
    script = (*command, sys.executable, "-m", routed.__name__, str(tmp_path / "irc"))
    done = await asyncio.to_thread(subprocess.run, script, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout.splitlines()[-1:] or [done.stderr]
    assert said == [" ".join(origins.address(routed.PREFIX, who) for who in ("@ann:hs", "@bea:hs"))]


# Their user names, proven


@pytest.fixture(scope="module", params=["inspircd", "ngircd"])
def asking(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that asks the machines of its clients for their user names."""
    folder = tmp_path_factory.mktemp(request.param)
    kind = InspIRCd if request.param == "inspircd" else NgIrcd
    need(kind)
    plain = NgIrcd(folder, extra="Ident = yes\nDNS = yes")  # without DNS, it asks nobody
    with running(InspIRCd(folder, ident=True) if kind is InspIRCd else plain) as server:
        yield server


async def test_servers_ask_the_identd_for_the_user_name_of_a_member_and_believe_it(asking: Process) -> None:
    """At port 113 of the member's own address, which is the only one there is."""
    ann, bea = member(unique("ann")), member(unique("bea"))
    place = f"{origins.address(LOOPBACK, ann.address)}:113"
    try:
        identd.listener(place).close()
    except PermissionError:
        pytest.skip("ports below 1024 are for root on this machine")
    async with pond(asking, puppets={"source": LOOPBACK, "identd": place}) as (us, bob):
        for who, proven in ((ann, True), (bea, False)):
            await says(us, who, f"quack of {who.user}")
            assert (await bob.heard(f"quack of {who.user}")).sender == who.user
            user, _ = await seen(bob, who.user)
            assert user == ("" if proven else "~") + username(who.address)
        assert us.events == []
