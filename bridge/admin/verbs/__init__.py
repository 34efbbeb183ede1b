"""The verbs of administration, one place for the command line and for the chat: what there is, and who may use it.

Each is a click command in a module of its group, imported when it is called. It takes the Office first, and gives an
Answer; it neither prints, nor asks, nor knows who is going to read.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import click


class Access(IntEnum):
    """Who may use a verb in the chat. On the command line all are there."""

    MEMBER = 1
    MODERATOR = 2
    """Of a link, there; admins everywhere."""
    ADMIN = 3
    NOBODY = 4
    """It is about files of the machine, or asks for secrets: the command line only."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of administration. `place` is module:attribute below this folder; `about` is its line in overviews,
    for which it need not be imported."""

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
        "add-user": Verb("users:add_user", "Add a user, known by the identities given.", Access.ADMIN),
        "remove-user": Verb("users:remove_user", "Remove a user, who is a guest from then on.", Access.ADMIN),
        "users": Verb("users:list_users", "List all users with their roles and identities.", Access.MEMBER),
        "show-user": Verb("users:show_user", "Show a user.", Access.ADMIN),
        "set-role": Verb("users:set_role", "Make a user a member or an admin.", Access.ADMIN),
        "set-password": Verb("passwords:set_password", "Give a user a password.", Access.NOBODY),
        "link-identity": Verb("users:link_identity", "Let a user be known by more identities.", Access.ADMIN),
        "unlink-identity": Verb(
            "users:unlink_identity", "Let a user not be known by some identities any more.", Access.ADMIN
        ),
        "mute-user": Verb("sanctions:mute_user", "Carry nothing of what somebody says.", Access.MODERATOR),
        "ban-user": Verb("sanctions:ban_user", "Neither carry nor answer somebody.", Access.MODERATOR),
        "lift": Verb("sanctions:lift", "Mute or ban somebody no more.", Access.MODERATOR),
        "sanctions": Verb("sanctions:sanctions", "List who is muted or banned, and why.", Access.MODERATOR),
        "links": Verb("links:links", "List the links, their rooms and rules.", Access.ADMIN),
        "explain": Verb("links:explain", "Show who would hear somebody, and why not.", Access.ADMIN),
        "status": Verb("status:status", "Show how the bridge is doing.", Access.ADMIN),
        "outbox list": Verb("outbox:list_", "List what is queued and what is dead, with the reason.", Access.ADMIN),
        "outbox retry": Verb("outbox:retry", "Queue a dead delivery again.", Access.ADMIN),
        "outbox drop": Verb("outbox:drop", "Give up a delivery for good.", Access.ADMIN),
        "ledger": Verb("ledger:ledger", "Show what was carried, refused and lost.", Access.ADMIN),
        "audit": Verb("audit:audit", "Show who changed what, and who tried in vain to log in.", Access.ADMIN),
        "import-users": Verb("transfer:import_users", "Add many users from a CSV or JSON file.", Access.NOBODY),
        "export-users": Verb("transfer:export_users", "Write all users as CSV or JSON.", Access.NOBODY),
        "backup": Verb("backups:backup", "Copy the data into a dated folder.", Access.NOBODY),
        "restore": Verb("backups:restore", "Bring the data of a backup back.", Access.NOBODY),
    }
)
"""Each verb by its words."""
ALIASES: Mapping[str, str] = MappingProxyType({"list-users": "users", "outbox": "outbox list"})
"""Other words for a verb. Where they are the name of a group on the command line, the group wins there."""
