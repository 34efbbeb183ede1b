"""Makes bots and brains from what the config names."""

import importlib
from typing import Any

from bots.api import Bot, Brain


def load_bot(use: str, name: str, brain: str, delay: float) -> Bot:
    """Make the bot that `use` names ("package.module:Class"), with `name`, `brain` and `delay`.

    Raises ValueError, worded for the operator, if it cannot be imported or made.
    """
    thinks = load_brain(brain)
    bot: Bot = _made(use, name=name, brain=thinks, delay=delay)
    return bot


def load_brain(brain: str) -> Brain:
    """Make a brain: one of ours by its file's name ("echo"), or any by "package.module:Class"."""
    found: Brain = _made(brain if ":" in brain else f"bots.brains.{brain}:{brain.title().replace('_', '')}")
    return found


def _made(path: str, **given: object) -> Any:
    """Import `path` and call it with `given`. This runs foreign code: any error in it becomes a ValueError for the
    operator to read, and does not end the daemon."""
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"there is no {path!r}: {error}") from error
    except Exception as error:
        raise ValueError(f"{path!r} cannot be imported: {type(error).__name__}: {error}") from error
    try:
        return found(**given)
    except Exception as error:
        raise ValueError(f"{path!r} cannot be started: {type(error).__name__}: {error}") from error
