"""Making and dropping the user database."""

from pathlib import Path

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.users.tinydb import TinyUsers


@click.command("init-db")
@click.pass_obj
def init_db(office: Office) -> Answer:
    """Make an empty user database."""
    place = office.database
    TinyUsers.create(place, office.by)
    named = str(place) if isinstance(place, Path) else place.name
    return done(f"made {named}", path=named)


@click.command("drop-db")
@click.option("--yes", is_flag=True, help="Confirm.")
@click.pass_obj
def drop_db(office: Office, yes: bool) -> Answer:
    """Remove the user database; a dated backup is kept beside it."""
    if not isinstance(office.database, Path):
        raise click.UsageError("the users are in the store that workers share: remove them one by one")
    if not yes:
        raise click.UsageError(f"this removes all users from {office.database}: say --yes to confirm")
    kept = TinyUsers.drop(office.database, office.by)
    return done(f"dropped; the backup is {kept}", backup=str(kept))
