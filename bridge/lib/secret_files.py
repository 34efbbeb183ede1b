"""Reads secrets from files that nobody else can read."""

import os
import stat
from pathlib import Path

_BYTES = 1 << 16  # largest secret file; a larger one holds something else
_CONTAINER = "/run/secrets"
_PLACEHOLDER = "change-me"


def is_placeholder(text: str) -> bool:
    """Whether `text` contains the placeholder of config.example.yaml, CHANGE-ME."""
    return _PLACEHOLDER in text.lower().replace("_", "-")


def read(path: Path) -> str:
    """The one line in `path`. Raises ValueError."""
    secret = read_lines(path).removesuffix("\n").removesuffix("\r")
    try:
        check(secret)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return secret


def read_lines(path: Path) -> str:
    """All text in `path`. Raises ValueError. Opening does not block on a pipe; the open file itself is checked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise ValueError(f"{path} is not a file")
        if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not is_handed_in(path):
            raise ValueError(f"others can read {path}: chmod 600 {path}")
        content = file.read(_BYTES + 1)
    if len(content) > _BYTES:
        raise ValueError(f"{path} is too large for a secret")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error


def is_handed_in(path: Path) -> bool:
    """Whether `path` is where systemd or a container hands secrets to this service alone, with modes of its own:
    Docker mounts 0444 (systemd.exec(5), "CREDENTIALS"; https://docs.docker.com/engine/swarm/secrets/)."""
    folders = (_CONTAINER, os.environ.get("CREDENTIALS_DIRECTORY") or _CONTAINER)
    return any(path.is_relative_to(folder) for folder in folders)


def check(secret: str) -> None:
    """Raises ValueError if it cannot be a secret."""
    if not secret:
        raise ValueError("this secret is empty")
    if any(character < " " or character == "\x7f" for character in secret):
        raise ValueError("a secret is one line without control characters")
    if is_placeholder(secret):
        raise ValueError("the placeholder CHANGE-ME is still here: write the real secret")
