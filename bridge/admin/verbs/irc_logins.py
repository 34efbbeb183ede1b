"""The verb for a member's own services account on IRC."""

import click

from bridge.admin import irc_logins
from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import USER

_COPY = (
    "the store is shared: its workers need the same key. It is in {path}: copy that file to each machine, beside the "
    "store's folder there"
)


@click.command("set-irc-login")
@click.argument("name", type=USER)
@click.argument("network")
@click.argument("account", required=False)
@click.option("--password-stdin", "read", is_flag=True, help="Read the account's password from standard input.")
@click.option("--remove", is_flag=True, help="Forget the account.")
@click.pass_obj
def set_irc_login(office: Office, name: str, network: str, account: str | None, read: bool, remove: bool) -> Answer:
    """Let NAME's own nick on NETWORK log in to the services account ACCOUNT.

    The password is asked for, and kept sealed; it is never shown again. A nick that is connected logs in with its
    owner's next words.
    """
    if remove:
        if account is not None or read:
            raise click.UsageError("--remove takes a name and a network alone")
        user = office.users.get(name)
        office.users.set_irc_login(user.name, network, None)
        return done(f"{user.name} has no account on {network} any more", user=user.name, network=network)
    if account is None:
        raise click.UsageError("ACCOUNT is missing: the name of the services account")
    irc_logins.check(office.config, network)
    office.users.get(name)
    password = office.terminal.read() if read else office.terminal.ask()
    name = irc_logins.keep(office.users, office.config, name, network, account, password)
    if office.config.store.url is not None:
        office.warn(_COPY.format(path=irc_logins.vault_of(office.config).path))
    return done(f"{name} logs in as {account} on {network}", user=name, network=network, account=account)
