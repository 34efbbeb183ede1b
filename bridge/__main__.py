"""The entry point: runs a command, and turns any error into one clear line and an exit code."""

import io
import logging
import os
import sys
import threading
import traceback
from pathlib import Path

import click

from bridge.cli import cli
from bridge.lib.exits import DONE, FAILED, INTERRUPTED, WRONG
from bridge.model.text import printable


def main() -> None:
    """Run the command line and exit with a code of `bridge.lib.exits`.

    With QUACKBRIDGE_DEBUG set, a failure prints its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # else printing a name that the terminal cannot show fails
    status = _run()
    if threading.active_count() > 1:  # Python would wait for a thread that waits for a DNS server
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _run() -> int:
    try:
        return cli.main(prog_name="quackbridge", standalone_mode=False) or DONE
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG
    except click.ClickException as error:
        return _say(_explained(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output has ended (`... | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it flushes
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", INTERRUPTED)
    except Exception as error:  # the one place that decides the exit code
        if os.environ.get("QUACKBRIDGE_DEBUG"):
            traceback.print_exc()
        return _status(error)


def _explained(error: click.ClickException) -> str:
    message = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message.rstrip('.')} (see `{error.ctx.command_path} --help`)"
    return message


def _status(error: Exception) -> int:
    from bridge.config import ConfigError  # slow to import; already imported if one was raised
    from bridge.network import Refused
    from bridge.store import StoreError, Unusable
    from bridge.users import UsersError, UsersUnavailable

    match error:
        case ConfigError():
            click.echo(str(error), err=True)  # one line per problem, each with its place
            return WRONG
        case Refused() | Unusable():
            return _say(str(error), WRONG)
        case StoreError() | UsersUnavailable():
            return _say(str(error), FAILED)
        case UsersError():
            return _say(str(error), WRONG)
        case PermissionError(filename=str(path)):
            from bridge.lib.files import not_ours

            return _say(f"{path}: {not_ours(Path(path))}", WRONG)
        case OSError(filename=str(path)):
            return _say(f"{path}: {error.strerror}", FAILED)
        case _:
            return _say(f"{type(error).__name__}: {error} (QUACKBRIDGE_DEBUG=1 shows where)", FAILED)


def _say(message: str, status: int) -> int:
    click.echo(f"quackbridge: {printable(' '.join(message.split()))}", err=True)
    return status


if __name__ == "__main__":
    main()
