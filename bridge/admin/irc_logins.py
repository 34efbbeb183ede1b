"""Members' own services accounts on IRC: which networks take them, and how they are kept."""

from collections.abc import Sequence

from bridge.config import Config, private_networks, puppet_networks
from bridge.lib import secret_files
from bridge.model.identifiers import irc_account
from bridge.users import IrcLogin, Users, UsersError
from bridge.users.vault import Vault, key_file

_LONGEST = 200
"""Bytes of a password: it has to fit a line of IRC with what goes before it."""


def vault_of(config: Config) -> Vault:
    """What seals the passwords of accounts, with a key beside the store."""
    return Vault(key_file(config.store.path.parent))


def networks(config: Config) -> Sequence[str]:
    """The networks where members may have an account of their own."""
    return sorted(puppet_networks(config))


def check(config: Config, network: str) -> None:
    """Raises UsersError if the puppets of a network, if there are any, could not log in to an account."""
    if network not in networks(config):
        raise UsersError(f"no link with a room on {network!r} has `puppets: members`, so nobody logs in there")
    if network not in private_networks(config):
        raise UsersError(f"the connection to {network} is not encrypted, so no password goes there")


def keep(users: Users, config: Config, name: str, network: str, account: str, password: str) -> str:
    """Keep an account of the user `name`, its password sealed; returns their name. Reads and writes files. Raises
    UsersError, which tells nothing of the password."""
    check(config, network)
    user = users.get(name)
    try:
        account = irc_account(account)
    except ValueError:  # not quoted: people mistake the order
        raise UsersError("the name of the account has no blank or comma, and none of * ? ! @ in it") from None
    _check_password(password)
    is_first = not any(each.logins for each in users.list())
    sealed = vault_of(config).seal(user.name, account, password, is_first=is_first)
    users.set_irc_login(user.name, network, IrcLogin(network, account, sealed))
    return user.name


def _check_password(password: str) -> None:
    try:
        secret_files.check(password)
    except ValueError as error:
        raise UsersError(f"this cannot be the password: {error}") from error
    if len(password.encode(errors="replace")) > _LONGEST or any(map(str.isspace, password)):
        raise UsersError(f"this cannot be the password: it must have {_LONGEST} bytes at most, and no blank")
