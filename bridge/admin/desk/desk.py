"""The desk: a bot that answers private commands to the bridge, by who sends them."""

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import click

from bots.api import Question
from bridge.admin.desk.counter import Counter, by
from bridge.admin.desk.logins import IrcLogins
from bridge.admin.desk.words import ANSWERS, ELSEWHERE, elsewhere, meant
from bridge.admin.live import Live
from bridge.admin.verbs import ALIASES, VERBS, Access, Verb
from bridge.admin.verbs.office import Answer, Office
from bridge.config import Config
from bridge.model.people import Sender
from bridge.model.text import Text, plain, printable, words
from bridge.rules.gate import Gate
from bridge.rules.joining import REQUEST
from bridge.rules.talks import COMMAND
from bridge.store import StoreError
from bridge.users import Role, User, Users, UsersError
from bridge.users.identities import same_name

_LINES = 30
"""Most lines of one answer: more would keep an IRC network's flood budget busy for a minute."""

_CHARACTERS = 6_000
"""Most characters of one answer, for the same reason."""

_ABOUT = "I carry what members say between Matrix and IRC. You are a guest."
_MORE = "`help WORD` explains one."
Ask = Callable[[Sender, str], Awaitable[str]]


class Desk:
    """Answers one command at a time, so that answers come in order. A reload replaces `config`. `live` is the running
    daemon, and `comparisons` the number of comparisons of emoji that wait for an admin."""

    name = "quackbridge"

    def __init__(
        self,
        config: Config,
        users: Users,
        gate: Gate,
        counter: Counter,
        *,
        clock: Callable[[], float],
        live: Live | None = None,
        comparisons: Callable[[], int] = lambda: 0,
    ) -> None:
        self._logins = IrcLogins(config, users, gate)
        self._config = config
        self._users = users
        self._gate = gate
        self._clock = clock
        self._live = live
        self._comparisons = comparisons
        self._busy = asyncio.Lock()
        self._own: Mapping[str, Ask] = {
            "login": counter.login,
            "logout": counter.logout,
            "whoami": counter.whoami,
            "passwd": counter.passwd,
            "puppet": counter.puppet,
            COMMAND: counter.msg,
            "irc-login": self._logins.irc_login,
            "prove": counter.prove,
            REQUEST: counter.request,
        }
        self._theirs: Mapping[str, Ask] = {
            "link-identity": counter.link_identity,
            "unlink-identity": counter.unlink_identity,
        }

    @property
    def config(self) -> Config:
        return self._config

    @config.setter
    def config(self, config: Config) -> None:
        self._config = self._logins.config = config

    def expects(self, line: str, user: User | None) -> bool:
        """Whether a line that `user` says in private answers the one comparison of emoji that waits for an admin."""
        is_admin = user is not None and user.role is Role.ADMIN
        return is_admin and line.strip(" .!").lower() in ANSWERS and self._comparisons() == 1

    async def answer(self, question: Question) -> Sequence[Text]:
        async with self._busy:
            try:
                said = await self._answer(plain(question.text), question.asker)
            except UsersError as error:
                said = f"{error}"
        return [words(said if len(said) <= _CHARACTERS else f"{said[:_CHARACTERS]} ...")]

    async def _answer(self, text: str, asker: Sender) -> str:
        first, rest = _parted(text)
        user = self._gate.who(asker)
        if first == "help":
            return self._help(user, asker, rest)
        if first.strip(" .!") in ANSWERS and not rest:
            return await self._verb(user, asker, "verify", first.strip(" .!"))
        if first in self._own:
            return await self._own[first](asker, rest)
        if first in self._theirs and "--" not in rest:
            return await self._theirs[first](asker, rest)
        if first in self._theirs and user is not None and self._access(user, asker) is not Access.ADMIN:
            return f"Options are for admins. You may say: {self._theirs[first].__doc__}"
        return await self._verb(user, asker, first, rest)

    async def _verb(self, user: User | None, asker: Sender, first: str, rest: str) -> str:
        second, _, after = rest.partition(" ")
        name, line = (f"{first} {second.lower()}", after) if f"{first} {second.lower()}" in VERBS else (first, rest)
        verb = VERBS.get(ALIASES.get(name, name))
        if verb is None and user is not None and (group := _group(first, self._verbs(user, asker))):
            return f"Say one of: {group}"
        if verb is None or verb.access is Access.NOBODY:
            return self._unknown(user, asker, first)
        if user is None:
            return "That is for users; you are a guest here. Say `help`"
        if self._access(user, asker) < verb.access:
            return "That is for admins." if verb.access is Access.ADMIN else "That is for moderators."
        office = self._office(user, asker)
        answer = await asyncio.to_thread(_run, office, verb, name, line)
        await asyncio.to_thread(self._users.refresh)
        return answer

    def _unknown(self, user: User | None, asker: Sender, first: str) -> str:
        """The answer to a word that is no command here. The word is not repeated: it may be a secret."""
        mine = {"help", *self._own, *self._verbs(user, asker), *(self._theirs if user else ())}
        if user is not None and self._access(user, asker) is Access.ADMIN:
            if first in ELSEWHERE:
                return elsewhere(first)
            mine |= {*ELSEWHERE}
        near = meant(first, {name.split()[0] for name in mine})
        return f"I do not know that; did you mean `{near}`? Say `help`" if near else "I do not know that; say `help`"

    def _verbs(self, user: User | None, asker: Sender) -> dict[str, Verb]:
        """The verbs that `user` may use here."""
        return {
            name: verb
            for name, verb in VERBS.items()
            if user is not None and verb.access <= self._access(user, asker) and verb.access is not Access.NOBODY
        }

    def _office(self, user: User, asker: Sender) -> Office:
        acting = self._users.acting(by(user, asker))
        moderates = None if user.role is Role.ADMIN else self._moderates(user, asker)
        return Office(
            self.config,
            lambda: acting,
            by=by(user, asker),
            role=user.role,
            moderates=moderates,
            clock=self._clock,
            live=self._live,
        )

    def _access(self, user: User, asker: Sender) -> Access:
        if user.role is Role.ADMIN:
            return Access.ADMIN
        return Access.MODERATOR if self._moderates(user, asker) else Access.MEMBER

    def _moderates(self, user: User, asker: Sender) -> frozenset[str]:
        """The links that `user` moderates, except those in which they are muted or banned."""
        name, now = same_name(user.name), self._clock()
        mine = [link.name for link in self._gate.links if name in link.rules.moderators]
        return frozenset(link for link in mine if self._users.sanctioned(asker, user, link, now) is None)

    def _help(self, user: User | None, asker: Sender, about: str) -> str:
        mine = self._verbs(user, asker)
        asked = ALIASES.get(about.lower(), about.lower())
        own = {**self._own, **(self._theirs if user else {})}
        if asked in mine:
            return _usage(asked, mine[asked])
        if group := _group(asked, mine):
            return f"Say one of: {group}. For more: `help {group.partition(',')[0]}`"
        if asked in own:
            return (own[asked].__doc__ or "").strip()
        everybody = "You may say: help, " + ", ".join(own)
        if user is None:
            return f"{_ABOUT} {self._gate.next_step(asker)}\n{everybody}. {_MORE}"
        admin = f"As {'an admin' if user.role is Role.ADMIN else 'a user'}: {', '.join(mine)}"
        return "\n".join([everybody, *([admin] if mine else []), _MORE])


