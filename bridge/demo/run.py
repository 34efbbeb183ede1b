"""`quackbridge demo`: start the pond, show how to get in, and stay until stopped; or hold one conversation."""

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bridge.demo.daemon import CommandError
from bridge.demo.people import MatrixPerson
from bridge.demo.pond import CHANNEL, DUCK, MEMBER_ON_IRC, MEMBER_ON_MATRIX, PASSWORD, Pond, dug
from bridge.demo.script import converse
from bridge.demo.servers import ServerError
from bridge.demo.servers.process import HOST
from bridge.demo.show import Screen, watched

_INTERRUPTED = 130  # the shell's status for what Ctrl-C ended


def run(console: Console, *, once: bool) -> int:
    """Run the demo; the exit status. Ctrl-C is its normal end (0), but interrupts a scripted conversation (130)."""
    return asyncio.run(_until_stopped(console, once=once))


async def _until_stopped(console: Console, *, once: bool) -> int:
    task = asyncio.create_task(_demo(console, once=once), name="demo")  # awaited below
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return _INTERRUPTED if once else 0


async def _demo(console: Console, *, once: bool) -> int:
    screen = Screen(console)
    with tempfile.TemporaryDirectory(prefix="quackbridge-demo-") as folder:
        try:
            async with dug(Path(folder), screen.say) as pond, watched(pond, screen):
                return await (_hold(pond, screen, console) if once else _stay(pond, screen, console))
        except* (ServerError, CommandError) as errors:
            for error in _leaves(errors):
                console.print(Text(str(error), style="red"), soft_wrap=True)
    return 1


async def _hold(pond: Pond, screen: Screen, console: Console) -> int:
    console.print()
    wrong = await converse(pond, screen)
    console.print()
    for line in wrong:
        console.print(Text(line, style="bold red"), soft_wrap=True)
    if wrong:
        console.print(Text(f"The last words of the bridge:\n{pond.daemon.tail()}", style="dim"), soft_wrap=True)
        return 1
    console.print("Every line arrived, and the guest's stayed where it was said.", style="bold green")
    return 0


async def _stay(pond: Pond, screen: Screen, console: Console) -> int:
    console.print(Text(_directions(pond)), soft_wrap=True)
    async with MatrixPerson(pond.synapse.url, MEMBER_ON_MATRIX, PASSWORD) as alice:
        await alice.send(pond.room, f"{DUCK}: is anybody there?")
    status = await pond.daemon.ended()
    raise ServerError(f"The bridge ended with status {status}:\n{pond.daemon.tail()}")


def _directions(pond: Pond) -> str:
    command = f"{sys.executable} -m bridge"
    return f"""
The pond is open, on this machine only. Come in:

  IRC      irssi --connect={HOST} --port={pond.irc.port} --nick={MEMBER_ON_IRC}
           then: /join {CHANNEL}
           As {MEMBER_ON_IRC} you are a member; under any other nick you are a guest, and only the duck answers you.

  Matrix   any client that runs on this machine (Element Desktop, or Element in Firefox or Chrome; nheko; gomuks)
           homeserver  {pond.synapse.url}
           user        {MEMBER_ON_MATRIX}     password  {PASSWORD}
           room        {pond.alias}
           As {MEMBER_ON_MATRIX} you are a member. Register another name there and you are a guest.

  The duck answers who speaks to it, in the room or in private:  {DUCK}: hello

To become a member under your own name (in another terminal; it counts within two seconds):

  {command} add-user you --irc-mask 'pond/NICK!*@{pond.irc.mask_host}' -c {pond.daemon.config}
  {command} add-user me --matrix @NAME:{pond.synapse.server_name} -c {pond.daemon.config}

(This IRC server has no accounts, so the demo knows IRC members by nick and host: good enough on loopback, where the
host proves that it is somebody on this machine, and nowhere else.)

Ctrl-C stops and removes everything.
"""


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
