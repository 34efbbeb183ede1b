"""Backups of users, audit log, configuration and store: making and restoring them."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import click

from bridge import __version__
from bridge.admin import manifest
from bridge.admin.verbs.office import Answer, Office, done
from bridge.lib.files import belongs_with, make_folders, sync_folder, write_new
from bridge.store import Unusable
from bridge.users.shared import SharedFile, file_of
from bridge.users.storage import AtomicFile
from bridge.users.tinydb import TinyUsers

_USERS, _AUDIT, _STORE, _CONFIG = "users.json", "audit.jsonl", "store.sqlite", "config.yaml"


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="backups")
@click.pass_obj
def backup(office: Office, folder: Path) -> Answer:
    """Copy users, audit log, store and configuration into a new dated folder in FOLDER. The daemon may be running.

    The configuration is copied as it is; files with secrets that it names are not copied.
    """
    now = datetime.fromtimestamp(office.clock(), UTC)
    there = folder / f"{now:%Y-%m-%dT%H%M%SZ}"
    users = file_of(office.database)
    users.content()  # raises UsersError before a folder is made
    try:
        make_folders(folder)
        if there.exists():
            raise FileExistsError
        _make(office, users, there, now)
    except FileExistsError as error:
        raise click.ClickException(f"{there}: this backup exists already") from error
    except OSError as error:
        raise click.ClickException(f"{there}: cannot be written: {error.strerror}") from error
    office.audit.record(office.by, "backup", str(there))
    if office.config.store.url is not None:
        office.warn("the store is a database, which is not in this backup: back it up with pg_dump")
    return done(f"copied into {there}", folder=str(there))


def _make(office: Office, users: AtomicFile | SharedFile, there: Path, now: datetime) -> None:
    """Make the backup `there`. It gets this name once it is whole. Raises OSError."""
    part = there.with_name(f".{there.name}.part")
    part.mkdir(mode=0o700)
    try:
        files = _copy(office, users, part)
        write_new(part / manifest.NAME, manifest.written(files, {"quackbridge": __version__, "made": now.isoformat()}))
        for each in (part, *part.iterdir()):
            belongs_with(each, there.parent)
        part.rename(there)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(there.parent)


def _copy(office: Office, users: AtomicFile | SharedFile, there: Path) -> list[Path]:
    """Copy all that belongs to a backup into the folder `there`; returns the copies."""
    from bridge.store.backup import copy  # few verbs need it

    with users.locked():  # so that no change is in one of the two files only
        content = users.content()
        lines = [*office.audit.lines()]
    copies = {_USERS: content, _AUDIT: "".join(f"{line}\n" for line in lines).encode()}
    if office.config.file.is_file():
        copies[_CONFIG] = office.config.file.read_bytes()
    for name, each in copies.items():
        write_new(there / name, each)
    files = [there / name for name in copies]
    if office.config.store.url is None and office.config.store.path.exists():
        copy(office.config.store.path, there / _STORE)
        files.append(there / _STORE)
    return files


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--with-store", is_flag=True, help="Restore outbox and positions too; the daemon must be stopped.")
@click.option("--yes", is_flag=True, help="Confirm.")
@click.pass_obj
def restore(office: Office, folder: Path, with_store: bool, yes: bool) -> Answer:
    """Restore the users of the backup in FOLDER; the current ones are kept beside them. A running daemon follows.

    With the store, messages sent since the backup are sent again, unless the network recognises them. A store of an
    older version is upgraded, and the current one is kept beside it. The configuration is not touched. A damaged backup
    is refused, and nothing is changed.
    """
    from bridge.store.backup import restore as restore_store

    if not manifest.check(folder):
        office.warn(f"{folder} has no {manifest.NAME}, as a backup by an older version: it was not checked for damage")
    users = TinyUsers(folder / _USERS)  # raises UsersError if it is not a user database
    if not yes:
        raise click.UsageError(f"this replaces the current users with the {len(users.list())} of the backup: say --yes")
    ending = f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.bak"
    kept: list[Path | None] = []
    if with_store:
        if office.config.store.url is not None:
            raise click.UsageError("--with-store: the store is a database: restore it with pg_restore")
        if not (folder / _STORE).exists():
            raise Unusable(f"{folder}: there is no store in this backup")
        kept.append(restore_store(office.config.store.path, folder / _STORE, ending))
    kept.insert(0, file_of(office.database).replace_by(folder / _USERS, ending))
    office.audit.record(office.by, "restore", os.fspath(folder))
    named = [str(path) for path in kept if path is not None]
    words = f"restored {len(users.list())} users{' and the store' if with_store else ''}"
    if named:
        words += f"; what was there before is in {' and '.join(named)}"
    return done(words, users=len(users.list()), kept=str(kept[0]) if kept[0] else None, kept_files=named)
