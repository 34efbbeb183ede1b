"""Several servers of a network, the address that we connect from, and proxies, on scripted servers on loopback."""

import asyncio
import random
import socket
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers.process import free_port
from bridge.irc.backoff import Ending, ReconnectPause
from bridge.irc.dialing.servers import Address, Servers
from tests.irc.harbour import attempt, certified, serving
from tests.irc.socks import Socks, socks
from tests.irc.test_client import Ircd

pytestmark = pytest.mark.real_time

AWAY = Ending("cannot connect")


def servers(*ports: int) -> Servers:
    return Servers([Address("irc.test", port, tls=True) for port in ports], ReconnectPause(random.Random(1)))


def test_after_the_last_server_there_is_a_pause_that_grows_with_each_round() -> None:
    of_us, order, pauses = servers(1, 2, 3), [], []
    for _ in range(12):
        order.append(of_us.current.port)
        pauses.append(of_us.after(AWAY))
    assert order == [1, 2, 3] * 4
    assert [pause > 0 for pause in pauses] == [False, False, True] * 4
    for pause, most in zip(pauses[2::3], (1, 2, 4, 8), strict=True):
        assert most / 2 <= pause <= most


def test_after_a_connection_that_lasted_the_first_server_is_the_next() -> None:
    of_us = servers(1, 2, 3)
    of_us.after(AWAY)
    assert of_us.current.port == 2
    assert 0 < of_us.after(Ending("bye", online_for=3600.0)) <= 1
    assert of_us.current.port == 1


def test_a_server_that_lets_us_in_and_soon_closes_is_followed_by_the_next_after_a_pause() -> None:
    of_us = servers(1, 2)
    assert of_us.after(Ending("bye", online_for=3.0, by_server=True)) > 0
    assert of_us.current.port == 2


def test_the_pause_after_a_round_is_as_long_as_one_of_its_servers_has_asked_for() -> None:
    of_us = servers(1, 2)
    assert of_us.after(Ending("throttled", 120.0, turned_away=True)) == 0
    assert 60 <= of_us.after(AWAY) <= 120


def test_a_ban_by_the_network_is_waited_out_before_the_next_server_is_tried() -> None:
    of_us = servers(1, 2)
    assert 150 <= of_us.after(Ending("banned", 300.0, turned_away=True, everywhere=True)) <= 300
    assert of_us.current.port == 2


def test_one_server_is_paused_after_as_if_there_were_no_list() -> None:
    of_us, alone = servers(1), ReconnectPause(random.Random(1))
    for ending in [AWAY, AWAY, Ending("no", rejected=True), Ending("bye", online_for=99.0), AWAY]:
        assert of_us.after(ending) == alone.after(ending)
        assert of_us.current.port == 1


async def test_the_next_server_is_used_when_the_first_is_away_and_the_first_again_when_it_is_back() -> None:
    ircd, dead = Ircd(), free_port()
    async with serving(ircd) as port, attempt([f"localhost:{dead}", f"localhost:{port}"], tls=False) as us:
        await us.online()
        offline = await us.log.shows("offline")
    assert offline["reason"].startswith(f"cannot connect to localhost:{dead}: ")
    assert offline["retry_in_s"] == 0
    assert offline["hint"].endswith(f"to localhost:{port}")


async def test_a_server_with_the_wrong_certificate_is_followed_by_the_next_at_once(tmp_path: Path) -> None:
    wrong, right = certified(tmp_path / "wrong"), certified(tmp_path / "right")
    bad, good = Ircd(), Ircd()
    async with (
        serving(bad, wrong) as first,
        serving(good, right) as second,
        attempt(
            [f"localhost:{first}", f"localhost:{second}"], tls_ca_file=right.certificate, server_password="hunter2"
        ) as us,
    ):
        await us.online()
    assert bad.lines == []
    assert "PASS hunter2" in good.lines


