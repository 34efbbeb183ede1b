"""Has a daemon of the tests soon try again what it tries again after a minute: `Daemon(folder, BEFORE)`."""

from unittest.mock import patch

from bridge.matrix.crypto import again

BEFORE = f"{__name__}:hurry"


def hurry() -> None:
    """To be called in the process of the daemon, before it begins."""
    patch.object(again, "AGAIN_S", 0.2).start()
