"""The manifest of a backup: which files belong to it, and their SHA-256, so that a damaged backup is never restored."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bridge.store import Unusable

NAME = "manifest.json"
_FORMAT = 1
"""Of the manifest itself."""
_PIECE = 1 << 20
"""Bytes that are read of a file at a time."""


def written(files: Iterable[Path], about: Mapping[str, object]) -> bytes:
    """The manifest of `files`, with what else is worth knowing `about` the backup."""
    sums = {file.name: _sum(file) for file in files}
    return (json.dumps({"format": _FORMAT, **about, "sha256": sums}, indent=2) + "\n").encode()


def check(folder: Path) -> bool:
    """Whether the backup in `folder` has a manifest: backups by earlier versions have none, and are not checked.

    Raises `Unusable` if a file of the backup is missing or not as it was copied, or if the manifest cannot be read.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_bytes())
        sums = _sums(found)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError) as error:
        raise Unusable(f"{path}: the manifest of this backup cannot be read ({error}); use another backup") from error
    for name, expected in sums.items():
        file = folder / name
        if not file.is_file():
            raise Unusable(f"{file}: this file of the backup is missing; use another backup")
        if _sum(file) != expected:
            raise Unusable(f"{file}: this file is not as it was copied: the backup is damaged; use another one")
    return True


def _sums(found: Any) -> Mapping[str, str]:
    """The checksums by the files' names. Raises ValueError if there are none that we understand."""
    if not isinstance(found, dict) or not isinstance(found.get("sha256"), dict):
        raise ValueError("it is no manifest")
    if found.get("format") != _FORMAT:
        raise ValueError(f"a newer quackbridge has made it: format {found.get('format')}")
    sums: dict[str, str] = found["sha256"]
    if not all(isinstance(value, str) and name == Path(name).name for name, value in sums.items()):
        raise ValueError("it is no manifest")
    return sums


def _sum(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