async def test_an_ipv6_address_is_connected_to_and_shown_in_brackets() -> None:
    ircd = Ircd()
    async with serving(ircd, host="::1") as port, attempt([f"[::1]:{free_port()}", f"[::1]:{port}"], tls=False) as us:
        await us.online()
        assert (await us.log.shows("offline"))["reason"].startswith("cannot connect to [::1]:")


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """pond.test is the name of these addresses, in this order."""
    real = socket.getaddrinfo

    def found(host: str, *args: Any, **more: Any) -> list[Any]:
        if host != "pond.test":
            return real(host, *args, **more)
        return [each for address in addresses for each in real(address, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
async def test_a_name_with_addresses_of_both_kinds_is_reached_by_the_one_that_works(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    named(monkeypatch, "::1", "127.0.0.1")
    ircd = Ircd()
    async with serving(ircd, host=host) as port, attempt(f"pond.test:{port}", tls=False) as us:
        await us.online()


async def test_an_address_that_does_not_answer_holds_up_the_next_one_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named(monkeypatch, "127.0.0.7", "127.0.0.1")
    ircd = Ircd()
    async with serving(ircd) as port:
        with (
            socket.create_server(("127.0.0.7", port), backlog=0) as deaf,
            socket.socket() as one,
            socket.socket() as two,
        ):
            for each in (one, two):  # its queue is full: more connections get no answer
                each.setblocking(False)
                each.connect_ex(deaf.getsockname())
            async with attempt(f"pond.test:{port}", tls=False) as us, asyncio.timeout(5):
                await us.net.ready()


async def test_we_connect_from_the_address_that_is_bound_and_leave_out_the_servers_other_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named(monkeypatch, "::1", "127.0.0.1")
    ircd = Ircd()
    async with serving(ircd) as port, attempt(f"pond.test:{port}", tls=False, bind="127.0.0.9") as us:
        await us.online()
        assert ircd._writer is not None
        assert ircd._writer.get_extra_info("peername")[0] == "127.0.0.9"


async def test_an_address_that_this_machine_does_not_have_is_told() -> None:
    async with attempt(f"localhost:{free_port()}", tls=False, bind="192.0.2.7") as us:
        assert "192.0.2.7" in (await us.log.shows("offline"))["reason"]


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_name_that_no_host_can_have_is_refused(proxied: bool) -> None:
    async with socks(Socks()) as at:
        more: dict[str, Any] = {"proxy": f"socks5://127.0.0.1:{at}"} if proxied else {}
        async with attempt(f"{'a' * 70}.test:6697", **more) as us:
            assert "no host can have this name" in str(await us.refusal())


# Proxies


@pytest.mark.parametrize("user", ["", "duck"])
async def test_a_proxy_looks_up_the_name_and_tls_is_with_the_server_behind_it(tmp_path: Path, user: str) -> None:
    signed, ircd = certified(tmp_path / "one", "irc.pond.test"), Ircd()
    proxy = Socks(user, "p@ss" if user else "")
    async with serving(ircd, signed) as port, socks(proxy) as at:
        proxy.sends["irc.pond.test"] = port
        login = "duck:p%40ss@" if user else ""
        more: dict[str, Any] = {
            "tls_ca_file": signed.certificate,
            "proxy": f"socks5://{login}127.0.0.1:{at}",
            "bind": "127.0.0.9",
        }
        async with attempt("irc.pond.test:6697", **more) as us:
            await us.online()
    assert proxy.asked == [("irc.pond.test", 6697)]
    assert proxy.peers == ["127.0.0.9"]


async def test_the_certificate_of_a_server_behind_a_proxy_is_judged(tmp_path: Path) -> None:
    signed, ircd, proxy = certified(tmp_path / "one", "elsewhere.test"), Ircd(), Socks()
    async with serving(ircd, signed) as port, socks(proxy) as at:
        proxy.sends["irc.pond.test"] = port
        more: dict[str, Any] = {"tls_ca_file": signed.certificate, "proxy": f"socks5://127.0.0.1:{at}"}
        async with attempt("irc.pond.test:6697", **more) as us:
            assert "Hostname mismatch" in (await us.log.shows("offline"))["reason"]
    assert ircd.lines == []


@pytest.mark.parametrize("what", ["wrong password", "no such host", "away", "no proxy"])
async def test_trouble_with_a_proxy_is_told_without_its_password(what: str) -> None:
    proxy, ircd = Socks("duck", "right" if what == "wrong password" else "hunter2"), Ircd()
    ircd.serve = _hangs_up  # type: ignore[method-assign, assignment]
    async with serving(ircd) as silent, socks(proxy) as at:
        port = {"away": free_port(), "no proxy": silent}.get(what, at)
        async with attempt("irc.pond.test:6697", proxy=f"socks5://duck:hunter2@127.0.0.1:{port}") as us:
            offline = await us.log.shows("offline")
            assert "hunter2" not in str(us.log._entries)
            assert "hunter2" not in repr(us.net._settings)
    assert f"the proxy 127.0.0.1:{port}" in offline["reason"]
    assert "irc.pond.test:6697" in offline["reason"]


async def _hangs_up(_: object, writer: object) -> None:
    writer.close()  # type: ignore[attr-defined]
