"""`quackbridge migrate-config`: brings a configuration of an earlier release up to date."""

import difflib
from collections.abc import MutableMapping
from io import StringIO
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
    """`text`, a whole config, with the present names of all keys, and everything else as it was."""
    from ruamel.yaml import YAML  # slow, and only used here

    from bridge.config.migrations import renames

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    value = yaml.load(text)
    found = [*renames(value)]
    if not found:
        return text
    for place, rename in found:
        section = value
        for step in place:
            section = section[step]
        _rename(section, rename.old, rename.new)
    new = StringIO()
    yaml.dump(value, new)
    return new.getvalue()


def _rename(section: MutableMapping[str, object], old: str, new: str) -> None:
    """Give the key another name, at its place and with its comments."""
    at = [*section].index(old)
    comments = getattr(section, "ca", None)
    value = section.pop(old)
    if new in section:
        return
    section.insert(at, new, value)  # type: ignore[attr-defined]
    if comments is not None and old in comments.items:
        comments.items[new] = comments.items.pop(old)
