"""The table of administration verbs, for the command line and the chat: what each does and who may use it.

Each is a click command in a module of its group, imported when it is called. It takes the Office first and returns an
Answer; it neither prints nor prompts.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import click


class Access(IntEnum):
    """Who may use a verb in the chat. The command line has all of them."""

    MEMBER = 1
    MODERATOR = 2
    """Moderators in their links, admins everywhere."""
    ADMIN = 3
    NOBODY = 4
    """Command line only: the verb works on local files, or asks for secrets."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of administration. `place` is module:attribute in this folder, imported when it is called; `about` is
    its line in overviews."""

    place: str
    about: str
    access: Access

    @property
    def command(self) -> click.Command:
        module, _, name = self.place.partition(":")
        found: click.Command = getattr(importlib.import_module(f"bridge.admin.verbs.{module}"), name)
        return found


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "init-db": Verb("database:init_db", "Make an empty user database.", Access.NOBODY),
        "drop-db": Verb("database:drop_db", "Remove the user database; a dated backup is kept.", Access.NOBODY),
        "add-user": Verb("users:add_user", "Add a user with the given identities.", Access.ADMIN),
        "remove-user": Verb("users:remove_user", "Remove a user, who becomes a guest.", Access.ADMIN),
        "users": Verb("users:list_users", "List all users with their roles and identities.", Access.MEMBER),
        "show-user": Verb("users:show_user", "Show the role and identities of a user.", Access.ADMIN),
        "set-role": Verb("users:set_role", "Make a user a member or an admin.", Access.ADMIN),
        "set-puppet": Verb("users:set_puppet", "Give a user a nick of their own on IRC, or none.", Access.ADMIN),
        "set-irc-login": Verb(
            "irc_logins:set_irc_login", "Let a user's own nick on IRC log in to their account.", Access.NOBODY
        ),
        "set-password": Verb("passwords:set_password", "Set the password of a user.", Access.NOBODY),
        "link-identity": Verb("users:link_identity", "Add identities to a user.", Access.ADMIN),
        "unlink-identity": Verb("users:unlink_identity", "Remove identities from a user.", Access.ADMIN),
        "requests": Verb("requests:requests", "List who asks to become a member.", Access.ADMIN),
        "approve": Verb("requests:approve", "Make somebody who asked a member.", Access.ADMIN),
        "deny": Verb("requests:deny", "Decline a request to become a member.", Access.ADMIN),
        "mute-user": Verb("sanctions:mute_user", "Stop carrying somebody; bots still answer.", Access.MODERATOR),
        "ban-user": Verb("sanctions:ban_user", "Neither carry nor answer somebody.", Access.MODERATOR),
        "lift": Verb("sanctions:lift", "Lift a mute or ban.", Access.MODERATOR),
        "sanctions": Verb("sanctions:sanctions", "List who is muted or banned, and why.", Access.MODERATOR),
        "links": Verb("links:links", "List the links, their rooms and rules.", Access.ADMIN),
        "explain": Verb("links:explain", "Show where a person's messages would go, or why nowhere.", Access.ADMIN),
        "status": Verb("status:status", "Show whether all is well, and what waits.", Access.ADMIN),
        "history": Verb("history:history", "Show when rooms were away, and what was lost.", Access.ADMIN),
        "outbox list": Verb("outbox:list_", "List queued and dead deliveries, with the reason.", Access.ADMIN),
        "outbox retry": Verb("outbox:retry", "Queue a dead delivery again.", Access.ADMIN),
        "outbox drop": Verb("outbox:drop", "Give up a delivery for good.", Access.ADMIN),
        "media revoke": Verb("media:revoke", "Revoke the links to the files and the text of a message.", Access.ADMIN),
        "ledger": Verb("ledger:ledger", "Show what was carried, refused and lost.", Access.ADMIN),
        "audit": Verb("audit:audit", "Show who changed what, and failed logins.", Access.ADMIN),
        "import-users": Verb("transfer:import_users", "Add many users from a CSV or JSON file.", Access.NOBODY),
        "export-users": Verb("transfer:export_users", "Write all users as CSV or JSON.", Access.NOBODY),
        "rename-network": Verb(
            "networks:rename_network", "Move what is kept of a network to a new name.", Access.NOBODY
        ),
        "verify": Verb("verify:verify", "Compare emoji with somebody who verifies the bridge.", Access.ADMIN),
        "matrix-setup": Verb(
            "matrix:matrix_setup", "Sign our device on Matrix, and show the recovery key, once.", Access.NOBODY
        ),
        "backup": Verb("backups:backup", "Copy users, audit log and store into a dated folder.", Access.NOBODY),
        "restore": Verb("backups:restore", "Restore the users, and if asked the store, of a backup.", Access.NOBODY),
    }
)
"""Each verb by its name."""
ALIASES: Mapping[str, str] = MappingProxyType({"list-users": "users", "outbox": "outbox list"})
"""Other names of a verb. On the command line a group of that name (`outbox`) takes precedence."""
