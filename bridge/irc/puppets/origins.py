"""Where puppets seem to come from: an address of each member's own, by which networks tell them apart. Pure."""

import ipaddress
from collections.abc import Sequence
from hashlib import blake2b

from bridge.irc.puppets import nicks
from bridge.irc.puppets.origin_settings import USER, Webirc

_CODE_BYTES = 16
"""As many as the longest address has."""


def address(prefix: str, identity: str) -> str:
    """The address of a member in the network `prefix`: always the same one, and never the network's first or last,
    which have a meaning of their own (RFC 4291 section 2.6.1, RFC 919)."""
    network = ipaddress.ip_network(prefix)
    code = int.from_bytes(blake2b(identity.encode(errors="replace"), digest_size=_CODE_BYTES).digest(), "big")
    return str(network[1 + code % (network.num_addresses - 2)])


def webirc(settings: Webirc | None, identity: str) -> Sequence[str]:
    """The words after WEBIRC (https://ircv3.net/specs/extensions/webirc) for a member; none without settings. The
    address stands for the host, too, as there is no name for it."""
    if settings is None:
        return ()
    shown = address(settings.addresses, identity)
    word = f"0{shown}" if shown.startswith(":") else shown
    return settings.password, settings.gateway.replace(USER, nicks.username(identity)), word, word
