"""The user commands: who is on the list, and by which identities."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.common import config_option, load_settings, users
from bridge.config import Config, IrcNetwork
from bridge.model import Identity, Proof
from bridge.text import printable
from bridge.users import Role, User
from bridge.users import identities as parse
from bridge.users.passwords import hash_password
from bridge.users.tinydb import TinyUsers

_ROLES = click.Choice([str(role) for role in Role])
_UNCUT = 10_000  # columns, more than any row has
_PASSWORD_LIMIT = 4096  # bytes of standard input: a password is a line


def identity_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options that name identities."""
    for name, metavar, text in (
        ("--irc-mask", "NETWORK/NICK!USER@HOST", "An IRC host mask, where the network's trust_hostmasks is true."),
        ("--irc", "NETWORK/ACCOUNT", "An IRC services account."),
        ("--matrix", "@NAME:SERVER", "A Matrix id."),
    ):
        command = click.option(name, multiple=True, metavar=metavar, help=text)(command)
    return command


@click.command("init-db")
@config_option
def init_db(config: Path) -> None:
    """Make an empty user database."""
    path = load_settings(config).users.database
    TinyUsers.create(path)
    click.echo(f"made {path}")


@click.command("drop-db")
@config_option
@click.option("--yes", is_flag=True, help="I mean it.")
def drop_db(config: Path, yes: bool) -> None:
    """Remove the user database; a dated backup is kept beside it."""
    path = load_settings(config).users.database
    if not yes:
        raise click.UsageError(f"this removes all users from {path}: say --yes if you mean it")
    click.echo(f"dropped; the backup is {TinyUsers.drop(path)}")


@click.command("add-user")
@config_option
@click.argument("name")
@identity_options
@click.option("--role", type=_ROLES, default=str(Role.MEMBER), show_default=True)
@click.option("--password", "ask", is_flag=True, help="Ask for a password.")
@click.option("--password-stdin", "read", is_flag=True, help="Read a password from standard input.")
def add_user(
    config: Path,
    name: str,
    matrix: Sequence[str],
    irc: Sequence[str],
    irc_mask: Sequence[str],
    role: str,
    ask: bool,
    read: bool,
) -> None:
    """Add NAME, known by the identities given."""
    identities = _identities(load_settings(config), matrix, irc, irc_mask)
    database = users(config)
    password = _password(ask=ask, read=read) if ask or read else None
    database.add(User(name, Role(role), identities, password))
    click.echo(f"added {name}")


@click.command("remove-user")
@config_option
@click.argument("name")
def remove_user(config: Path, name: str) -> None:
    """Remove NAME, who is a guest from then on."""
    users(config).remove(name)
    click.echo(f"removed {name}")


@click.command("list-users")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array, for scripts.")
def list_users(config: Path, as_json: bool) -> None:
    """List all users with their roles and identities."""
    found = users(config).list()
    if as_json:
        click.echo(json.dumps([_plain(user) for user in found], ensure_ascii=False, indent=2))
    elif found:
        _print(_table(found))
    else:
        click.echo("there are no users yet; add one with `quackbridge add-user`")


@click.command("show-user")
@config_option
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def show_user(config: Path, name: str, as_json: bool) -> None:
    """Show NAME."""
    user = users(config).get(name)
    if as_json:
        click.echo(json.dumps(_plain(user), ensure_ascii=False, indent=2))
    else:
        _print(_table([user]))


@click.command("set-role")
@config_option
@click.argument("name")
@click.argument("role", type=_ROLES)
def set_role(config: Path, name: str, role: str) -> None:
    """Make NAME a member or an admin."""
    users(config).set_role(name, Role(role))
    click.echo(f"{name} is {role} now")


@click.command("set-password")
@config_option
@click.argument("name")
@click.option("--password-stdin", "read", is_flag=True, help="Read the password from standard input.")
def set_password(config: Path, name: str, read: bool) -> None:
    """Give NAME a password; it is asked for."""
    database = users(config)
    database.get(name)
    database.set_password(name, _password(ask=not read, read=read))
    click.echo(f"{name} has a new password")


@click.command("link-identity")
@config_option
@click.argument("name")
@identity_options
def link_identity(config: Path, name: str, matrix: Sequence[str], irc: Sequence[str], irc_mask: Sequence[str]) -> None:
    """Let NAME be known by more identities."""
    database, identities = users(config), _some(_identities(load_settings(config), matrix, irc, irc_mask))
    database.link_identity(name, *identities)
    click.echo(f"{name} is known as {', '.join(map(str, identities))} now")


@click.command("unlink-identity")
@config_option
@click.argument("name")
@identity_options
def unlink_identity(
    config: Path, name: str, matrix: Sequence[str], irc: Sequence[str], irc_mask: Sequence[str]
) -> None:
    """Let NAME not be known by these identities any more."""
    database, identities = users(config), _some(_parsed(matrix, irc, irc_mask))  # of networks that are gone, too
    database.unlink_identity(name, *identities)
    click.echo(f"{name} is not known as {', '.join(map(str, identities))} any more")


def _some(identities: Sequence[Identity]) -> Sequence[Identity]:
    if not identities:
        raise click.UsageError("which identity? Give --matrix, --irc or --irc-mask")
    return identities


def _parsed(matrix: Sequence[str], irc: Sequence[str], irc_mask: Sequence[str]) -> tuple[Identity, ...]:
    return (*map(parse.matrix, matrix), *map(parse.irc, irc), *map(parse.irc_mask, irc_mask))


def _identities(
    config: Config, matrix: Sequence[str], irc: Sequence[str], irc_mask: Sequence[str]
) -> tuple[Identity, ...]:
    """The identities of a command's options, on networks that there are."""
    found = _parsed(matrix, irc, irc_mask)
    for identity in found:
        if identity.kind is not Proof.MATRIX:
            _check_network(config, identity)
    return found


def _check_network(config: Config, identity: Identity) -> None:
    known = {name: network for name, network in config.networks.items() if isinstance(network, IrcNetwork)}
    if identity.network not in known:
        names = ", ".join(known) or "none"
        raise click.UsageError(f"{identity}: there is no IRC network {identity.network!r}; there are: {names}")
    if identity.kind is Proof.IRC_MASK and not known[identity.network].trust_hostmasks:
        click.echo(
            f"quackbridge: warning: {identity} counts only once networks.{identity.network}.trust_hostmasks is true",
            err=True,
        )


def _password(*, ask: bool, read: bool) -> str:
    """The hash of a password that is typed, or given in the first line of standard input."""
    if ask and read:
        raise click.UsageError("--password asks, --password-stdin reads: give one of them")
    if read:
        return hash_password(sys.stdin.readline(_PASSWORD_LIMIT).rstrip("\r\n"))
    return hash_password(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _plain(user: User) -> dict[str, object]:
    identities = [
        {"kind": str(identity.kind), "network": identity.network or None, "value": identity.value}
        for identity in user.identities
    ]
    return {
        "name": user.name,
        "role": str(user.role),
        "identities": identities,
        "has_password": user.password is not None,
    }


def _print(table: Table) -> None:
    """On a terminal as wide as it is; for another program a row is never cut."""
    Console(width=None if sys.stdout.isatty() else _UNCUT).print(table)


def _table(found: Sequence[User]) -> Table:
    table = Table("name", "role", "known by", "password", box=None)
    for user in found:
        known = "\n".join(f"{identity.kind} {printable(str(identity))}" for identity in user.identities)
        cells = (
            user.name,
            str(user.role),
            known or "nothing: nobody can be this user",
            "yes" if user.password else "no",
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table