def _group(first: str, verbs: Iterable[str]) -> str:
    """Those of `verbs` that have two words and begin with `first`; '' if there are none."""
    return ", ".join(name for name in verbs if name.startswith(f"{first} "))


def _run(office: Office, verb: Verb, name: str, line: str) -> str:
    """Run `verb` with the arguments in `line`, split as in a shell. It may block."""
    try:
        with verb.command.make_context(name, shlex.split(line), obj=office, help_option_names=[]) as context:
            lines = _told(verb.command.invoke(context))
        return "\n".join([*(f"Warning: {warning}" for warning in office.warnings), *lines])
    except click.ClickException as error:
        return f"{error.format_message().rstrip('.')}. Say `help {name}`"
    except (UsersError, StoreError, ValueError) as error:  # ValueError: quotes are not closed
        return str(error)


def _told(answer: Answer) -> Sequence[str]:
    """The lines of an answer, cut after `_LINES`."""
    lines = [" · ".join(map(_cell, answer.columns, row)) for row in answer.rows]
    lines = lines or answer.words.split("\n")
    left = len(lines) - _LINES
    return [
        *map(printable, lines[:_LINES]),
        *([f"... and {left} more: see them on the command line"] if left > 0 else []),
    ]


def _cell(column: str, cell: str) -> str:
    """A cell that reads well without a heading: yes, no and empty cells get the column's name."""
    return f"{column}: {cell}" if cell in ("yes", "no", "") else cell.replace("\n", ", ")


def _parted(text: str) -> tuple[str, str]:
    """The first word, in lower case and without ! or /, and the rest; split as in `secrecy`."""
    first, *rest = re.split(r"[\s:]+", text.strip().lstrip("!/"), maxsplit=1)
    return first.lower(), rest[0].strip() if rest else ""


def _usage(name: str, verb: Verb) -> str:
    context = verb.command.make_context(name, [], resilient_parsing=True, help_option_names=[])
    return "\n".join(line for line in verb.command.get_help(context).splitlines() if line.strip())
