"""The entry point: runs a command, and turns what went wrong into one clear line and an exit status."""

import os
import sys
import traceback

import click

from bridge.cli import cli
from bridge.config import ConfigError
from bridge.network import Refused
from bridge.store import StoreError, Unusable
from bridge.users import UsersError

FAILED = 1
"""Trying again may help."""
WRONG = 2
"""Wrong usage or configuration: trying again does not help, a supervisor must not restart."""
INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted."""
    sys.exit(_run())


def _run() -> int:
    try:
        return cli.main(prog_name="quackbridge", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ConfigError as error:
        return _say(str(error), WRONG)
    except (Refused, Unusable) as error:
        return _say(f"quackbridge: {error}", WRONG)
    except (UsersError, StoreError) as error:
        return _say(f"quackbridge: {error}", FAILED)
    except Exception as error:  # the last resort: a bug, or the machine failed; it must be loud, and one line
        if os.environ.get("QUACKBRIDGE_DEBUG"):
            traceback.print_exc()
        name = type(error).__name__
        return _say(f"quackbridge: unexpected {name}: {error} (QUACKBRIDGE_DEBUG=1 shows where)", FAILED)


def _say(line: str, status: int) -> int:
    click.echo(line, err=True)
    return status


if __name__ == "__main__":
    main()
