"""The Matrix ids of ghosts: each person on IRC has one, and no two have the same. Pure.

@irc_libera_bob:example.org       who is logged in to the services account bob
@irc_libera_bob_1:example.org     who only has the nick bob; _2 is somebody else who had that nick later
"""

import re

from bridge.lib.ids import digest
from bridge.model.identifiers import MATRIX_ID_LIMIT

PREFIX = "irc_"
"""How the local parts of all ghosts begin. The application service has these for itself."""
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.-/+")
"""What stands for itself in a local part. `=` begins an escape, and `_` stands between the parts only."""
_ESCAPE = re.compile(rb"=([0-9a-f]{2})")
_LONGEST = 60
"""Characters of network and name in an id that would be too long in full: the digest behind them tells who it is."""


def ghost_id(network: str, name: str, number: int, server: str) -> str:
    """The id of the ghost of `name`, folded and `escaped`, on `network`. `number`: 0 for a services account; else, of
    those who had the nick, which one. Raises ValueError if no id on that server can be short enough."""
    tail = f"_{number}" if number else ""
    found = f"@{PREFIX}{escaped(network)}_{name}{tail}:{server}"
    if len(found.encode()) <= MATRIX_ID_LIMIT:
        return found
    who = digest("ghost", network, name, str(number))  # longer than any number
    for most in (_LONGEST, 0):
        found = f"@{PREFIX}{escaped(network)[:most]}_{name[:most]}_{who}:{server}"
        if len(found.encode()) <= MATRIX_ID_LIMIT:
            return found
    raise ValueError(f"the name of the server is too long for ghosts: {server}")


def parsed(user: str) -> tuple[str, str] | None:
    """The network and the name (an account, or a nick) of whom `ghost_id` gave an id; None for any other, and for one
    that was too long to say."""
    parts = user.partition(":")[0].removeprefix(f"@{PREFIX}").split("_")
    if not user.startswith(f"@{PREFIX}") or len(parts) not in (2, 3) or (len(parts) == 3 and len(parts[2]) != 1):
        return None
    return _unescaped(parts[0]), _unescaped(parts[1])


def _unescaped(text: str) -> str:
    found = _ESCAPE.sub(lambda code: bytes([int(code[1], 16)]), text.encode())
    return found.decode(errors="surrogatepass")


def escaped(text: str) -> str:
    """`text` in lower-case signs of a local part; any other is `=` and two hex digits for each byte of its UTF-8 (spec,
    "Mapping from other character sets")."""
    data = text.encode(errors="surrogatepass")
    return "".join(chr(byte) if byte in _PLAIN else f"={byte:02x}" for byte in data)


def may_be_ghost(user: str, server: str) -> bool:
    """Whether `user` is an id of the application service on that server."""
    return user.startswith(f"@{PREFIX}") and user.partition(":")[2] == server
