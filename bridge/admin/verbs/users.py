"""Verbs for users: add, remove, list, roles and identities."""

from collections.abc import Sequence

import click

from bridge.admin.misfits import links_naming
from bridge.admin.verbs.media import REVOKE, said_by, with_revoked
from bridge.admin.verbs.office import Answer, Json, Office, done
from bridge.admin.verbs.params import ROLES, SWITCH, USER, identity_options, on_networks, parsed, some
from bridge.admin.verbs.passwords import hash_of
from bridge.users import Role, User, UsersError


@click.command("add-user")
@click.argument("name")
@identity_options
@click.option("--role", type=ROLES, default=str(Role.MEMBER), show_default=True)
@click.option("--puppet", type=SWITCH, default="on", help="A connection of their own on IRC, where a link has such.")
@click.option("--password", "ask", is_flag=True, help="Ask for a password.")
@click.option("--password-stdin", "read", is_flag=True, help="Read a password from standard input.")
@click.pass_obj
def add_user(
    office: Office,
    name: str,
    matrix: Sequence[str],
    irc: Sequence[str],
    irc_mask: Sequence[str],
    role: str,
    puppet: str,
    ask: bool,
    read: bool,
) -> Answer:
    """Add the user NAME with the given identities."""
    identities = on_networks(office, parsed(matrix, irc, irc_mask))
    users = office.users
    password = hash_of(office, ask=ask, read=read) if ask or read else None
    users.add(User(name, Role(role), tuple(identities), password, puppet=puppet == "on"))
    return done(f"added {name}", user=name)


@click.command("remove-user")
@click.argument("name", type=USER)
@REVOKE
@click.pass_obj
def remove_user(office: Office, name: str, *, revoke: bool) -> Answer:
    """Remove the user NAME, who becomes a guest."""
    _check_last_admin(office, name)
    user = office.users.get(name)
    office.users.remove(name)
    for link in links_naming(office.config, name):
        office.warn(f"links.{link} names {name} in the config still")
    answer = done(f"removed {name}", user=name)
    return with_revoked(office, answer, name, said_by(user)) if revoke else answer


@click.command("users")
@click.pass_obj
def list_users(office: Office) -> Answer:
    """List all users with their roles and identities; members see names only."""
    found = office.users.list()
    if office.role is not Role.ADMIN:
        return Answer([user.name for user in found], ", ".join(user.name for user in found))
    return _table(found, [plain(user) for user in found])


@click.command("show-user")
@click.argument("name", type=USER)
@click.pass_obj
def show_user(office: Office, name: str) -> Answer:
    """Show the role and identities of NAME."""
    user = office.users.get(name)
    return _table([user], plain(user))


@click.command("set-role")
@click.argument("name", type=USER)
@click.argument("role", type=ROLES)
@click.pass_obj
def set_role(office: Office, name: str, role: str) -> Answer:
    """Make NAME a member or an admin."""
    if Role(role) is not Role.ADMIN:
        _check_last_admin(office, name)
    office.users.set_role(name, Role(role))
    return done(f"{name} is {role} now", user=name, role=role)


@click.command("set-puppet")
@click.argument("name", type=USER)
@click.argument("puppet", type=SWITCH)
@click.pass_obj
def set_puppet(office: Office, name: str, puppet: str) -> Answer:
    """Give NAME a connection of their own on IRC, where a link has such, or none."""
    user = office.users.get(name)
    office.users.set_puppet(user.name, on=puppet == "on")
    return done(f"{user.name} {_FACES[puppet]}", user=user.name, puppet=puppet)


@click.command("link-identity")
@click.argument("name", type=USER)
@identity_options
@click.pass_obj
def link_identity(
    office: Office, name: str, matrix: Sequence[str], irc: Sequence[str], irc_mask: Sequence[str]
) -> Answer:
    """Add identities to NAME."""
    identities = on_networks(office, some(parsed(matrix, irc, irc_mask)))
    office.users.link_identity(name, *identities)
    return done(f"{name} is known as {', '.join(map(str, identities))} now", user=name)


@click.command("unlink-identity")
@click.argument("name", type=USER)
@identity_options
@click.pass_obj
def unlink_identity(
    office: Office, name: str, matrix: Sequence[str], irc: Sequence[str], irc_mask: Sequence[str]
) -> Answer:
    """Remove identities from NAME."""
    identities = some(parsed(matrix, irc, irc_mask))  # the network may be gone from the config
    office.users.unlink_identity(name, *identities)
    return done(f"{name} is not known as {', '.join(map(str, identities))} any more", user=name)


def _check_last_admin(office: Office, name: str) -> None:
    """Refuse to remove the last admin from a chat, which would lock everybody out of it. The command line may."""
    admins = [user for user in office.users.list() if user.role is Role.ADMIN]
    if not office.at_terminal and [user.name for user in admins] == [office.users.get(name).name]:
        raise UsersError(f"{name} is the last admin: do that on the command line")


def plain(user: User) -> dict[str, object]:
    """A user as JSON, without the password."""
    identities = [
        {"kind": str(identity.kind), "network": identity.network or None, "value": identity.value}
        for identity in user.identities
    ]
    return {
        "name": user.name,
        "role": str(user.role),
        "identities": identities,
        "has_password": user.password is not None,
        "puppet": user.puppet,
        "irc_accounts": {each.network: each.account for each in user.logins},
    }


_FACES = {
    "on": "has a nick of their own on IRC now, where a link has puppets",
    "off": "speaks on IRC through the bridge's account now, with the name before the words",
}


def _unknown(user: User) -> str:
    return "a login with the password" if user.password else "nothing: nobody can be this user"


def _table(found: Sequence[User], data: Json) -> Answer:
    if not found:
        return Answer(data, "there are no users yet; add one with `add-user`")
    rows = [
        (
            user.name,
            str(user.role),
            "\n".join(f"{identity.kind} {identity}" for identity in user.identities) or _unknown(user),
            "yes" if user.password else "no",
        )
        for user in found
    ]
    return Answer(data, "", ("name", "role", "known by", "password"), rows)
