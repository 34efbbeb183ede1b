"""`quackbridge run`: the daemon."""

import signal
import sys
from pathlib import Path

import click

from bridge.cli.options import config_option
from bridge.lib import unhindered
from bridge.lib.files import stamp
from bridge.network import Refused

_UNUSED = ("rich", "twisted")
"""Modules that structlog imports if installed, for tracebacks that a daemon never prints. Blocked: saves 5 MB."""


@click.command()
@config_option
def run(config: Path) -> None:
    """Log in to the networks and carry the conversations, until told to stop (SIGTERM or Ctrl-C)."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the daemon handles it: the config is being read anyway
    from bridge.cli.common import load  # slow: imported once SIGHUP is ignored

    seen = stamp(config)
    settings = load(config)
    sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # None makes an import fail (importlib)
    from bridge.app import daemon, log  # slow: only the daemon needs them

    output = log.configure()
    try:
        unhindered.run(daemon.run(settings, config, seen))
    except Refused as error:
        raise Refused(settings.about(error.key, str(error))) if error.key else error from error
    finally:
        if output is not None:
            output.drain(1.0)
