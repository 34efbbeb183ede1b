"""The real daemon and the real command line, as processes of their own, in a folder of their own."""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.integration import forks

Line = Mapping[str, Any]
_PATIENCE = 30.0  # seconds


class Daemon:
    """`quackbridge run` on the config in `folder`, and its log. Leaving the context kills what is left. `before`: what
    its process calls first, as `module:function`."""

    def __init__(self, folder: Path, before: str = "") -> None:
        self.folder = folder
        self.before = before
        self.log: list[Line] = []
        self._pid = 0
        self._ended: asyncio.Task[int] | None = None
        self._over = False  # the log: the process ends, or has ended
        self._stir = asyncio.Condition()

    async def __aenter__(self) -> "Daemon":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ended is not None and not self._ended.done():
            await self.stop(signal.SIGKILL)

    async def start(self) -> None:
        """Start it with an empty log, without waiting until it is up."""
        self.log.clear()
        self._over = False
        with tempfile.TemporaryDirectory() as place:
            log = Path(place, "log")
            os.mkfifo(log)
            reader = os.fdopen(os.open(log, os.O_RDONLY | os.O_NONBLOCK), "rb")
            self._pid = forks.start(self.folder, ["run"], [Path(os.devnull), Path(os.devnull), log], self.before)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), reader)
        self._ended = asyncio.create_task(self._read(lines, self._pid), name="log of the daemon")

    @property
    def pid(self) -> int:
        """The id of the process that was started last."""
        assert self._pid
        return self._pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the daemon and its children."""
        os.killpg(self.pid, number)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it with a signal; its exit status."""
        self.send(number)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit status, once it has ended by itself; negative for a signal."""
        assert self._ended is not None
        async with asyncio.timeout(_PATIENCE):
            return await asyncio.shield(self._ended)

    async def logged(self, event: str, matches: Callable[[Line], bool] = lambda _: True) -> Line:
        """Wait for the first log line of that event that matches."""

        def found() -> Line | None:
            return next((line for line in self.log if line.get("event") == event and matches(line)), None)

        async with asyncio.timeout(_PATIENCE), self._stir:
            await self._stir.wait_for(lambda: found() is not None or self._over)
        line = found()
        assert line is not None, f"{event!r} was not logged, but: {self.log}"
        return line

    async def ready(self) -> "Daemon":
        await self.logged("ready")
        return self

    async def _read(self, lines: asyncio.StreamReader, pid: int) -> int:
        """Read its log until it ends; its exit status."""
        async for raw in lines:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": "", "text": raw.decode()}
            async with self._stir:
                self.log.append(line)
                self._stir.notify_all()
        self._over = True
        async with self._stir:
            self._stir.notify_all()
        return forks.wait(pid)


def quackbridge(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command line, run in `folder`."""
    return forks.run(folder, arguments, stdin, _PATIENCE)


def write_config(folder: Path, config: Mapping[str, object], secrets: Mapping[str, str]) -> None:
    """The config file and its password files, as an operator would keep them."""
    (folder / "secrets").mkdir(mode=0o700, exist_ok=True)
    for name, secret in secrets.items():
        file = folder / "secrets" / name
        file.touch(mode=0o600)
        file.write_text(secret + "\n")
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))
