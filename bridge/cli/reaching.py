"""Where the running daemon may be reached, if only its config file is known. Quick to import."""

import os
from collections.abc import Sequence
from pathlib import Path

from bridge.lib import sockets


def places(config: Path) -> Sequence[Path]:
    """Where the socket may be, the best place first. The config is read only if its folder is one in which the daemon
    could put no link to the socket: reading it takes longer than a question, and it may be broken. Raises ConfigError.
    """
    found = sockets.places(None, config, os.environ)
    if any(map(os.path.lexists, found)):
        return found
    from bridge.cli.common import load_settings  # slow, and mostly not needed

    return [sockets.of_store(load_settings(config).store.path.absolute()), *found]
