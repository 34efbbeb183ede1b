"""Tells systemd how the daemon is: sd_notify(3), by hand, as it is one datagram. Without systemd nothing is told."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from bridge.model.health import Health
from bridge.relay.health import summary

_LOOK_S = 1.0
_STATUS_EVERY_S = 10.0
"""Seconds between two status lines if only numbers have changed: messages come and go all the time."""
_OPENING_US = 600_000_000
"""Microseconds that opening the store may take: one of many gigabytes may be upgraded."""


class Systemd:
    """`environ` names the socket, if systemd has started us, and how often its watchdog wants to hear of us."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog_s = _watchdog(environ)

    def tell(self, *assignments: str) -> None:
        """Send `assignments`, such as `READY=1`. Never raises, and never waits: systemd may be restarting."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            sending.settimeout(0)
            sending.sendto("\n".join(assignments).encode(), self._address)

    def opening(self) -> None:
        """The store is being opened, and perhaps upgraded."""
        self.tell("STATUS=opening the store", f"EXTEND_TIMEOUT_USEC={_OPENING_US}")

    def ready(self) -> None:
        """The config and the store are fine, and the sockets are bound. The networks may be away: else a dead server
        would keep the machine from starting."""
        self.tell("READY=1")

    def stopping(self) -> None:
        self.tell("STOPPING=1", "STATUS=sending what is on its way")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """While the config is read again."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.tell("READY=1")

    async def keep(self, health: Callable[[], Health], wedged: Callable[[], str]) -> None:
        """Tell each change of the health, and feed the watchdog while nothing is `wedged`, for ever."""
        if not self._address:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_telling(health), name="status for systemd")
            if self._watchdog_s:
                group.create_task(self._feed(self._watchdog_s, wedged), name="watchdog of systemd")

    async def _keep_telling(self, health: Callable[[], Health]) -> None:
        now = asyncio.get_running_loop().time
        told, told_at, before = "", 0.0, None
        while True:
            found = health()
            text = summary(found)
            well = {name: check.ok for name, (check, _) in found.checks().items()}
            if well != before or (text != told and now() - told_at >= _STATUS_EVERY_S):
                self.tell(f"STATUS={text}")
                told, told_at, before = text, now(), well
            await asyncio.sleep(_LOOK_S)

    async def _feed(self, every_s: float, wedged: Callable[[], str]) -> None:
        while True:
            if not wedged():
                self.tell("WATCHDOG=1")
            await asyncio.sleep(every_s)


def _address(path: str) -> str:
    """The address of the socket; an `@` begins the name of one without a file (unix(7), "Abstract")."""
    return f"\0{path[1:]}" if path.startswith("@") else path if path.startswith("/") else ""


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life: half of what the watchdog waits (sd_watchdog_enabled(3)); None: it does not
    watch us."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or not int(microseconds) or (pid and pid != str(os.getpid())):
        return None
    return int(microseconds) / 2_000_000
