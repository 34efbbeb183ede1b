"""The JSON Schema of the configuration, for editors. The docstring under a key is its description."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from bridge.config.settings import SECTIONS, Config
from bridge.lib.settings import Section

_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest draft that the YAML language server knows."""


def schema() -> dict[str, Any]:
    """The schema. Docstrings are read here, not when the settings are imported: that would double the time of the
    import, which every command needs."""
    for section in reversed([*SECTIONS.values()]):  # inner sections before outer ones
        for key, text in _docstrings(section):
            section.model_fields[key].description = text
        section.model_rebuild(force=True)
    return {"$schema": _DRAFT, **Config.model_json_schema(by_alias=True)}


def _docstrings(section: type[Section]) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    for key, text in pairwise(definition.body):
        match key, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                if name in section.model_fields:
                    yield name, inspect.cleandoc(said)
