"""Who asks: believed of our proxies only, and one person is one client however many addresses they have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http.peers import Proxies, is_own, neighbourhood

OURS = Proxies(("127.0.0.0/8", "::1", "172.18.0.0/16"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["192.0.2.1"], "203.0.113.9"),
        ("127.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["192.0.2.1, 172.18.0.3"], "192.0.2.1"),
        ("172.18.0.3", ["6.6.6.6, 192.0.2.1, 127.0.0.1"], "192.0.2.1"),
        ("::ffff:172.18.0.3", ["192.0.2.1"], "192.0.2.1"),
        ("::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("127.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::/64"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [" , ,"], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], "unknown"),
        ("127.0.0.1", ["x" * 1000], "x" * 64),
        ("", ["192.0.2.1"], ""),
    ],
)
def test_a_proxy_of_ours_is_believed_and_nobody_else(peer: str, forwarded: list[str], client: str) -> None:
    assert OURS.client(peer, forwarded) == client


def test_without_proxies_nobody_is_believed() -> None:
    assert Proxies(()).client("127.0.0.1", ["192.0.2.1"]) == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_the_addresses_of_one_customer_are_one_client(address: str, client: str) -> None:
    assert neighbourhood(address) == client


@given(st.text(max_size=100), st.lists(st.text(max_size=100), max_size=3))
def test_no_header_breaks_it_and_no_client_has_a_long_name(peer: str, forwarded: list[str]) -> None:
    assert len(OURS.client(peer, forwarded)) <= 64
    assert len(OURS.client("127.0.0.1", forwarded)) <= 64


def test_a_request_is_from_this_machine_only_if_no_proxy_has_passed_it_on() -> None:
    assert is_own("127.0.0.1", ["Host", "User-Agent"])
    assert is_own("::1", [])
    assert is_own("::ffff:127.0.0.1", [])
    for header in ("X-Forwarded-For", "x-forwarded-for", "Forwarded", "X-Real-IP", "Via"):
        assert not is_own("127.0.0.1", ["Host", header])
    for peer in ("172.18.0.3", "10.0.0.1", "", "localhost"):
        assert not is_own(peer, [])
