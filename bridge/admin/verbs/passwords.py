"""Passwords that an admin gives: never in a chat, never in an argument that others on the machine could read."""

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import USER
from bridge.users.passwords import hash_password


@click.command("set-password")
@click.argument("name", type=USER)
@click.option("--password-stdin", "read", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def set_password(office: Office, name: str, read: bool) -> Answer:
    """Give NAME a password; it is asked for. Who has logged in with the old one is logged out."""
    users = office.users
    users.get(name)
    users.set_password(name, hash_of(office, ask=not read, read=read))
    return done(f"{name} has a new password", user=name)


def hash_of(office: Office, *, ask: bool, read: bool) -> str:
    """The hash of a password that is typed, or given in the first line of standard input."""
    if ask and read:
        raise click.UsageError("--password asks, --password-stdin reads: give one of them")
    return hash_password(office.terminal.read() if read else office.terminal.ask())
