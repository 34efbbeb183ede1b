"""`quackbridge doctor`: looks at everything that the bridge needs, and says what to do."""

import json
from pathlib import Path

import click
import structlog

from bridge.cli.common import load
from bridge.cli.options import config_option
from bridge.config import Config, ConfigError
from bridge.doctor.examine import examine
from bridge.doctor.finding import Finding, as_json, fail, failed, lines
from bridge.lib import exits
from bridge.lib.unhindered import run
from bridge.model.text import printable


@click.command()
@config_option
@click.option("--json", "as_document", is_flag=True, help="Print JSON, for scripts.")
def doctor(config: Path, *, as_document: bool) -> None:
    """Look at everything that the bridge needs, beside a running daemon: exit status 1 if something fails."""
    try:
        settings = load(config)
    except ConfigError as error:
        findings = [fail("config", problem.text(config), "correct the config") for problem in error.problems]
        show_all(findings, as_document=as_document)
    else:
        show_all(look(settings), as_document=as_document)


def look(settings: Config) -> list[Finding]:
    """All checks of the bridge with these settings."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # what goes wrong is in the findings
    return [*run(examine(settings))]


def show_all(findings: list[Finding], *, as_document: bool) -> None:
    """Print the findings, and exit with 1 if one fails."""
    if as_document:
        click.echo(json.dumps(as_json(findings), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(map(printable, lines(findings))))
    if failed(findings):
        raise click.exceptions.Exit(exits.FAILED)
