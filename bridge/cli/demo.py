"""`quackbridge demo`: a homeserver, an IRC server and the bridge between them, on this machine, to try it out."""

import sys

import click


@click.command()
@click.option(
    "--once", is_flag=True, help="Hold one scripted conversation, print it, and end: 0 if every line arrived."
)
def demo(*, once: bool) -> None:
    """Run everything on this machine: a Matrix room and an IRC channel that talk, and how to join them."""
    from rich.console import Console

    from bridge.demo.run import run  # only the demo needs what these import
    from bridge.demo.servers import Synapse

    if Synapse.missing():
        raise click.ClickException("the demo needs a homeserver: pip install 'quackbridge[demo]'")
    sys.exit(run(Console(highlight=False), once=once))
