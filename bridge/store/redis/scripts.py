"""The Lua scripts of the verbs, as they are sent to the server."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


class Mode(StrEnum):
    """What a script may do, as the flags in its first line say it to the server."""

    READ = "#!lua flags=no-writes"
    DRAIN = "#!lua flags=allow-oom"
    """It writes, also when the memory is full: what is sent and dropped makes room."""
    INTAKE = "#!lua"
    """It writes, and is refused as a whole when the memory is full."""


@dataclass(frozen=True, slots=True)
class Script:
    text: str
    sha: str


@cache
def script(verb: str, mode: Mode) -> Script:
    """The script of `verb`: its own text behind what all share."""
    text = "\n".join((mode.value, *_shared().values(), _folder().joinpath(f"{verb}.lua").read_text()))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@cache
def _shared() -> Mapping[str, str]:
    """The shared texts by their names, in the order of these: what is used must be defined before."""
    found = {each.name: each.read_text() for each in _folder().joinpath("shared").iterdir()}
    return {name: found[name] for name in sorted(found) if name.endswith(".lua")}


def _folder() -> Traversable:
    return files("bridge.store.redis").joinpath("lua")
