"""Setting a user's password: never in a chat, never in an argument that others on the machine could read."""

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import USER
from bridge.users.passwords import choose_password


@click.command("set-password")
@click.argument("name", type=USER)
@click.option("--password-stdin", "read", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def set_password(office: Office, name: str, read: bool) -> Answer:
    """Ask for a password and set it for NAME. Logins with the old password end."""
    users = office.users
    users.get(name)
    users.set_password(name, hash_of(office, ask=not read, read=read))
    return done(f"{name} has a new password", user=name)


def hash_of(office: Office, *, ask: bool, read: bool) -> str:
    """The hash of a password that is typed (`ask`), or the first line of standard input (`read`)."""
    if ask and read:
        raise click.UsageError("give --password or --password-stdin, not both")
    return choose_password(office.terminal.read() if read else office.terminal.ask())
