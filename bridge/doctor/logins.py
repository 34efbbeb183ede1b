"""Checks of members' accounts on IRC: whether their passwords can be opened."""

from collections.abc import Iterator

from bridge.admin.databases import users_of
from bridge.admin.irc_logins import vault_of
from bridge.config import Config
from bridge.doctor.finding import Finding, fail, ok
from bridge.users import UsersError


def found(config: Config) -> Iterator[Finding]:
    """Nothing if nobody has given an account, or the users cannot be read, of which others tell."""
    try:
        held = [(user.name, login) for user in users_of(config).list() for login in user.logins]
    except UsersError:
        return
    vault = vault_of(config)
    for name, login in held:
        try:
            vault.open(name, login.account, login.sealed)
        except UsersError as error:
            yield fail("irc logins", str(error), f"put the right key into {vault.path}, or give the passwords again")
            return
    if held:
        yield ok("irc logins", f"{len(held)} accounts of members can be opened")
