"""Makes bots and brains from what the config names."""

import importlib
from typing import Any

from bots.api import Bot, Brain


def load_bot(use: str, name: str, brain: str, delay: float) -> Bot:
    """The bot that `use` names ("package.module:Class"), called with `name`, `brain` and `delay`.

    ValueError, for the operator to read, where there is no such thing.
    """
    thinks = load_brain(brain)
    bot: Bot = _made(use, name=name, brain=thinks, delay=delay)
    return bot


def load_brain(brain: str) -> Brain:
    """One of our brains by its file's name ("echo"), or any by "package.module:Class"."""
    found: Brain = _made(brain if ":" in brain else f"bots.brains.{brain}:{brain.title().replace('_', '')}")
    return found


def _made(path: str, **given: object) -> Any:
    """What `path` names, called with what is `given`. It is somebody else's program: whatever it does when it is
    imported or made is the operator's to read, and not the end of the daemon."""
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
        raise ValueError(f"{path!r} cannot be made: {type(error).__name__}: {error}") from error
