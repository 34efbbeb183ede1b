"""`quackbridge migrate-config`: brings a configuration of an earlier release up to date."""

import difflib
from pathlib import Path

import click

from bridge.cli.options import config_option

_NOTHING = "nothing to do: every key has its present name"


@click.command("migrate-config")
@config_option
@click.option("--write", is_flag=True, help="Change the file, and keep the present one as CONFIG.bak.")
def migrate_config(config: Path, write: bool) -> None:
    """Show how the config would look with the present names of its keys; comments stay."""
    from bridge.config import load_settings  # slow: imports the config
    from bridge.lib.files import keep_copy, replace_file

    load_settings(config)  # what is wrong in it is told first, with its place
    before = config.read_text(encoding="utf-8-sig")
    after = migrated(before)
    if after == before:
        click.echo(_NOTHING)
        return
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    click.echo("".join(difflib.unified_diff(old, new, str(config), f"{config} (new)")), nl=False)
    if not write:
        click.echo("Nothing was changed; --write does it.", err=True)
        return
    copy = keep_copy(config)
    replace_file(config, after.encode())
    click.echo(f"{config} is changed; the file before is {copy}", err=True)


def migrated(text: str) -> str:
    """`text`, a whole config, with the present names of all keys, and everything else as it was. Raises UsageError
    where a section has both names: which value is meant, only its author knows."""
    import yaml

    from bridge.config.editing import with_key
    from bridge.config.migrations import renames

    for place, section, rename in renames(yaml.safe_load(text)):
        where = ".".join((*map(str, place), rename.old))
        if rename.new in section:
            raise click.UsageError(f"{where}: {rename.new} is there, too: remove one of the two")
        text = with_key(text, [str(step) for step in place], rename.old, rename.new)
    return text
