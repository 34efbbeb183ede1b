"""`quackbridge move-store`: moves the store and the users from a file to a store that workers share, or back."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.options import config_option

if TYPE_CHECKING:
    from bridge.store.moving import Target
    from bridge.store.peek import Place
    from bridge.users.storage import AtomicFile

_FILE, _HERE = "sqlite:", "config"
_NEXT = (
    "Now let the config name it: under store `path: {0}` and no url, and under users `database: {1}`",
    "Now let the config name it: under store `url` (or `url_file`), and under users `database: store`",
)


@click.command("move-store")
@config_option
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--users", type=click.Path(path_type=Path, dir_okay=False), help="The file of the users beside a file.")
def move_store(config: Path, source: str, target: str, users: Path | None) -> None:
    """Move everything from one store to another, empty one: all or nothing, and compared. No daemon may run.

    FROM and TO are `config` for the store that the config names, `sqlite:PATH` for a file, or the address of a
    database or a Redis server, such as postgresql://quackbridge@db.example.org/quackbridge or
    redis://redis.example.org/0. The users move with it; they are in the file that the config names, or --users. The old
    store stays as it is.
    """
    from bridge.store.moving import move  # slow to import
    from bridge.store.opening import check_library

    old, new = _place(config, source), _place(config, target)
    if old == new:
        raise click.UsageError("FROM and TO are the same store")
    for each in (old, new):
        if isinstance(each, str):
            check_library(each)
    file = users or _users_file(config)
    rows = move(old, new, _users_moved(old, new, file))
    for table, number in rows.items():
        click.echo(f"{table}: {number:,}")
    click.echo(_NEXT[isinstance(new, str)].format(new, file), err=True)


def _place(config: Path, text: str) -> "Place":
    from bridge.cli.common import load_settings

    if text == _HERE:
        return load_settings(config).store.place
    if text.startswith(_FILE):
        return Path(text.removeprefix(_FILE)).absolute()
    if "://" not in text:
        raise click.UsageError("FROM and TO are config, sqlite:PATH, or an address such as postgresql://...")
    return text


def _users_file(config: Path) -> Path:
    from bridge.cli.common import load_settings

    settings = load_settings(config)
    if not settings.users_in_store:
        return settings.users.database
    return settings.store.path.with_name("users.json")


def _users_moved(old: "Place", new: "Place", file: Path) -> Callable[["Target"], None]:
    """What copies the users and the audit log to the new store, before that is valid."""
    from bridge.lib.files import write_new
    from bridge.users.audit import Audit
    from bridge.users.storage import AtomicFile

    def moved(target: "Target") -> None:
        text, lines = _shared(old) if isinstance(old, str) else _kept(AtomicFile(file), Audit(file, float))
        if isinstance(new, str):
            target.take_users(text, lines)
        elif text is not None:
            write_new(file, text.encode())
            write_new(Audit(file, float).path, "".join(f"{line}\n" for line in lines).encode())

    return moved


def _shared(url: str) -> tuple[str | None, list[str]]:
    from bridge.store.opening import is_redis

    if is_redis(url):
        from bridge.store.redis.users import kept as on_redis  # only with the extra

        return on_redis(url)
    from bridge.store.postgres.users import kept  # only with the extra

    return kept(url)


def _kept(file: "AtomicFile", audit: Any) -> tuple[str | None, list[str]]:
    return (file.content().decode() if file.path.exists() else None), [*audit.lines()]
