"""`quackbridge healthcheck`: for supervisors, which ask often. Imports little, to be quick."""

import http.client
import os
from pathlib import Path

import click

from bridge.cli import reaching
from bridge.cli.options import config_option
from bridge.lib import exits, sockets

_PATIENCE_S = 5.0
_LONGEST = 1_000  # bytes of an answer


@click.command()
@config_option
def healthcheck(config: Path) -> int:
    """Ask the daemon whether it works, as `/healthz` does. Exits with 0 if so, with 1 if not, or if none answers.

    It asks no network: a daemon whose homeserver is away works. `quackbridge status` tells of networks."""
    try:
        path = sockets.found(reaching.places(config))
    except Exception as error:  # a config that cannot be read; its class takes long to import
        click.echo(str(error), err=True)
        return exits.FAILED  # never another code: Docker knows only these two
    connection = sockets.UnixConnection(path, _trusted(path), _PATIENCE_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        said = answer.read(_LONGEST).decode(errors="replace").strip()
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        click.echo("no daemon runs", err=True)
        return exits.FAILED
    except PermissionError:
        click.echo(f"{path}: the daemon's socket is another user's", err=True)
        return exits.FAILED
    except (OSError, http.client.HTTPException):
        click.echo("the daemon does not answer", err=True)
        return exits.FAILED
    finally:
        connection.close()
    is_well = answer.status == http.client.OK
    click.echo(said, err=not is_well)
    return exits.DONE if is_well else exits.FAILED


def _trusted(path: Path) -> set[int]:
    """The users whose daemon it may be: the socket is in a folder of theirs."""
    try:
        owner = Path(os.path.realpath(path)).parent.stat().st_uid
    except OSError:
        owner = os.geteuid()
    return {0, os.geteuid(), owner}
