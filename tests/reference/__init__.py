"""The pages of docs/reference, made from the program itself: each module here with `PATH` and `page()` is a page."""

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

ROOT = Path(__file__).parents[2]


class Page(Protocol):
    """A module that makes a page."""

    PATH: str
    """The page's file, from the root of the repository."""

    def page(self) -> str:
        """What stands in it, as Markdown."""


def pages() -> Sequence[Page]:
    """The pages, by the names of their modules."""
    found = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
        if not module.name.startswith(("_", "test_"))
    ]
    return [cast("Page", module) for module in found if hasattr(module, "PATH") and hasattr(module, "page")]
