"""Secrets of the configuration: finding them, and reading them from files that nobody else can read."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bridge.config.document import SECRETS, Document
from bridge.config.document import Path as Place
from bridge.config.problems import Problem
from bridge.lib.settings import file_path

_FILE = "_file"
_BYTES = 1 << 16  # largest secret file; a larger one holds something else
_PLACEHOLDER = "change-me"


def is_secret(place: Place) -> bool:
    return bool(place) and place[-1] in SECRETS


def is_placeholder(text: str) -> bool:
    """Whether `text` contains the placeholder of config.example.yaml, CHANGE-ME."""
    return _PLACEHOLDER in text.lower().replace("_", "-")


def remove(document: Document) -> None:
    """Remove every secret, and every problem with one."""
    where = {document.problem(place, "").where for place, _section in _places(document)}
    for place, section in _places(document):
        del section[str(place[-1])]
    document.problems = [problem for problem in document.problems if problem.where not in where]


def without_secrets(value: object) -> object:
    """A copy of a config's plain value in which each secret that stands in the file itself is empty."""
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if not isinstance(value, dict):
        return value
    return dict(_blanked(value))


def _blanked(section: dict[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in section.items():
        is_text = isinstance(value, str) and not key.endswith("_file")
        yield key, "" if key in SECRETS and is_text else without_secrets(value)


def reveal(document: Document, folder: Path) -> Iterator[Problem]:
    """Read the files named by the `*_file` keys into the keys without that ending. Yields what is wrong."""
    for place, section in _places(document):
        key, value = str(place[-1]), section[str(place[-1])]
        if not isinstance(value, str):
            continue  # the model reports it
        try:
            if key.endswith(_FILE):
                section.setdefault(key.removesuffix(_FILE), _read(file_path(Path(value), folder)))
            else:
                _check(value)
        except ValueError as error:
            yield document.problem(place, str(error))


def _places(document: Document) -> list[tuple[Place, dict[str, object]]]:
    """Every secret key that is present: its place, and the mapping that holds it."""
    networks = document.value.get("networks") if isinstance(document.value, dict) else None
    sections: list[tuple[Place, object]] = []
    for name, network in (networks if isinstance(networks, dict) else {}).items():
        sections.append((("networks", name), network))
        if isinstance(network, dict):
            sections.append((("networks", name, "sasl"), network.get("sasl")))
    return [
        ((*place, key), section)
        for place, section in sections
        if isinstance(section, dict)
        for key in SECRETS
        if section.get(key) is not None
    ]


def _read(path: Path) -> str:
    """The one line in `path`. Raises ValueError. Opening does not block on a pipe; the open file itself is checked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise ValueError(f"{path} is not a file")
        if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ValueError(f"others can read {path}: chmod 600 {path}")
        content = file.read(_BYTES + 1)
    if len(content) > _BYTES:
        raise ValueError(f"{path} is too large for a secret")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    secret = text.removesuffix("\n").removesuffix("\r")
    try:
        _check(secret)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return secret


def _check(secret: str) -> None:
    if not secret:
        raise ValueError("this secret is empty")
    if any(character < " " or character == "\x7f" for character in secret):
        raise ValueError("a secret is one line without control characters")
    if is_placeholder(secret):
        raise ValueError("the placeholder CHANGE-ME is still here: write the real secret")
