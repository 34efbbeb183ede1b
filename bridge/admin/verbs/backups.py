"""Backups of users, audit log and store: making and restoring them."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.lib.files import write_new
from bridge.store import Unusable
from bridge.users.storage import AtomicFile
from bridge.users.tinydb import TinyUsers

_USERS, _AUDIT, _STORE = "users.json", "audit.jsonl", "store.sqlite"


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="backups")
@click.pass_obj
def backup(office: Office, folder: Path) -> Answer:
    """Copy users, audit log and store into a new dated folder in FOLDER. The daemon may be running."""
    from bridge.store.backup import copy  # few verbs need it

    there = folder / f"{datetime.fromtimestamp(office.clock(), UTC):%Y-%m-%dT%H%M%SZ}"
    users = AtomicFile(office.database).content()  # raises UsersError before a folder is made
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there.mkdir(mode=0o700)
        write_new(there / _USERS, users)
        write_new(there / _AUDIT, "".join(f"{line}\n" for line in office.audit.lines()).encode())
        if office.config.store.path.exists():
            copy(office.config.store.path, there / _STORE)
    except FileExistsError as error:
        raise click.ClickException(f"{there}: this backup exists already") from error
    except OSError as error:
        raise click.ClickException(f"{there}: cannot be written: {error.strerror}") from error
    office.audit.record(office.by, "backup", str(there))
    return done(f"copied into {there}", folder=str(there))


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--with-store", is_flag=True, help="Restore outbox and positions too; the daemon must be stopped.")
@click.option("--yes", is_flag=True, help="Confirm.")
@click.pass_obj
def restore(office: Office, folder: Path, with_store: bool, yes: bool) -> Answer:
    """Restore the users of the backup in FOLDER; the current ones are kept beside them. A running daemon follows.

    With the store, messages sent since the backup are sent again, unless the network recognises them.
    """
    from bridge.store.backup import restore as restore_store

    users = TinyUsers(folder / _USERS)  # raises UsersError if it is not a user database
    if not yes:
        raise click.UsageError(f"this replaces the current users with the {len(users.list())} of the backup: say --yes")
    if with_store:
        if not (folder / _STORE).exists():
            raise Unusable(f"{folder}: there is no store in this backup")
        restore_store(office.config.store.path, folder / _STORE)
    kept = AtomicFile(office.database).replace_by(folder / _USERS, f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.bak")
    office.audit.record(office.by, "restore", str(folder))
    words = f"restored {len(users.list())} users" + (f"; the previous ones are in {kept}" if kept else "")
    return done(words, users=len(users.list()), kept=str(kept) if kept else None)
