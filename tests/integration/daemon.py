"""The real daemon and the real command line, as processes of their own, in a folder of their own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.integration import forks

Line = Mapping[str, Any]
_PATIENCE = 30.0  # seconds


class Daemon:
    """`quackbridge run` on the config in `folder`, and its log. Leaving the context kills what is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log: list[Line] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._stir = asyncio.Condition()

    async def __aenter__(self) -> "Daemon":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.stop(signal.SIGKILL)

    async def start(self) -> None:
        """Start it, with an empty log; it need not come up."""
        self.log.clear()
        self._process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            "run",
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read(self._process))

    @property
    def pid(self) -> int:
        """Of the process last started."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """A signal to it and all that it started."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit status."""
        self.send(number)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit status, once it has ended by itself."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(_PATIENCE):
            status = await self._process.wait()
            await self._reading
        return status

    async def logged(self, event: str, matches: Callable[[Line], bool] = lambda _: True) -> Line:
        """The first line of that event that matches, when it is there."""

        def found() -> Line | None:
            return next((line for line in self.log if line.get("event") == event and matches(line)), None)

        async with asyncio.timeout(_PATIENCE), self._stir:
            await self._stir.wait_for(lambda: found() is not None or self._ended())
        line = found()
        assert line is not None, f"{event!r} was not logged, but: {self.log}"
        return line

    async def ready(self) -> "Daemon":
        await self.logged("ready")
        return self

    def _ended(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for raw in process.stderr:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": "", "text": raw.decode()}
            async with self._stir:
                self.log.append(line)
                self._stir.notify_all()
        await process.wait()
        async with self._stir:
            self._stir.notify_all()


_COMMAND = (sys.executable, "-m", "bridge")


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
