"""The addresses and words by which networks tell puppets apart."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.irc.puppets import origins
from bridge.irc.puppets.nicks import username
from bridge.irc.puppets.origin_settings import Webirc

PREFIX = "2001:db8:1::/64"
IDS = st.text(min_size=1, max_size=50)
PREFIXES = st.sampled_from([PREFIX, "::/96", "10.71.0.0/16", "127.5.6.0/24"])


@given(IDS, PREFIXES)
def test_an_address_is_in_its_network_and_neither_the_first_nor_the_last(identity: str, prefix: str) -> None:
    network = ipaddress.ip_network(prefix)
    found = ipaddress.ip_address(origins.address(prefix, identity))
    assert found in network
    assert found not in (network.network_address, network.broadcast_address)


def test_a_member_has_always_the_same_address_and_each_has_another() -> None:
    assert origins.address(PREFIX, "@ann:hs") == "2001:db8:1:0:4dc2:f282:b008:7e3e"
    assert len({origins.address(PREFIX, f"@ann{number}:hs") for number in range(5000)}) == 5000


def test_without_settings_there_is_no_webirc() -> None:
    assert list(origins.webirc(None, "@ann:hs")) == []


def test_the_address_is_the_host_too_and_never_begins_with_a_colon() -> None:
    """It would end the parameters of the line (the WebIRC specification, "Format")."""
    settings = Webirc.model_validate({"password": "pw", "addresses": "::/96"})
    password, gateway, host, address = origins.webirc(settings, "@ann:hs")
    assert (password, gateway, host) == ("pw", username("@ann:hs"), address)
    assert address.startswith("0::")
    assert ipaddress.ip_address(address) in ipaddress.ip_network("::/96")


def test_the_gateway_may_have_a_name_of_its_own() -> None:
    settings = Webirc.model_validate({"password": "pw", "gateway": "pond-{user}"})
    assert origins.webirc(settings, "@ann:hs")[1] == f"pond-{username('@ann:hs')}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"addresses": "2001:db8::/120"}, "too small to give each member an address: /96 or larger"),
        ({"addresses": "10.0.0.0/25"}, "too small to give each member an address: /24 or larger"),
        ({"addresses": "2001:db8::1/64"}, "write 2001:db8::/64"),
        ({"addresses": "pond"}, "neither an address nor a network"),
        ({"gateway": "a b"}, "one word"),
        ({"gateway": "{name}"}, "one word"),
        ({"password": "egret words"}, "one word"),
        ({"password": ":egret"}, "one word"),
        ({"password": "egret\r\nQUIT"}, "one word"),
        ({"password": "egret" * 50}, "200 bytes"),
    ],
)
def test_what_is_wrong_is_told_without_quoting_the_password(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Webirc.model_validate(wrong)
    (error,) = raised.value.errors()
    assert said in error["msg"]
    assert "egret" not in error["msg"]
