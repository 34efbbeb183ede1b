"""A quackbridge command on a pseudo-terminal, and the person who reads it and types."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_COMMAND = (sys.executable, "-m", "bridge")
_MOST = 1 << 20


class Terminal:
    """Starts `quackbridge ARGUMENTS` in `folder` on entering the context; ends it on leaving."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.screen = ""
        """All that was printed."""
        self._folder = folder
        self._arguments: Sequence[str] = arguments
        self._read = 0
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        self._child = subprocess.Popen(  # noqa: ASYNC220  (it starts in milliseconds)
            (*_COMMAND, *self._arguments),
            cwd=self._folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env=os.environ | {"TERM": "dumb", "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        os.close(theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._arrived)
        return self

    def _arrived(self) -> None:
        try:
            data = os.read(self._ours, 4096)
        except OSError:  # the last process on the terminal has ended
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
        self.screen = (self.screen + data.decode(errors="replace").replace("\r\n", "\n"))[-_MOST:]
        self._news.set()

    async def reads(self, pattern: str, within: float = 60.0) -> "re.Match[str]":
        """Wait until `pattern` is printed, after what was read last."""
        try:
            async with asyncio.timeout(within):
                while (found := re.compile(pattern).search(self.screen, self._read)) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{pattern!r} was not printed:\n{self.screen[self._read :]}") from None
        self._read = found.end()
        return found

    async def answers(self, question: str, answer: str) -> None:
        """Wait for a question, and type the answer."""
        await self.reads(question)
        os.write(self._ours, f"{answer}\n".encode())

    async def interrupted(self) -> int:
        """Press Ctrl-C once, as a person who has read the question, and wait for the end; the exit code. Python sees a
        signal that comes between the printing of a prompt and the wait for a key only at the next key."""
        await asyncio.sleep(0.5)
        os.write(self._ours, b"\x03")
        return await self.ends()

    async def hangs_up(self) -> int:
        """Close the terminal's window while a question is asked; the exit code."""
        await asyncio.sleep(0.5)
        self._child.send_signal(signal.SIGHUP)
        return await self.ends()

    async def ends(self, within: float = 30.0) -> int:
        """Wait for the end; the exit code."""
        return await asyncio.to_thread(self._child.wait, within)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        if self._child.poll() is None:
            self._child.kill()
            await asyncio.to_thread(self._child.wait, 10)
        os.close(self._ours)


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl-C there is a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
