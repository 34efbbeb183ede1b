"""The settings that hold: what the file says, and the default of everything that it leaves out. No secrets. Pure."""

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridge.config.document import SECRETS
from bridge.config.secrets import COMMANDS
from bridge.config.settings import SECTIONS, Config
from bridge.lib.settings import Section

MASK = "********"
"""Stands for a secret."""


def effective(config: Config) -> Mapping[str, object]:
    """The settings of `config` as they would be written into a file. A file that holds a secret is named; the secret
    itself is `MASK`."""
    return dict(_section("", Config, config.plain))


def _section(place: str, model: type[Section], given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = f"{place}.{key}".removeprefix(".")
        value = given[key] if key in given else _default(field)
        if _is_secret(key):
            if key in given:
                yield key, MASK
            continue
        if key not in given and value is None:
            continue  # absent, and that is what it means
        yield key, _filled(inner, value)


def _filled(place: str, value: object) -> object:
    """`value` with the defaults of the sections in it."""
    if isinstance(value, Mapping):
        if place == "networks":
            return {name: _filled(f"networks.{_type(network)}", network) for name, network in value.items()}
        if (model := SECTIONS.get(place)) is not None:
            return dict(_section(place, model, value))
        return {key: _filled(f"{place}.*", inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled("", each) for each in value]
    return value


def _type(network: object) -> str:
    return str(network.get("type")) if isinstance(network, Mapping) else ""


def _is_secret(key: str) -> bool:
    return (key in SECRETS and not key.endswith("_file")) or key == COMMANDS


def _default(field: FieldInfo) -> object:
    """A default as people would write it."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return None
    if isinstance(value, Section):
        return {}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [each.value if isinstance(each, Enum) else each for each in value]
    return value
