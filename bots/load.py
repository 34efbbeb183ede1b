"""Makes bots and brains from what the config names."""

import importlib
from typing import Any

from bots.api import Bot, Brain


def load_bot(use: str, name: str, brain: str, delay: float) -> Bot:
    """The bot that `use` names ("package.module:Class"), called with `name`, `brain` and `delay`.

    ValueError, for the operator to read, where there is no such thing.
    """
    bot: Bot = _find(use)(name=name, brain=load_brain(brain), delay=delay)
    return bot


def load_brain(brain: str) -> Brain:
    """One of our brains by its file's name ("echo"), or any by "package.module:Class"."""
    found: Brain = _find(brain if ":" in brain else f"bots.brains.{brain}:{brain.title().replace('_', '')}")()
    return found


def _find(path: str) -> Any:
    """Whatever the operator names: it is checked by calling it."""
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"there is no {path!r}: {error}") from error
