"""Lets a daemon of the tests fetch previews from this machine: `Daemon(folder, BEFORE)`. Others never do."""

from functools import partial
from unittest.mock import patch

from bridge.app import wiring
from bridge.previews.fetcher import Fetcher
from tests.previews.hostile import LOOPBACK

BEFORE = f"{__name__}:allow"


def allow() -> None:
    """To be called in the process of the daemon, before it begins."""
    patch.object(wiring, "Fetcher", partial(Fetcher, private=LOOPBACK)).start()
