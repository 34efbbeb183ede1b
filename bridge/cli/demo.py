"""`quackbridge demo`: runs a homeserver, an IRC server and the bridge on this machine, to try it out."""

import shlex
import sys

import click


@click.command()
@click.option(
    "--once", is_flag=True, help="Run one scripted conversation, print it, and exit: 0 if every line arrived."
)
def demo(*, once: bool) -> None:
    """Run a homeserver, an IRC server and the bridge on this machine, and show how to join them."""
    from rich.console import Console

    from bridge.demo.run import run  # slow: only the demo needs them
    from bridge.demo.servers import Synapse

    if Synapse.missing():
        here = shlex.quote(sys.executable)  # an extra (quackbridge[demo]) works only where pip finds quackbridge itself
        raise click.ClickException(f"the demo needs a homeserver: {here} -m pip install matrix-synapse")
    sys.exit(run(Console(highlight=False), once=once))
