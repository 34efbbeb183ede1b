"""Building blocks of config sections: the value types that have nothing to do with chat."""

import math
import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

from bridge.lib import durations, sizes

FOLDER = "folder"
"""The key of the config file's folder in the validation context: paths are relative to it."""


def file_path(path: Path, folder: Path) -> Path:
    """Resolve `path`, as written in a config file in `folder`. Raises ValueError if it cannot name a file."""
    if path == Path():
        raise ValueError("a file's name is missing")
    if "\0" in str(path) or not _encodable(path):
        raise ValueError("no file can have this name")
    if path.parts[0].startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError as error:
            raise ValueError("there is no home directory to take ~ for") from error
    return Path(os.path.normpath(folder / path))


def _encodable(path: Path) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _path(path: Path, info: ValidationInfo) -> Path:
    return file_path(path, (info.context or {}).get(FOLDER, Path()))


def _duration(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError("must be a number and a unit: 30m, 12h, 7d")
    return durations.parse(value)


def _lasting(value: object) -> float:
    """Seconds; infinite for `forever`, 0 for `off`, which YAML 1.1 reads as False without quotes."""
    if value is False or value == "off":
        return 0.0
    return math.inf if value == "forever" else _duration(value)


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a number and a unit: 500K, 100M, 1G")
    return sizes.parse(str(value))


_LEAST = 1_000_000
"""Bytes of a folder at least, unless it is off: whoever writes 200 means 200M."""


def _size_or_off(value: object) -> int:
    """0 for `off`, which YAML 1.1 reads as False without quotes."""
    if value is False or value == "off":
        return 0
    size = _size(value)
    if size < _LEAST:
        raise ValueError("must be at least 1M, or off: a number without a unit means bytes")
    return size


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of visible characters")
    return text


def number(value: object) -> object:
    if isinstance(value, bool):  # Python treats bools as 0 and 1
        raise ValueError("must be a number")
    return value


def switch(value: object) -> object:
    """`off` as YAML 1.1 reads it: without quotes it is False."""
    return "off" if value is False else value


FilePath = Annotated[Path, AfterValidator(_path)]
Duration = Annotated[
    float, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6} *[smhdwSMHDW]$"})
]
Lasting = Annotated[
    float,
    BeforeValidator(_lasting),
    WithJsonSchema(
        {"anyOf": [{"enum": ["forever", "off", False]}, {"type": "string", "pattern": "^[0-9]{1,6} *[smhdwSMHDW]$"}]}
    ),
]
Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+ *[KMGkmg]?B?$"}]}
    ),
]
SizeOrOff = Annotated[
    int,
    BeforeValidator(_size_or_off),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["off", False]},
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[0-9]+ *[KMGkmg]?B?$"},
            ]
        }
    ),
]
Line = Annotated[str, AfterValidator(_one_line)]
Count = Annotated[int, BeforeValidator(number), Field(ge=1, le=10_000)]
Positive = Annotated[float, BeforeValidator(number), Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class Section(BaseModel):
    """A mapping in the config file. Unknown keys are errors. Immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NamedSection(Section):
    """A section whose key is a name of the operator's choice; `name` is that key."""

    _name: str = PrivateAttr(default="")

    @property
    def name(self) -> str:
        return self._name

    def called(self, name: str) -> Self:
        """Set the section's `name`; returns the section itself."""
        self._name = name
        return self

    def key(self, *keys: str) -> tuple[str, ...]:
        """The keys that lead to a value of this network in the config: those of `keys` that a file is given for
        (`password_file`) with that ending."""
        section: BaseModel = self
        for key in keys[:-1]:
            section = getattr(section, key)
        last = f"{keys[-1]}_file" if getattr(section, f"{keys[-1]}_file", None) is not None else keys[-1]
        return ("networks", self._name, *keys[:-1], last)


def revealed(secret: SecretStr | None) -> str | None:
    """The secret in plain text."""
    return None if secret is None else secret.get_secret_value()
