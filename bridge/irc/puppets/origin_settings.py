"""The settings of how a network can tell the puppets of members apart."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from bridge.lib import hosts
from bridge.lib.settings import FilePath, Section, revealed

USER = "{user}"
_WORD = re.compile(r"[^\s:\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*")
_GATEWAY = re.compile(r"[A-Za-z0-9._-]{1,32}")
_LONGEST_PASSWORD = 200
"""Bytes: a line of IRC has 510, and two addresses follow."""
_FEWEST_V4, _FEWEST_V6 = 24, 96
"""The longest prefixes: fewer addresses than these have would be shared by several members too often."""


def _password(secret: SecretStr | None) -> SecretStr | None:
    """What is wrong is told without quoting it."""
    text = revealed(secret)
    if text is not None and (not _WORD.fullmatch(text) or len(text.encode(errors="replace")) > _LONGEST_PASSWORD):
        raise ValueError(f"a WEBIRC password is one word without a colon at its start, of {_LONGEST_PASSWORD} bytes")
    return secret


def _gateway(text: str) -> str:
    if not _GATEWAY.fullmatch(text.replace(USER, "x")):
        raise ValueError(f"must be one word of letters, digits and ._-, or {USER}")
    return text


def prefix(text: str) -> str:
    """A network with room for an address of each member. Raises ValueError."""
    network = hosts.network(text)
    longest = _FEWEST_V4 if isinstance(network, ipaddress.IPv4Network) else _FEWEST_V6
    if network.prefixlen > longest:
        raise ValueError(f"{text} is too small to give each member an address: /{longest} or larger")
    return str(network)


Prefix = Annotated[str, AfterValidator(prefix)]


def listen(text: str) -> str:
    """An address and a port to listen at. Raises ValueError."""
    host, _port = hosts.address(text)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is not an address: 127.0.0.1, 0.0.0.0 or [::], before the port") from None
    return text


Listen = Annotated[str, AfterValidator(listen)]


class Webirc(Section):
    """Telling the server an address of each member's own (WEBIRC), as web chats do. Exactly one of password,
    password_file."""

    password_: Annotated[SecretStr | None, AfterValidator(_password)] = Field(default=None, alias="password")
    """The password that the server has for this gateway. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the password, in one line; readable by nobody but its owner."""
    gateway: Annotated[str, AfterValidator(_gateway)] = USER
    """What the bridge calls itself. `{user}` is the user name of the member: some servers (ngIRCd) show this one, and
    operators can ban one person by it."""
    addresses: Prefix = "fd71:7561:636b::/64"
    """The network from which members have their addresses, each always the same one. Addresses of nobody, as the
    default's, are best; IPv4 for servers without IPv6: `10.71.0.0/16`."""

    @property
    def password(self) -> str:
        """The secret itself, from the config or from its file; '' if there is none."""
        return revealed(self.password_) or ""
