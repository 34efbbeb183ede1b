"""Makes bots and brains from what the config names."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bots.api import Bot, Brain, Home
from bots.chain import Chain, Link
from bridge.lib.settings import FOLDER

_OURS = "bots.brains"
_BOTS, _BRAINS = "quackbridge.bots", "quackbridge.brains"
"""The groups of entry points under which packages offer their own."""

Settings = Mapping[str, Mapping[str, Any]]
"""What the config gives to each brain, by the name that it has there."""


def load_bot(
    use: str,
    name: str,
    brain: str | Sequence[str],
    delay: float,
    *,
    settings: Settings | None = None,
    home: Home | None = None,
    folder: Path = Path(),
) -> Bot:
    """Make the bot that `use` names ("package.module:Class", or an entry point), with `name`, `brain` and `delay`.
    `settings` are for its brains, or, if the bot's class has `Settings` itself, under `bot` for the bot. File names in
    them are relative to `folder`.

    Raises ValueError, worded for the operator, if it cannot be imported or made.
    """
    given = settings or {}
    made = _found(use, _BOTS)
    names = [brain] if isinstance(brain, str) else [*brain]
    offered: dict[str, object] = {"name": name, "delay": delay, "home": home}
    _check_names(made, given, names)
    if _takes(made, "brain"):
        offered["brain"] = Chain([Link(each, load_brain(each, given.get(each), home, folder)) for each in names])
    if _takes(made, "settings"):
        offered["settings"] = _settings(made, given.get("bot"), "settings.bot", folder)
    bot: Bot = _made(use, made, offered)
    return bot


def _check_names(made: Any, given: Settings, names: Sequence[str]) -> None:
    """Raises ValueError for settings of what there is not: they would be ignored."""
    if "bot" in given and not _takes(made, "settings"):
        raise ValueError("settings.bot: this bot has no settings")
    strange = next((each for each in given if each != "bot" and not (each in names and _takes(made, "brain"))), None)
    if strange is not None:
        there = f"there is no such brain in `brain`; there are: {', '.join(names)}"
        raise ValueError(f"settings.{strange}: {there if _takes(made, 'brain') else 'this bot has no brains'}")


def load_brain(
    brain: str, settings: Mapping[str, Any] | None = None, home: Home | None = None, folder: Path = Path()
) -> Brain:
    """Make a brain: one of ours by its file's name ("echo"), an entry point, or any by "package.module:Class"."""
    made = _found(brain, _BRAINS)
    offered: dict[str, object] = {"home": home}
    if _takes(made, "settings"):
        offered["settings"] = _settings(made, settings, f"settings.{brain}", folder)
    elif settings:
        raise ValueError(f"settings.{brain}: this brain has no settings")
    found: Brain = _made(brain, made, offered)
    return found


def brains() -> Sequence[str]:
    """The names of all brains: ours, then those of other packages."""
    ours = {each.stem for each in Path(__file__).with_name("brains").glob("[a-z]*.py")}
    return sorted({*ours, *(each.name for each in entry_points(group=_BRAINS))})


def offered_bots() -> Sequence[str]:
    """The names under which installed packages offer bots."""
    return sorted(each.name for each in entry_points(group=_BOTS))


def brain_class(name: str) -> Any:
    """The class of a brain. Raises ValueError, worded for the operator, if there is none."""
    return _found(name, _BRAINS)


def _found(name: str, group: str) -> Any:
    """The class that `name` is for. Importing runs foreign code: any error in it becomes a ValueError for the operator
    to read, and does not end the daemon."""
    path = name
    if ":" not in name:
        offered = {each.name: each.value for each in entry_points(group=group)}
        path = offered.get(name, f"{_OURS}.{name}:{name.title().replace('_', '')}")
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"there is no {name!r}: {error}") from error
    except Exception as error:
        raise ValueError(f"{name!r} cannot be imported: {type(error).__name__}: {error}") from error


def _takes(made: Any, parameter: str) -> bool:
    """Whether it is made with that parameter."""
    try:
        return parameter in inspect.signature(made).parameters
    except (TypeError, ValueError):
        return False


def _settings(made: Any, given: Mapping[str, Any] | None, place: str, folder: Path) -> BaseModel:
    """What the class's own `Settings` makes of what the config says. Raises ValueError with the place of each error."""
    model = getattr(made, "Settings", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ValueError(f"{place}: the class takes `settings`, but has no pydantic model `Settings`")
    try:
        return model.model_validate(given or {}, context={FOLDER: folder})
    except ValidationError as error:
        places = (".".join([place, *map(str, each["loc"])]) + ": " + each["msg"] for each in error.errors())
        raise ValueError("; ".join(places)) from None


def _made(name: str, made: Any, offered: Mapping[str, object]) -> Any:
    """Call the class with what it takes of `offered`."""
    given = {key: value for key, value in offered.items() if _takes(made, key)}
    try:
        return made(**given)
    except ValueError as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        raise ValueError(f"{name!r} cannot be started: {type(error).__name__}: {error}") from error
