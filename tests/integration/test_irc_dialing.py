"""Which server, and whether it is the right one: pins, lists of servers and STS on real servers."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import InspIRCd
from bridge.demo.servers.process import free_port
from bridge.irc.dialing import pins
from bridge.irc.wire import sts
from bridge.model.text import words
from tests.conftest import need
from tests.integration.certificates import Signed, self_signed
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.irc import Log, ours, person
from tests.integration.servers import NgIrcd, Znc, unique
from tests.irc.harbour import Notebook

pytestmark = pytest.mark.servers

_WRONG = f"sha256:{'0' * 64}"


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    return self_signed(tmp_path, "localhost", 9)


def pin(signed: Signed, kind: str) -> str:
    shown = pins.fingerprints(ssl.PEM_cert_to_DER_cert(signed.certificate.read_text()))
    return next(each for each in shown if each.startswith(f"{kind}:"))


@pytest.mark.parametrize("kind", ["sha256", "sha512", "spki-sha256"])
async def test_the_second_server_is_used_while_the_first_is_away_and_recognised_by_its_pin(
    tmp_path: Path, signed: Signed, log: Log, kind: str
) -> None:
    async with InspIRCd(tmp_path / "irc", tls=(signed.certificate, signed.key)) as server:
        listed = [f"localhost:{free_port()}", f"localhost:{server.tls_port}"]
        async with (
            ours(server, server=listed, tls=True, tls_fingerprints=[_WRONG, pin(signed, kind)]) as us,
            person(server) as bob,
        ):
            await bob.join(us.room.id)
            await us.says(words("safe"))
            await bob.heard("safe")
    assert log.of("offline")[0]["hint"].endswith(f"to {listed[1]}")


async def test_a_server_with_another_certificate_is_not_even_told_our_nick(
    tmp_path: Path, signed: Signed, log: Log
) -> None:
    async with InspIRCd(tmp_path / "irc", tls=(signed.certificate, signed.key)) as server:
        nick = unique("duck")
        wrong: dict[str, Any] = {"server": f"localhost:{server.tls_port}", "tls": True, "tls_fingerprints": [_WRONG]}
        async with ours(server, wait=False, nick=nick, **wrong), person(server) as bob:
            said = await log.shows("offline")
            await bob.ping()
            await bob.raw(f"WHOIS {nick}")
            await bob.line(lambda line: line.command == "401")
    assert pin(signed, "sha256") in said["reason"]
    assert "nothing was sent" in said["reason"]


async def test_after_the_second_server_is_lost_soon_the_network_is_reached_by_the_first(
    tmp_path: Path, log: Log
) -> None:
    first, second = InspIRCd(tmp_path / "one"), InspIRCd(tmp_path / "two")
    async with second, ours(second, server=[f"localhost:{first.port}", f"localhost:{second.port}"]) as us:
        await first.start()
        try:
            await second.kill()
            async with person(first) as bob:
                await bob.join(us.room.id)
                await us.carries("still here")
                await bob.heard("still here")
        finally:
            await first.stop()


async def test_a_server_that_is_full_of_us_is_followed_by_the_next(tmp_path: Path, log: Log) -> None:
    need(NgIrcd)
    async with NgIrcd(tmp_path / "full", each=1) as full, NgIrcd(tmp_path / "free") as free:
        async with person(full), ours(free, server=[f"{each}:{port}" for each, port in places(full, free)]) as us:
            await us.carries("in")
        said = log.of("offline")[0]
    assert said["retry_in_s"] == 0
    assert "too many connections, of our address or of all" in said["reason"]


def places(*servers: NgIrcd) -> Iterator[tuple[str, int]]:
    return (("127.0.0.1", server.port) for server in servers)


@pytest.mark.parametrize("right", [True, False])
async def test_a_bouncer_that_has_signed_its_own_certificate_is_recognised_by_its_pin(
    tmp_path: Path, signed: Signed, log: Log, right: bool
) -> None:
    """It gets our password only if it is the right one."""
    need(Znc)
    nick, channel = unique("duck"), f"#{unique('pond')}"
    async with (
        InspIRCd(tmp_path / "irc") as server,
        person(server) as bob,
        Znc(server.port, nick, channel, tls=(signed.certificate, signed.key)) as znc,
    ):
        await bob.join(channel)
        listed = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{znc.port}"]
        known = [pin(signed, "spki-sha256") if right else _WRONG]
        changes: dict[str, Any] = {
            "nick": nick,
            "server_password": Znc.password,
            "tls": True,
            "tls_fingerprints": known,
        }
        async with ours(znc, wait=right, channel=channel, server=listed, **changes) as us:
            if right:
                await us.carries("through the bouncer")
                await bob.heard("through the bouncer")
            else:
                await log.shows("offline", matches=lambda entry: "is none of `tls_fingerprints`" in entry["reason"])
                assert not log.of("online")


def strict(folder: Path, signed: Signed, port: int) -> InspIRCd:
    """A server that wants TLS on `port` (IRCv3 STS)."""
    wants = f'<sts host="localhost" duration="60d" port="{port}" preload="yes">'
    modules = '<module name="sslinfo"><module name="ircv3_sts">'
    server = InspIRCd(folder, tls=(signed.certificate, signed.key), extra=modules + wants)
    server.tls_port = port
    return server


async def test_a_server_with_sts_is_reached_by_tls_and_never_again_without(
    tmp_path: Path, signed: Signed, log: Log
) -> None:
    port = free_port()
    server = strict(tmp_path / "irc", signed, port)
    trusted: dict[str, Any] = {"host": "localhost", "tls_ca_file": signed.certificate}
    async with server:
        async with ours(server, **trusted) as us, person(server) as bob:
            await bob.join(us.room.id)
            await us.says(words("safe"))
            await bob.heard("safe")
            await bob.raw(f"WHOIS {us.settings.nick}")
            await bob.line(lambda line: line.command == "671")  # uses a secure connection
            kept = {key: text for key, text in us.changes.items() if text is not None}
        assert len(log.of("upgraded")) == 1
        policy = sts.load(kept["sts localhost"])
        assert policy is not None
        assert (policy.port, policy.duration) == (port, 60 * 86_400)
        async with ours(server, memory=Notebook(kept), **trusted):
            pass
        assert len(log.of("upgraded")) == 1
    async with asyncio.timeout(30):
        async with InspIRCd(tmp_path / "other") as plain, ours(plain, wait=False, memory=Notebook(kept), **trusted):
            said = await log.shows("offline", matches=lambda entry: "cannot connect" in entry["reason"])
    assert f"localhost:{port}" in said["reason"]


async def test_the_daemon_remembers_over_a_restart_that_a_server_wants_tls(tmp_path: Path, signed: Signed) -> None:
    need(InspIRCd)
    folder, channel = tmp_path / "pond", f"#{unique('pond')}"
    folder.mkdir()
    async with strict(tmp_path / "irc", signed, free_port()) as server, person(server) as bob:
        network = {"type": "irc", "server": f"localhost:{server.port}", "tls": False, "nick": unique("duck")}
        network["tls_ca_file"] = str(signed.certificate)
        link = {"rooms": [f"irc/{channel}"], "bots": ["duck"], "guests": "relay"}
        write_config(folder, {"networks": {"irc": network}, "links": {"pond": link}, "bots": {"duck": {}}}, {})
        assert quackbridge(folder, "init-db").returncode == 0
        await bob.join(channel)
        upgraded = []
        async with Daemon(folder) as daemon:
            for _ in range(2):
                await daemon.logged("joined", lambda line: line["room"] == f"irc/{channel}")
                upgraded.append([line for line in daemon.log if line.get("event") == "upgraded"])
                assert await daemon.stop() == 0
                await daemon.start()
    assert [len(lines) for lines in upgraded] == [1, 0]
