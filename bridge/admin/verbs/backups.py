"""Dated copies of what the bridge knows, and bringing them back."""

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
    users = AtomicFile(office.database).content()  # UsersError, and no folder, where there is nothing to copy
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there.mkdir(mode=0o700)
        write_new(there / _USERS, users)
        write_new(there / _AUDIT, "".join(f"{line}\n" for line in office.audit.lines()).encode())
        if office.config.store.path.exists():
            copy(office.config.store.path, there / _STORE)
    except FileExistsError as error:
        raise click.ClickException(f"{there}: there is such a backup already") from error
    except OSError as error:
        raise click.ClickException(f"{there}: cannot be written: {error.strerror}") from error
    office.audit.record(office.by, "backup", str(there))
    return done(f"copied into {there}", folder=str(there))


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--with-store", is_flag=True, help="Also outbox and positions; the daemon must be stopped.")
@click.option("--yes", is_flag=True, help="I mean it.")
@click.pass_obj
def restore(office: Office, folder: Path, with_store: bool, yes: bool) -> Answer:
    """Bring the users of the backup in FOLDER back; those of now are kept beside them. A daemon that runs follows.

    With the store, what was sent since the backup is sent again where the network cannot recognise it.
    """
    from bridge.store.backup import restore as restore_store

    users = TinyUsers(folder / _USERS)  # UsersError where it is none
    if not yes:
        raise click.UsageError(f"this puts {len(users.list())} users in the place of those of now: say --yes")
    if with_store:
        if not (folder / _STORE).exists():
            raise Unusable(f"{folder}: there is no store in this backup")
        restore_store(office.config.store.path, folder / _STORE)
    kept = AtomicFile(office.database).replace_by(folder / _USERS, f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.bak")
    office.audit.record(office.by, "restore", str(folder))
    words = f"restored {len(users.list())} users" + (f"; those of before are in {kept}" if kept else "")
    return done(words, users=len(users.list()), kept=str(kept) if kept else None)
