"""`quackbridge systemd-unit`: the unit by which systemd starts the daemon, with the paths of this installation."""

import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click

from bridge.cli.options import config_option

_SYSTEM = Path("/etc/systemd/system/quackbridge.service")
_SYSUSERS = Path("/etc/sysusers.d/quackbridge.conf")
_USER_LINE = 'u quackbridge - "quackbridge Matrix-IRC bridge" /var/lib/quackbridge\n'
_STATE = Path("/var/lib/quackbridge")
_HOMES = ("/home", "/root", "/run/user")
_WITHIN_S = 60
_HIDDEN = (
    "{path} is in a home folder, where the user quackbridge may not look: install the bridge for all users (as in"
    " /opt/quackbridge), with its configuration in /etc/quackbridge; or use --user"
)


@click.command("systemd-unit")
@config_option
@click.option("--user", "for_user", is_flag=True, help="A unit of your own user, which needs no root.")
@click.option("--install", is_flag=True, help="Write it where systemd looks, instead of printing it.")
@click.option("-y", "--yes", is_flag=True, help="Replace a unit that has been changed, without a question.")
def systemd_unit(config: Path, for_user: bool, install: bool, yes: bool) -> None:
    """Print the unit by which systemd starts the bridge at boot, and again whenever it ends."""
    from bridge.cli.common import load_settings  # slow: imports the config

    settings = load_settings(config)
    folders = {settings.store.path.parent, settings.users.database.parent}
    if not for_user and (hidden := next((p for p in (program(), config.absolute()) if _in_home(p)), None)):
        click.echo(f"quackbridge: warning: {_HIDDEN.format(path=hidden)}", err=True)
    text = unit(program(), config.absolute(), folders, for_user=for_user)
    if not install:
        click.echo(text, nl=False)
        return
    where = _user_folder() / "quackbridge.service" if for_user else _SYSTEM
    if not for_user and os.geteuid() != 0:
        raise click.UsageError(f"only root may write {where}: use sudo, or --user for a unit of your own")
    _write(where, text, yes=yes)
    click.echo(f"{where} is written.")
    for line in _next_steps(for_user=for_user):
        click.echo(line)


def unit(program: Path, config: Path, folders: set[Path], *, for_user: bool) -> str:
    """The text of the unit. `folders` are those in which the daemon keeps its data."""
    text = files("bridge.cli.units").joinpath("user.service" if for_user else "system.service").read_text()
    outside = sorted(str(folder) for folder in folders if not folder.is_relative_to(_STATE))
    more = "".join(f"ReadWritePaths={_quoted(f'-{folder}')}\n" for folder in outside)  # it may not be there yet
    in_homes = any(map(_in_home, (program, config, *folders)))
    return text.format(
        program=_quoted(str(program)),
        config=_quoted(str(config)),
        folder=_quoted(str(config.parent)),
        user="quackbridge",
        more="" if for_user else more,
        home="read-only" if in_homes else "yes",
    )


def _in_home(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in _HOMES)


def program() -> Path:
    """The command of this installation: the one that was called, or the one beside our Python."""
    called = Path(sys.argv[0])
    beside = Path(sys.executable).with_name("quackbridge")
    found = shutil.which(sys.argv[0]) if called.name == "quackbridge" else None
    return Path(found).absolute() if found else beside


def _quoted(path: str) -> str:
    """`path` as one word of a unit: % is doubled, and quotes go around blanks (systemd.syntax(7))."""
    if not path.isprintable():
        raise click.UsageError(f"{path!r} cannot be in a unit: move it to a path without line breaks and the like")
    safe = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{safe}"' if any(char.isspace() or char in "\"'\\;" for char in path) else safe


def _user_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user"


def _write(where: Path, text: str, *, yes: bool) -> None:
    """Write `text`. What somebody has changed is shown, and replaced only if they say so."""
    before = where.read_text() if where.exists() else text
    if before != text and not yes:
        for line in difflib.unified_diff(before.splitlines(), text.splitlines(), str(where), "new", lineterm=""):
            click.echo(line, err=True)
        if not sys.stdin.isatty():
            raise click.UsageError(f"{where} is another one; nothing was changed. Replace it with --yes")
        click.confirm("Replace it?", abort=True, err=True)
    where.parent.mkdir(parents=True, exist_ok=True)
    new = where.with_name(f"{where.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(where)


def _next_steps(*, for_user: bool) -> Iterator[str]:
    """Let systemd know, where it runs, and say what is left to do."""
    systemctl = ["systemctl", "--user"] if for_user else ["systemctl"]
    if not for_user:
        _SYSUSERS.parent.mkdir(parents=True, exist_ok=True)
        _SYSUSERS.write_text(_USER_LINE)
        yield f"{_SYSUSERS} is written: the user quackbridge runs the daemon."
        if not _works("systemd-sysusers", str(_SYSUSERS)):
            yield "The user could not be made. Make it: useradd --system --home-dir /var/lib/quackbridge quackbridge"
    if _works(*systemctl, "daemon-reload"):
        yield f"Start it, now and at each boot: {' '.join(systemctl)} enable --now quackbridge"
    else:
        yield "systemd does not run here. Where it does, it starts the bridge by:"
        yield f"  {' '.join(systemctl)} daemon-reload && {' '.join(systemctl)} enable --now quackbridge"
    if for_user:
        yield "So that it runs while you are logged out: loginctl enable-linger"


def _works(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_WITHIN_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
