"""`quackbridge demo`: runs a homeserver, an IRC server and the bridge on this machine, to try it out."""

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
        raise click.ClickException("the demo needs a homeserver: pip install 'quackbridge[demo]'")
    sys.exit(run(Console(highlight=False), once=once))
