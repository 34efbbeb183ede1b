"""What a verb works with, and what it answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import click

from bridge.config import Config
from bridge.model.event import BOTS, DESK
from bridge.model.outbox import Entry, State
from bridge.store import Store
from bridge.users import Role, Users
from bridge.users.audit import Audit

Result = TypeVar("Result")
Json = Mapping[str, object] | Sequence[object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb has done or found: `data` for programs; for people `words`, or a table where there are `columns`."""

    data: Json
    words: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def done(words: str, **data: object) -> Answer:
    """The answer of a verb that changed something."""
    return Answer({"done": words, **data}, words)


class Office:
    """The bridge as who administers it sees it. `by` is who that is, for the audit log; `role` is theirs,
    and `moderates` the links in which they may mute and ban; None: in all.

    `terminal` has the ways of the command line to ask for what may not be said in a chat, and is None in one.
    """

    def __init__(
        self,
        config: Config,
        users: Callable[[], Users],
        *,
        by: str,
        role: Role = Role.ADMIN,
        moderates: frozenset[str] | None = None,
        terminal: "Terminal | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.by = by
        self.role = role
        self.moderates = moderates
        self.clock = clock
        self._users = users
        self._terminal = terminal
        self.warnings: list[str] = []

    @cached_property
    def users(self) -> Users:
        """The user database. UsersError where there is none, or it is broken."""
        return self._users()

    @property
    def database(self) -> Path:
        return self.config.users.database

    @property
    def audit(self) -> Audit:
        return Audit(self.database, self.clock)

    @property
    def at_terminal(self) -> bool:
        return self._terminal is not None

    @property
    def terminal(self) -> "Terminal":
        """UsageError where there is none: the option that needs it does not exist there."""
        if self._terminal is None:
            raise click.UsageError("not in a chat: use the command line")
        return self._terminal

    def warn(self, text: str) -> None:
        """A warning for the person who asked; what they asked for was done."""
        self.warnings.append(text)

    def outbox(self) -> Sequence[Entry]:
        """What is queued or dead; in a chat without the very question that this answers."""
        found = self.stored(lambda store: store.outbox())
        return [entry for entry in found if self._terminal or not _is_asked(entry)]

    def stored(self, verb: Callable[[Store], Awaitable[Result]]) -> Result:
        """What `verb` finds in the store, beside a daemon that may be running. For a thread that has no event loop."""
        from bridge.store.sqlite import SqliteStore  # few verbs need it

        async def run() -> Result:
            async with aclosing(SqliteStore.attach(self.config.store.path, self.clock)) as store:
                return await verb(store)

        return asyncio.run(run())


def _is_asked(entry: Entry) -> bool:
    """Whether it is a question on its way to the desk."""
    return entry.state is State.QUEUED and entry.room.network == BOTS and entry.room.id.startswith(f"{DESK}@")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a secret may be typed: `ask` prompts for it, `read` takes the first line of standard input."""

    ask: Callable[[], str]
    read: Callable[[], str]
