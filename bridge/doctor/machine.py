"""Checks of this machine: secrets' modes, disk, clock, locale, the http port, and the unit's user."""

import errno
import os
import pwd
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.config import Config
from bridge.doctor.finding import Finding, fail, ok, skip, warn
from bridge.lib import hosts, secret_files

_LITTLE, _FULL = 500_000_000, 50_000_000
"""Bytes that are free on the disk of the store: less is a warning, or a failure."""
_EARLIEST = 1_767_225_600.0
"""2026: an earlier clock is wrong, since this program is newer."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ASKED_S = 5.0


def found(config: Config, *, runs: bool) -> Iterator[Finding]:
    """All checks of the machine. `runs`: a daemon runs on this store."""
    folder = config.store.path.parent
    yield secrets([(path, path.stat().st_mode) for path in _secret_files(config) if path.exists()])
    there = next(path for path in (folder, *folder.parents) if path.exists())
    yield disk(str(there), shutil.disk_usage(there).free)
    yield clock(time.time())
    yield locale(os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or "")
    yield port(config.http.listen if config.http is not None else "", _taken(config), runs=runs)
    yield owner(_unit_user(), [(path, path.stat().st_uid) for path in _own_files(config) if path.exists()])


def secrets(files: Sequence[tuple[Path, int]]) -> Finding:
    """`files`: those that hold secrets, each with its mode."""
    if open_ones := [str(path) for path, mode in files if mode & _OTHERS and not secret_files.is_handed_in(path)]:
        return fail("secrets", f"others can read {', '.join(open_ones)}", f"chmod 600 {' '.join(open_ones)}")
    return ok("secrets", f"nobody else can read the {len(files)} files with secrets")


def disk(place: str, free: int) -> Finding:
    """`free`: bytes on the disk of `place`."""
    said = f"{free // 1_000_000} MB are free on the disk of {place}"
    if free < _FULL:
        return fail("disk", said, "free some space: without it no message can be stored")
    return warn("disk", said, "free some space soon") if free < _LITTLE else ok("disk", said)


def clock(now: float) -> Finding:
    """`now`: seconds since the epoch."""
    if now < _EARLIEST:
        return fail(
            "clock", "the clock is years behind", "set the clock, and let NTP keep it (timedatectl set-ntp true)"
        )
    return ok("clock", time.strftime("it is %Y-%m-%d %H:%M UTC", time.gmtime(now)))


def locale(name: str) -> Finding:
    """`name`: the locale that the environment names."""
    if name.lower().replace("-", "").endswith("utf8") or not name:
        return ok("locale", name or "none is set; UTF-8 is used")
    return warn("locale", f"{name} is not UTF-8", "set LANG=C.UTF-8: else names are shown wrongly in the terminal")


def port(listen: str, taken: str, *, runs: bool) -> Finding:
    """`listen`: the configured address, '' if http is off; `taken`: why we could not listen there, '' if we could."""
    if not listen:
        return skip("http", "it is off")
    if not taken:
        said = f"{listen} is free, though a daemon runs" if runs else f"{listen} is free"
        return warn("http", said, "look into the daemon's log: it does not listen") if runs else ok("http", said)
    if runs:
        return ok("http", f"{listen} is in use while the daemon runs")
    return fail("http", f"{listen} cannot be used: {taken}", "stop the other program, or change http.listen")


def owner(user: str, files: Sequence[tuple[Path, int]]) -> Finding:
    """`user`: of the systemd unit, '' if there is none; `files`: ours, each with its owner's uid."""
    if not user:
        return skip("systemd", "no unit named quackbridge.service is here")
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        return fail(
            "systemd", f"the unit's user {user} does not exist", f"make it: systemd-sysusers, or adduser {user}"
        )
    if foreign := [str(path) for path, its in files if its != uid]:
        return fail("systemd", f"{user} does not own {', '.join(foreign)}", f"chown {user} {' '.join(foreign)}")
    return ok("systemd", f"the unit's user {user} owns the files")


def _secret_files(config: Config) -> Iterator[Path]:
    for network in config.networks.values():
        for section in (network, getattr(network, "sasl", None), getattr(network, "nickserv", None)):
            for key in type(section).model_fields if section is not None else ():
                value = getattr(section, key)
                if key.endswith("_file") and key != "tls_ca_file" and isinstance(value, Path):
                    yield value


def _own_files(config: Config) -> Iterator[Path]:
    yield from (config.store.path, config.store.path.parent)
    if not config.users_in_store:
        yield config.users.database


def _taken(config: Config) -> str:
    if config.http is None:
        return ""
    host, number = hosts.address(config.http.listen)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, number))
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            return "another program listens there" if in_use else error.strerror or str(error)
    return ""


def _unit_user() -> str:
    """The user of the installed unit; '' if there is none, or no systemd."""
    if not Path("/run/systemd/system").exists() or (program := shutil.which("systemctl")) is None:
        return ""
    asked = [program, "show", "-p", "User,LoadState", "quackbridge.service"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=_ASKED_S, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    facts = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    return facts.get("User", "") or "root" if facts.get("LoadState") == "loaded" else ""
