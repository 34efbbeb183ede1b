"""The real bridge, as an operator runs it: a config file, secrets, the command line, and the daemon as a process."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bridge.demo.servers import Process

_COMMAND = (sys.executable, "-m", "bridge")


class CommandError(Exception):
    """A quackbridge command failed; the text is what it printed."""


class Daemon(Process):
    """`quackbridge run` on the `config` given, with `secrets` (file name: content) beside it. It is up once it logs
    that every room is joined."""

    def __init__(self, folder: Path, config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.config = folder / "config.yaml"
        self._settings = config
        self._secrets = secrets
        self._said_before = 0

    def command(self) -> Sequence[str]:
        return (*_COMMAND, "run", "-c", str(self.config))

    def prepare(self) -> None:
        """Write the files. Also called before the first start if a command needs them."""
        (self.folder / "secrets").mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, secret in self._secrets.items():
            file = self.folder / "secrets" / name
            file.touch(mode=0o600)
            file.write_text(secret + "\n")
        self.config.write_text(yaml.safe_dump(dict(self._settings), sort_keys=False))

    async def start(self) -> None:
        self._said_before = self.log.stat().st_size if self.log.exists() else 0
        await super().start()

    async def is_up(self) -> bool:
        return any(line.get("event") == "ready" for line in self.events())

    def events(self) -> list[dict[str, Any]]:
        """What the daemon has logged since its last start."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(self._said_before)
            return [event for line in log if (event := _event(line))]

    async def run(self, *arguments: str) -> str:
        """Run a quackbridge command on this config and return what it printed. Raises CommandError if it fails."""
        child = await asyncio.create_subprocess_exec(
            *_COMMAND,
            *arguments,
            "-c",
            str(self.config),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode:
            raise CommandError(f"quackbridge {' '.join(arguments)}: {output.decode(errors='replace').strip()}")
        return output.decode(errors="replace")


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
