"""`quackbridge chat`: talk to a bot in the terminal, without a network."""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from bots.api import Bot, Question
from bots.host import as_text
from bots.load import load_bot
from bridge.cli.common import load_settings
from bridge.cli.options import config_option
from bridge.model.event import Room
from bridge.model.people import Sender
from bridge.model.text import plain, printable, words

_HERE = Room("terminal", "you")
_YOU = Sender("terminal", "you", "you")


@click.command()
@config_option
@click.option("--bot", "key", default="duck", show_default=True, help="Which bot, by its key in the config.")
def chat(config: Path, key: str) -> None:
    """Talk to the duck in the terminal; Ctrl-D ends. Without a config file the duck repeats what you say."""
    bot = _bot(config, key)
    with asyncio.Runner() as runner:  # one loop for all questions: a brain may keep connections
        runner.get_loop()
        click.echo(f"{bot.name} listens. Ctrl-D ends.", err=True)
        for number, said in enumerate(_lines()):
            question = Question(str(number), words(said), _YOU, _HERE, time.time(), private=True)
            for line in runner.run(_answer(bot, question)):
                click.echo(f"{bot.name}> {printable(line)}")


def _lines() -> Iterator[str]:
    """The lines that are typed or piped in, until end of file."""
    while True:
        try:
            yield input("you> " if sys.stdin is not None and sys.stdin.isatty() else "")
        except (EOFError, RuntimeError):  # RuntimeError: standard input is closed
            return


async def _answer(bot: Bot, question: Question) -> Sequence[str]:
    return [line for said in await bot.answer(question) for line in plain(as_text(said)).splitlines()]


def _bot(config: Path, key: str) -> Bot:
    chosen = click.get_current_context().get_parameter_source("config") is not ParameterSource.DEFAULT
    if not chosen and not config.exists() and key == "duck":
        return load_bot("bots.duck:Duck", "Little Yellow Duck", "echo", 0.5)
    bots = load_settings(config).bots
    if key not in bots:
        raise click.UsageError(f"there is no bot {key!r} in {config}; there are: {', '.join(bots) or 'none'}")
    try:
        return load_bot(bots[key].use, bots[key].name, bots[key].brain, bots[key].delay)
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{config}: bots.{key}: {error}") from error
