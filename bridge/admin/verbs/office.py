"""The Office that a verb works with, and the Answer that it returns."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import click

from bridge.admin.databases import audit_of, place_of
from bridge.admin.live import Live, NotRunning
from bridge.config import Config
from bridge.lib import exits
from bridge.model.event import BOTS, DESK
from bridge.model.outbox import Entry, State
from bridge.store import Store
from bridge.users import Role, Users
from bridge.users.audit import Audit
from bridge.users.shared import SharedText

Result = TypeVar("Result")
Json = Mapping[str, object] | Sequence[object]


@dataclass(frozen=True, slots=True)
class Again:
    """A verb is to be carried out again after `seconds`. A terminal shows each answer in the place of the last; another
    program gets it only if `changed` differs from the last."""

    seconds: float
    changed: object


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb has done or found: `data` for programs; for people `words`, or a table if there are `columns`.
    `printed` is called once the command line has printed it, which then exits with `code`, one of
    `bridge.lib.exits`. `again`: the verb is to be carried out again in a moment."""

    data: Json
    words: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    printed: Callable[[], None] | None = None
    code: int = exits.DONE
    again: Again | None = None


def done(words: str, **data: object) -> Answer:
    """The answer of a verb that changed something."""
    return Answer({"done": words, **data}, words)


class Office:
    """The bridge as an administrator sees it. `by` names them in the audit log, `role` is their role, and `moderates`
    the links in which they may mute and ban (None: all).

    `terminal` asks for secrets on the command line; it is None in a chat.
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
        live: Live | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.by = by
        self.role = role
        self.moderates = moderates
        self.clock = clock
        self._users = users
        self._terminal = terminal
        self._live = live
        self.warnings: list[str] = []

    @cached_property
    def users(self) -> Users:
        """The user database. Raises UsersError if it is missing or broken."""
        return self._users()

    @property
    def database(self) -> Path | SharedText:
        """The file of the user database, or what stands for it in the store."""
        return place_of(self.config)

    @property
    def audit(self) -> Audit:
        return audit_of(self.config, self.clock)

    @property
    def at_terminal(self) -> bool:
        return self._terminal is not None

    @property
    def terminal(self) -> "Terminal":
        """Where secrets are typed. Raises UsageError in a chat, which has none."""
        if self._terminal is None:
            raise click.UsageError("not in a chat: use the command line")
        return self._terminal

    @property
    def live(self) -> Live:
        """The running daemon. Raises NotRunning."""
        if self._live is None:
            raise NotRunning("no daemon runs with this store: start it with `quackbridge run`")
        return self._live

    def warn(self, text: str) -> None:
        """Warn the person who asked; what they asked for is done all the same."""
        self.warnings.append(text)

    def outbox(self) -> Sequence[Entry]:
        """Queued and dead deliveries; in a chat without questions to the desk, one of which is being answered."""
        found = self.stored(lambda store: store.outbox())
        return [entry for entry in found if self._terminal or not _is_asked(entry)]

    def stored(self, verb: Callable[[Store], Awaitable[Result]]) -> Result:
        """Run `verb` on the store; a daemon may be running. Call it in a thread without an event loop."""
        from bridge.store.opening import attached  # few verbs need it

        async def run() -> Result:
            async with attached(self.config.store.path, self.config.store.url, self.clock) as store:
                return await verb(store)

        return asyncio.run(run())


def _is_asked(entry: Entry) -> bool:
    """Whether `entry` is a question on its way to the desk."""
    return entry.state is State.QUEUED and entry.room.network == BOTS and entry.room.id.startswith(f"{DESK}@")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where secrets and answers may be typed. `ask` prompts for a new secret, twice; `read` takes the first line of
    standard input. `take` is given what to ask for, and why: it prompts once, if there is a terminal, or reads the next
    line.
    `confirm` shows a question and reads a line, empty if there is none; None if nothing is to be asked."""

    ask: Callable[[], str]
    read: Callable[[], str]
    take: Callable[[str, str], str]
    confirm: Callable[[str], str] | None = None
