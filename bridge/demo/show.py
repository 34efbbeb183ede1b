"""Shows the conversation on the terminal, as a silent watcher on both networks hears it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from rich.console import Console
from rich.text import Text

from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.pond import CHANNEL, DUCK, PASSWORD, Pond
from bridge.demo.servers.process import HOST

WATCHER = "watcher"

_SPEAKERS = ("bright_cyan", "bright_green", "bright_magenta", "bright_blue", "cyan", "green", "magenta", "blue")
_NETWORKS = {"Matrix": "bold green", "IRC": "bold blue"}
_NAME = 12  # columns


class Screen:
    """Prints who said what, where and when. What people write cannot control the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, words: str) -> None:
        """Print a line of the demo itself."""
        self._console.print(Text(words, style="dim"), soft_wrap=True)

    def show(self, network: str, heard: Heard) -> None:
        private = not heard.room.startswith(("#", "!"))
        name = printable(heard.sender.removeprefix("@").partition(":")[0])
        style = "yellow" if name == DUCK or heard.kind == "notice" else _colour(name)
        line = Text.assemble((f"{datetime.now().astimezone():%H:%M:%S} ", "dim"))
        line.append(f"{network:<7}", style=_NETWORKS[network])
        line.append(f"{'* ' + name if heard.kind == 'action' else name:>{_NAME}} ", style=style)
        line.append(f"(to {printable(heard.room)} alone) " if private else "", style="dim")
        line.append(f"\n{' ' * (len('00:00:00 ') + 7 + _NAME + 1)}".join(map(printable, heard.text.splitlines())))
        self._console.print(line, soft_wrap=True)


@asynccontextmanager
async def watched(pond: Pond, screen: Screen) -> AsyncGenerator[None, None]:
    """Show on `screen` what is said in the room and in the channel meanwhile."""
    async with (
        MatrixPerson(pond.synapse.url, WATCHER, PASSWORD) as on_matrix,
        IrcPerson(HOST, pond.irc.port, WATCHER) as on_irc,
    ):
        await on_matrix.join(pond.alias)
        await on_irc.join(CHANNEL)
        async with asyncio.TaskGroup() as group:
            eyes = [
                group.create_task(follow(on_matrix, "Matrix", screen), name="watch Matrix"),
                group.create_task(follow(on_irc, "IRC", screen), name="watch IRC"),
            ]
            yield
            for eye in eyes:
                eye.cancel()


async def follow(person: IrcPerson | MatrixPerson, network: str, screen: Screen, *, private: bool = False) -> None:
    """Show what `person` hears in public or, if `private`, what was said to them alone."""
    async for heard in person.listen():
        if private != heard.room.startswith(("#", "!")):
            screen.show(network, heard)


def printable(text: str) -> str:
    """`text` without characters that could control a terminal. Zero width joiners stay, for emoji."""
    keep = "\N{ZERO WIDTH JOINER}"
    return "".join(char if char.isprintable() or char == keep else "\N{REPLACEMENT CHARACTER}" for char in text)


def _colour(name: str) -> str:
    return _SPEAKERS[sum(map(ord, name)) % len(_SPEAKERS)]
