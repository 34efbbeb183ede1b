"""The small pure-Python IRC server of the `irc` package, for machines without InspIRCd."""

import sys
from collections.abc import Sequence

from bridge.demo.servers.process import HOST, Process


class PyIrcd(Process):
    """No tags, no capabilities, no keys, no accounts; its PONG repeats nothing."""

    mask_host = "localhost"
    """The host in the `nick!user@host` of every client here: the server's own name."""

    def command(self) -> Sequence[str]:
        return (sys.executable, "-m", "irc.server", "--address", HOST, "--port", str(self.port))

    def prepare(self) -> None:
        """It takes no configuration file."""
