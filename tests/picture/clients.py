"""Two clients on a screen that nobody looks at (Xvfb): nheko on the left, irssi in a terminal on the right."""

import asyncio
import os
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from bridge.demo.people import MatrixPerson

PROGRAMS = ("Xvfb", "dbus-run-session", "import", "irssi", "nheko", "tmux", "xdotool", "xterm")
PACKAGES = "dbus-x11 fonts-dejavu-core imagemagick irssi nheko tmux xdotool xterm xvfb"
WIDTH, HEIGHT = 700, 450
"""Pixels of each client."""
_WINDOW = (1066, 600)
"""Pixels of nheko's window at its start, for which the places of the clicks are known."""
_CLICKS = ((1000, 562), (110, 85), (168, 65))
"""Closes the dialog about encryption, opens the first room, and closes the bar about encryption."""
_SETTINGS = """\
[General]
disableCertificateValidation=true
run_without_secure_secrets_service=true

[auth]
access_token={token}
device_id={device}
home_server={url}
user_id={user}

[user]
theme=light
group_view=false
typing_notifications=false
read_receipts=false
"""
_TRIES = 100


class Screen:
    """A display of two clients, `WIDTH` pixels each."""

    def __init__(self, folder: Path, number: int, stack: ExitStack) -> None:
        """`number` is that of the display; `stack` ends what was started."""
        self._folder = folder
        self._socket = f"picture-{number}"
        self._stack = stack
        self._environ = {
            **os.environ,
            "DISPLAY": f":{number}",
            "HOME": str(folder),
            "TMUX_TMPDIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "QT_QUICK_BACKEND": "software",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "LANG": "C.UTF-8",
        }

    async def say(self, line: str) -> None:
        """Type a line into irssi."""
        await self._tmux("send-keys", "-t", "irc", "-l", line)
        await self._tmux("send-keys", "-t", "irc", "Enter")

    async def sees(self, text: str) -> None:
        """Return when irssi shows `text`. Raises TimeoutError, with what it shows instead."""
        shows = ""
        for _ in range(_TRIES):
            shows = await self._tmux("capture-pane", "-p", "-t", "irc")
            if text in " ".join(shows.split()):  # it wraps long lines
                return
            await asyncio.sleep(0.2)
        raise TimeoutError(f"no {text!r} in irssi:\n{shows}")

    async def click(self, x: int, y: int) -> None:
        await self._run("xdotool", "mousemove", str(x), str(y), "click", "1")
        await asyncio.sleep(2)

    async def fit(self) -> None:
        """Make nheko's window half the screen, and put the mouse away."""
        found = await self._run("xdotool", "search", "--onlyvisible", "--class", "nheko")
        for window in found.split():
            await self._run("xdotool", "windowmove", window, "0", "0")
            await self._run("xdotool", "windowsize", window, str(WIDTH), str(HEIGHT))
        await self._run("xdotool", "mousemove", str(2 * WIDTH - 1), str(HEIGHT + 50))
        await asyncio.sleep(3)

    async def photograph(self, file: Path) -> None:
        size = f"{2 * WIDTH}x{HEIGHT}+0+0"
        await self._run(
            "import", "-window", "root", "-crop", size, "+repage", "+dither", "-colors", "96", "-strip", str(file)
        )

    async def open_irssi(self, host: str, port: int, nick: str) -> None:
        """Open a terminal on the right, in which irssi joins the server."""
        await self._tmux("-f", "/dev/null", "new-session", "-d", "-s", "irc", "-x", "80", "-y", "24", "sh")
        self._stack.callback(subprocess.run, ["tmux", "-L", self._socket, "kill-server"], env=self._environ)
        await self._tmux("set", "-g", "status", "off")
        home = self._folder / "irssi"
        command = f"exec irssi --home={home} --connect={host} --port={port} --nick={nick}"
        terminal = f"{WIDTH // 10 - 1}x{HEIGHT // 20 - 1}+{WIDTH}+0"
        colours = ("-bg", "#1c1c28", "-fg", "#e4e4e4", "-fa", "DejaVu Sans Mono", "-fs", "12", "-b", "6", "+sb")
        where = ("-geometry", terminal, *colours)
        await self.start("xterm", *where, "-e", "tmux", "-L", self._socket, "attach", "-t", "irc")
        await asyncio.sleep(2)
        await self.say(command)

    async def open_nheko(self, url: str, person: MatrixPerson, password: str) -> None:
        """Open nheko on the left, as a new device of `person`, with the first room of the list."""
        asked = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": person.user_id}}
        login = await person.call("POST", "login", {**asked, "password": password})
        settings = self._folder / ".config" / "nheko" / "nheko.conf"
        settings.parent.mkdir(parents=True)
        words = {"token": login["access_token"], "device": login["device_id"], "user": login["user_id"]}
        settings.write_text(_SETTINGS.format(url=url, **words))
        await self.start("dbus-run-session", "--", "nheko")
        await asyncio.sleep(15)
        for place in _CLICKS:
            await self.click(*place)

    async def start(self, *command: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *command, env=self._environ, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
        )
        self._stack.callback(_end, process)
        return process

    async def _tmux(self, *arguments: str) -> str:
        return await self._run("tmux", "-L", self._socket, *arguments)

    async def _run(self, *command: str) -> str:
        process = await asyncio.create_subprocess_exec(*command, env=self._environ, stdout=PIPE, stderr=PIPE)
        said, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: {errors.decode()}")
        return said.decode()


@asynccontextmanager
async def screen(folder: Path) -> AsyncGenerator[Screen, None]:
    """A screen, whose files are in `folder`; all programs on it end with the context."""
    number = os.getpid() % 50_000 + 100
    with ExitStack() as stack:
        shown = Screen(folder, number, stack)
        await shown.start("Xvfb", f":{number}", "-screen", "0", f"{2 * WIDTH}x{_WINDOW[1]}x24")
        await asyncio.sleep(1)
        yield shown


def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
