"""`quackbridge completion`: the script by which a shell completes commands, users and links."""

import click
from click.shell_completion import get_completion_class

from bridge import cli


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL. For bash: eval "$(quackbridge completion bash)" in ~/.bashrc"""
    click.echo(script(shell))


def script(shell: str) -> str:
    """The script for that shell."""
    found = get_completion_class(shell)
    assert found is not None  # click has these three
    return found(cli.cli, {}, "quackbridge", "_QUACKBRIDGE_COMPLETE").source()
