"""IRC: a sans-I/O session and the thin shell that gives it a socket."""

from bridge.irc.client import IrcNetwork
from bridge.irc.settings import IrcSettings

__all__ = ["IrcNetwork", "IrcSettings"]
