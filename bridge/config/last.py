"""The settings that the daemon runs with, kept beside the config: commands use them while the config is broken."""

import os
import stat
from pathlib import Path

import yaml

from bridge.config.load import load_settings
from bridge.config.problems import ConfigError
from bridge.config.settings import Config
from bridge.lib.files import write_new


def remember(path: Path, config: Config) -> None:
    """Keep `config`, which was read from the file `path`, without its secrets, in a private file. Raises OSError."""
    plain = {
        **config.plain,
        "users": {
            **_section(config, "users"),
            "database": "store" if config.users_in_store else str(config.users.database),
        },
        "store": {**_section(config, "store"), "path": str(config.store.path)},
    }
    text = yaml.safe_dump(_escaped(plain), allow_unicode=True, sort_keys=False)
    kept = _beside(path)
    new = kept.with_name(f"{kept.name}.new")
    new.unlink(missing_ok=True)  # left by a killed process
    write_new(new, text.encode())
    new.replace(kept)


def recall(path: Path) -> Config | None:
    """What the last daemon with the config file `path` has kept, without secrets; None if there is nothing of the
    kind, or if it belongs to another user."""
    kept = _beside(path)
    try:
        found = kept.lstat()
        if not stat.S_ISREG(found.st_mode) or os.geteuid() not in (0, found.st_uid):
            return None
        return load_settings(kept, {})
    except (OSError, ConfigError):
        return None


def _section(config: Config, name: str) -> dict[str, object]:
    found = config.plain.get(name)
    return found if isinstance(found, dict) else {}


def _escaped(value: object) -> object:
    """`value` with no environment variable to fill in: all are filled in already."""
    match value:
        case str():
            return value.replace("${", "$${")
        case list():
            return [_escaped(each) for each in value]
        case dict():
            return {key: _escaped(each) for key, each in value.items()}
        case _:
            return value


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.last")
