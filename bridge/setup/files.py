"""Writes the config, the secrets and the user database: all of them, or nothing."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from bridge.config import load
from bridge.config.schema import schema
from bridge.lib.files import sync_folder, write_new
from bridge.setup.answers import SCHEMA, Answers, config_text
from bridge.users import Role, User
from bridge.users.tinydb import TinyUsers

BY = "quackbridge setup"
"""Who made the user database, in its audit log."""


def in_the_way(config: Path, secrets: tuple[str, ...] = ()) -> Path | None:
    """A file that the setup would have to overwrite; None if there is none."""
    folder = config.parent
    wanted = (config, folder / "data" / "users.json", *(folder / "secrets" / name for name in secrets))
    return next((path for path in wanted if os.path.lexists(path)), None)


def write(config: Path, answers: Answers) -> None:
    """Write everything beside `config`. It is made in a private folder, loaded as the daemon would, and moved then: the
    config comes last. Raises ConfigError, FileExistsError, OSError, and leaves nothing then."""
    folder = config.parent
    staging = Path(tempfile.mkdtemp(prefix=".quackbridge-setup-", dir=folder))
    try:
        _make(staging, config.name, answers)
        load(staging / config.name, {})
        _own(staging, folder)
        _move(staging, folder, config.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    sync_folder(folder)


def _make(staging: Path, name: str, answers: Answers) -> None:
    for each in ("secrets", "data"):
        (staging / each).mkdir(mode=0o700)
    for secret, content in answers.secrets.items():
        write_new(staging / "secrets" / secret, f"{content}\n".encode())
    users = TinyUsers.create(staging / "data" / "users.json", BY)
    users.add(User(answers.admin, Role.ADMIN, answers.identities))
    write_new(staging / SCHEMA, (json.dumps(schema(), indent=2) + "\n").encode())
    write_new(staging / name, config_text(answers).encode())


def _own(staging: Path, folder: Path) -> None:
    """Root gives all of it to the owner of the folder, so that the daemon's user is not locked out."""
    if os.geteuid() != 0:
        return
    owner = folder.stat()
    for path in staging.rglob("*"):
        os.chown(path, owner.st_uid, owner.st_gid)


def _move(staging: Path, folder: Path, config: str) -> None:
    moved: list[Path] = []
    try:
        for path in sorted(staging.rglob("*"), key=lambda path: path.name == config):
            target = folder / path.relative_to(staging)
            if path.is_dir():
                if not target.exists():
                    target.mkdir(mode=0o700)
                    shutil.copystat(path, target)
                    if os.geteuid() == 0:
                        os.chown(target, path.stat().st_uid, path.stat().st_gid)
                    moved.append(target)
            elif path.name != SCHEMA or not target.exists():
                os.link(path, target)  # unlike a rename, never over another file
                moved.append(target)
    except BaseException:
        for target in reversed(moved):
            target.rmdir() if target.is_dir() else target.unlink(missing_ok=True)
        raise
