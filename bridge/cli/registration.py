"""`quackbridge registration`: what a homeserver has to know, so that people on IRC have accounts of their own there."""

from pathlib import Path

import click

from bridge.cli.options import config_option

_SHARED = (
    "the store is shared: its workers need the same tokens. They are in {path}: copy that file to each machine, or name"
    " one in networks.{network}.ghosts.token_file"
)


@click.command("registration")
@config_option
@click.argument("network", required=False)
def registration(config: Path, network: str | None) -> None:
    """Print the registration of an application service on the homeserver of NETWORK, in YAML.

    With it people on IRC speak by accounts of their own (`links.NAME.ghosts`). The homeserver's admin adds it once:
    on Synapse, a file in `app_service_config_files`. It is the same at each call; its tokens are kept beside the store.
    With `networks.NAME.ghosts.url` it names that URL, and the homeserver tells the bridge what is said to ghosts.
    NETWORK may be left out if there is one Matrix network only.
    """
    from bridge.cli.common import load_settings  # slow: imports the config
    from bridge.matrix.ghosts import registration as registrations
    from bridge.matrix.settings import MatrixSettings

    settings = load_settings(config)
    matrix = {name: each for name, each in settings.networks.items() if isinstance(each, MatrixSettings)}
    if network is None and len(matrix) == 1:
        network = next(iter(matrix))
    if network is None or network not in matrix:
        wrong = "say which network" if network is None else f"{network!r} is no Matrix network"
        raise click.UsageError(f"{wrong}: {', '.join(matrix) or 'the configuration has none'}")
    ours = matrix[network]
    path = registrations.token_file(ours.ghosts.token_file, network, settings.store.path.parent)
    try:
        tokens = registrations.Tokens.kept(path)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error
    if settings.store.url is not None:
        click.echo(f"quackbridge: warning: {_SHARED.format(path=path, network=network)}", err=True)
    click.echo(registrations.registration(tokens, network, ours.server_name, ours.ghosts.url), nl=False)
