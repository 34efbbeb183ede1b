"""The settings of a network's puppets."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from bridge.irc.puppets.origin_settings import Listen, Prefix, Webirc
from bridge.lib.settings import Count, Duration, Lasting, Line, Section

_NAME, _ID = "{name}", "{id}"
_NICK = re.compile(r"(?:[A-Za-z\[\]\\`_^|][A-Za-z0-9\-\[\]\\`_^|]*)?")
"""What may stand in a nick around the name (RFC 2812 section 2.3.1)."""
_MOST_AROUND = 16
"""Characters around the name: some servers take nicks of 30, and something has to be left of the name."""
_MOST_REALNAME = 100
_SLOWEST_S = 3600.0


def _nick(text: str) -> str:
    before, name, after = text.partition(_NAME)
    around = before + after
    if not name or not _NICK.fullmatch(before) or not _NICK.fullmatch(f"a{after}") or len(around) > _MOST_AROUND:
        raise ValueError(
            f"must have {_NAME} once, and around it at most {_MOST_AROUND} signs that may be in a nick: "
            f"letters, digits, -_[]\\`^|, and neither a digit nor - first"
        )
    return text


def _realname(text: str) -> str:
    if re.search("[{}]", text.replace(_NAME, "").replace(_ID, "")) or len(text) > _MOST_REALNAME:
        raise ValueError(f"may have {_NAME} and {_ID} in it, no other braces, and {_MOST_REALNAME} signs at most")
    return text


def _spaced(seconds: float) -> float:
    if seconds > _SLOWEST_S:
        raise ValueError("must be at most 1h, or off")
    return seconds


class PuppetSettings(Section):
    """Members who speak with a connection of their own, in links that have `puppets: members`."""

    nick: Annotated[str, AfterValidator(_nick)] = "{name}"
    """The nick of a member, with `{name}`, their name in the allowlist: `{name}[m]`. What the server does not allow is
    left out, and where something is, a short code is added."""
    realname: Annotated[Line, AfterValidator(_realname)] = "{id}"
    """What WHOIS tells about them: `{id}` is their Matrix id, or what else proves them; `{name}` as for the nick."""
    idle: Duration = Field(default="7d", validate_default=True)
    """How long a member's connection stays without words of theirs."""
    limit: Count = 30
    """Most connections of members at once. Further members speak by the bridge's own account."""
    connect_every: Annotated[Lasting, AfterValidator(_spaced)] = Field(default="5s", validate_default=True)
    """How long to wait between two of these connections: networks throttle those who connect too fast. `off`: not at
    all."""
    away: bool = True
    """Show on IRC that a member is away while their homeserver says that they are. It is asked once a minute for each
    connection; some homeservers do not tell."""
    webirc: Webirc | None = None
    """Tell the server an address of each member's own, if its admins have given the bridge a password for that
    (WEBIRC)."""
    source: Prefix | None = None
    """A network (`2001:db8:1::/64`) that is routed to this machine: each member connects from an address of their own
    in it, always the same one. With an IPv4 network, a few members may share one."""
    identd: Listen | None = None
    """Where to listen, as host:port, for servers that ask whose connection one is (RFC 1413): `0.0.0.0:1113`, to which
    the system redirects port 113. `[::]:1113` is for IPv4, too. Several networks may name the same."""
