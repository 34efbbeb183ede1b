"""Which addresses are fetched from: web addresses of public hosts, and no others."""

from contextlib import suppress
from ipaddress import IPv4Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.previews.addresses import Unfit, is_near, is_public, may_reach, web_address

PUBLIC = ["1.1.1.1", "93.184.216.34", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::200e"]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b:1::1",
    "64:ff9b::7f00:1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::10.0.0.1",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c:0:0:0:1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:0808:0808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2606:4700::1111%1",
    "4000::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached_at_the_ports_of_the_web(address: str) -> None:
    assert is_public(ip_address(address))
    assert [port for port in (22, 80, 443, 6379, 8080) if may_reach(address, port)] == [80, 443]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_address_of_this_machine_of_a_network_around_it_or_of_many_hosts_may_be_reached(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not may_reach(address, 80)


@pytest.mark.parametrize("private", ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "100.64.0.0/10"])
@given(st.data())
def test_a_private_ipv4_address_in_an_ipv6_address_is_not_public(private: str, data: st.DataObject) -> None:
    network = IPv4Network(private)
    inner = network[data.draw(st.integers(0, network.num_addresses - 1))]
    for outer in ("::", "::ffff:", "::ffff:0:", "64:ff9b::", "fe80::5efe:"):
        assert not is_public(ip_address(f"{outer}{inner}"))
    assert not is_public(ip_address(f"2002:{int(inner) >> 16:x}:{int(inner) & 0xFFFF:x}::1"))


def test_an_ipv4_host_is_public_also_as_it_looks_where_there_is_only_ipv6() -> None:
    assert is_public(ip_address("64:ff9b::93.184.216.34"))


@pytest.mark.parametrize(
    ("address", "own", "near"),
    [
        ("93.184.216.34", "93.184.216.34", True),
        ("93.184.216.34", "93.184.216.35", False),
        ("93.184.216.34", "10.0.0.1", False),
        ("2606:4700:0:1::1", "2606:4700:0:1:a:b:c:d", True),
        ("2606:4700:0:1::1", "2606:4700:0:2::1", False),
    ],
)
def test_a_public_address_is_near_that_is_ours_or_in_our_ipv6_network(address: str, own: str, near: bool) -> None:
    assert is_near(address, own) is near


def test_what_is_no_ip_address_is_not_reached() -> None:
    assert not may_reach("localhost", 80)
    assert not may_reach("127.1", 80, [IPv4Network("127.0.0.0/8")])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://pics.example.org/cat.png", "https://pics.example.org/cat.png"),
        ("HTTP://Pics.Example.org:8080/cat.png?size=1#top", "http://pics.example.org:8080/cat.png?size=1"),
        ("https://bücher.example/k%C3%A4fer.png", "https://xn--bcher-kva.example/k%C3%A4fer.png"),
        ("https://pics.example.org./cat.png", "https://pics.example.org./cat.png"),
        ("http://93.184.216.34/cat.png", "http://93.184.216.34/cat.png"),
        ("http://[2606:4700::1111]/cat.png", "http://[2606:4700::1111]/cat.png"),
        ("http://127.0.0.1/cat.png", "http://127.0.0.1/cat.png"),  # refused once it would be connected to
    ],
)
def test_a_web_address_is_taken_without_its_fragment(text: str, meant: str) -> None:
    assert str(web_address(text)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "ftp://example.org/cat.png",
        "gopher://example.org/cat.png",
        "//example.org/cat.png",
        "/cat.png",
        "data:,x",
        "javascript:alert(1)",
        "https:",
        "https://",
        "https:///cat.png",
        "https://:80/cat.png",
        "https://example.org:0x50/",
        "http://a.b:99999/",
        "https://user@example.org/cat.png",
        "https://user:secret@example.org/cat.png",
        "https://:secret@example.org/cat.png",
        "https://example.org@127.0.0.1/cat.png",
        "http://127.1/",
        "http://0/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://1.2.3.4.5/",
        "http://1.2.3.08/",
        "http://0x/",
        "http://127.0.0.0x1/",
        "http://256.1.1.1/",
        "http://１２７.０.０.１/",
        "http://①②⑦.0.0.1/",
        "http://localhost/",
        "http://LOCALHOST/",
        "http://localhost./",
        "http://pc/",
        "http://api.localhost/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://router.home.arpa/",
        "http://example.onion/",
        "http://example.ONION./",
        "http://[fe80::1%25eth0]/",
        "http://[::1%eth0]/",
        "http://[::1/",
        "http://exa_mple..org/",
        "http://.example.org/",
        "http://ex%61mple.org/",
        "http://exam%2fple.org/",
        "http://a.b%00.org/",
    ],
)
def test_what_is_no_web_address_of_a_host_on_the_internet_is_refused(text: str) -> None:
    try:
        url = web_address(text)
    except Unfit:
        return
    assert url.raw_host is not None
    assert ":" in url.raw_host or url.raw_host.replace(".", "").isdigit()
    assert not may_reach(url.raw_host, url.port or 0)


@pytest.mark.parametrize(
    "text", ["http://example.org/a b\n", "http://exa\0mple.org/", "http://a.example/" + "a" * 2_000]
)
def test_what_has_control_characters_or_is_very_long_is_no_address(text: str) -> None:
    with pytest.raises(Unfit):
        web_address(text)


def test_a_backslash_does_not_hide_the_host() -> None:
    for text in (
        "http://example.org\\@127.0.0.1/",
        "http://127.0.0.1\\@example.org/",
        "http://127.0.0.1\\.example.org/",
    ):
        try:
            host = web_address(text).raw_host
        except Unfit:
            continue
        assert host not in ("example.org", "127.0.0.1")


@given(st.text(max_size=60))
def test_whatever_is_said_is_an_address_or_refused(text: str) -> None:
    for each in (text, "http://" + text, "https://[" + text + "]/"):
        with suppress(Unfit):
            assert web_address(each).raw_host
