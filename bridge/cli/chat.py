"""`quackbridge chat`: talk to a bot in the terminal, without a network."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bots.api import TURNS, Bot, Question, Reply, Said, Turn
from bots.hosting.unseen import Unseen
from bots.hosting.voice import as_text
from bots.hosting.working import for_ever
from bots.load import brains, load_bot
from bridge.admin.databases import users_of
from bridge.cli.common import load_settings
from bridge.cli.options import config_option
from bridge.config import BotSection
from bridge.model.event import Room
from bridge.model.people import Role, Sender
from bridge.model.text import one_line, plain, printable, words
from bridge.users import UsersError

_HERE = Room("terminal", "you")
_HISTORY = 1000
"""Lines that the arrow keys bring back, of this session."""


@click.command()
@config_option
@click.option("--bot", "key", default="duck", show_default=True, help="Which bot, by its key in the config.")
@click.option("--brain", "alone", metavar="NAME", help="Ask this brain only: see `quackbridge bots list`.")
@click.option("--as", "user", metavar="USER", help="Talk as this user of the allowlist; else as a guest.")
@click.option("--link", default="", metavar="LINK", help="Talk as if in this link; else in private.")
@click.option("--explain", is_flag=True, help="Show which brain has answered, and why.")
def chat(config: Path, key: str, alone: str | None, user: str | None, link: str, *, explain: bool) -> None:
    """Talk to the duck in the terminal; Ctrl-D ends. Without a config file it is the duck of a fresh one.

    Nothing is kept: reminders and what it remembers are gone at the end.
    """
    section = _section(config, key, link)
    bot = _bot(config, key, section, alone)
    asker = _asker(config, user)
    turns: deque[Turn] = deque(maxlen=TURNS)
    with asyncio.Runner() as runner:  # one loop for all questions: a brain may keep connections
        runner.get_loop()
        click.echo(f"{bot.name} listens. Ctrl-D ends.", err=True)
        for number, said in enumerate(_lines(runner, bot)):
            question = replace(asker, id=str(number), text=words(said), time=time.time(), link=link, private=not link)
            answers = runner.run(_answers(bot, replace(question, turns=tuple(turns))))
            turns.append(Turn(question.asker.name, said))
            for answer in answers:
                _show(bot.name, answer, explain=explain)
                turns.append(Turn(bot.name, plain(as_text(answer)), ours=True))


async def _answers(bot: Bot, question: Question) -> Sequence[Said]:
    """What the bot says. A bot that fails costs this answer, as it does in a room, and the error is shown."""
    try:
        return await bot.answer(question)
    except Exception as error:  # a bot is foreign code
        click.echo(f"  ({one_line(f'{type(error).__name__}: {error}')})", err=True)
        return ()


def _show(name: str, answer: Said, *, explain: bool) -> None:
    for line in plain(as_text(answer)).splitlines():
        click.echo(f"{name}> {printable(line)}", file=sys.stdout)
    if explain and isinstance(answer, Reply):
        click.echo(f"  ({printable(answer.why)})", file=sys.stdout)


def _lines(runner: asyncio.Runner, bot: Bot) -> Iterator[str]:
    """The lines that are typed or piped in, until end of file."""
    typed = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # what is no text is a question all the same
    ask = _prompt(runner, bot) if typed else _read
    while True:
        try:
            yield ask()
        except (EOFError, RuntimeError):  # RuntimeError: standard input is closed
            return


def _read() -> str:
    return input("")


def _prompt(runner: asyncio.Runner, bot: Bot) -> Callable[[], str]:
    """A line editor: the arrow keys bring back what was said, Tab completes words of it. What the bot does by itself
    (reminders) goes on while it waits, and shows above the line."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.patch_stdout import patch_stdout

    seen: deque[str] = deque(maxlen=_HISTORY)
    session: PromptSession[str] = PromptSession(history=InMemoryHistory())
    completer = WordCompleter(lambda: sorted({word for line in seen for word in line.split()} | {"help"}))
    work: Callable[[], Coroutine[Any, Any, None]] | None = getattr(bot, "run", None)
    kept = [] if work is None else [runner.get_loop().create_task(for_ever(bot.name, work))]

    def ask() -> str:
        with patch_stdout():
            line = runner.run(session.prompt_async("you> ", completer=completer, complete_while_typing=False))
        seen.append(line)
        kept[:] = [task for task in kept if not task.done()]  # named here: the loop alone keeps no task alive
        return line

    return ask


def _section(config: Path, key: str, link: str) -> BotSection:
    """The bot's section, or that of a fresh config, if there is none."""
    chosen = click.get_current_context().get_parameter_source("config") is not ParameterSource.DEFAULT
    if not chosen and not config.exists() and key == "duck" and not link:
        return BotSection()
    settings = load_settings(config)
    if key not in settings.bots:
        raise click.UsageError(f"there is no bot {key!r} in {config}; there are: {', '.join(settings.bots) or 'none'}")
    if link and link not in settings.links:
        raise click.UsageError(f"there is no link {link!r} in {config}; there are: {', '.join(settings.links)}")
    return settings.bots[key]


def _bot(config: Path, key: str, section: BotSection, alone: str | None) -> Bot:
    """The bot, which answers at once."""
    chain = section.brain if alone is None else (alone,)
    settings = {name: given for name, given in section.settings.items() if name in (*chain, "bot")}
    try:
        return load_bot(
            section.use,
            section.name,
            chain,
            0.0,
            settings=settings,
            home=Terminal(section.name),
            folder=config.parent,
        )
    except (ValueError, TypeError) as error:
        hint = "" if alone is None else f"; there are: {', '.join(brains())}"
        raise click.UsageError(f"{config}: bots.{key}: {error}{hint}") from error


def _asker(config: Path, user: str | None) -> Question:
    """A question of whoever talks."""
    if user is None:
        return Question("", (), Sender("terminal", "you", "you"), _HERE, 0.0)
    try:
        known = users_of(load_settings(config)).find(user)
    except UsersError as error:
        raise click.UsageError(str(error)) from error
    if known is None:
        raise click.UsageError(f"there is no user {user!r}: see `quackbridge list-users`")
    asker = Sender("terminal", known.name, known.name, user=known.name)
    return Question("", (), asker, _HERE, 0.0, role=known.role or Role.MEMBER, carried=True)


class Terminal(Unseen):
    """A home in the terminal: what the bot says unasked is shown."""

    async def say(self, room: Room, text: Said, *, once: str = "") -> None:
        _show(self.name, text, explain=False)

    async def tell(self, user: str, text: Said, *, once: str = "") -> None:
        _show(f"{self.name} (to {user})", text, explain=False)
