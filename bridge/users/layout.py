"""The text format of the database file: JSON with one row per line, readable for people and `diff`. Unchanged rows need
not be parsed again."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

Row = str | Mapping[str, Any]
"""A TinyDB document, or the JSON text of one, not parsed yet: TinyDB passes it on as it is."""

Tables = dict[str, dict[str, Row]]

_TABLE = re.compile(r' ("[^"\\]*"): \{')
_ROW = re.compile(r'  "(\d+)": (\{.*\})')
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def parse(text: str) -> Tables:
    """Parse `text` into tables, each row as JSON text. Raises ValueError (JSONDecodeError, with the place) if it is not
    valid JSON, TypeError if it holds no tables."""
    tables = _by_lines(text)
    if tables is not None:
        return tables
    whole = json.loads(text, object_pairs_hook=_once_each)  # somebody has edited it by hand
    if not isinstance(whole, dict) or not all(isinstance(table, dict) for table in whole.values()):
        raise TypeError("this is not a user database")
    return {name: {number: _ENCODE(row) for number, row in table.items()} for name, table in whole.items()}


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a dict. Raises ValueError for a duplicate key, since either may be meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"{twice[:40]!r} is there twice")
    return found


def written(tables: Mapping[str, Mapping[str, Row]]) -> str:
    """The text of `tables`, which `parse` reads."""
    parts = []
    for name, rows in tables.items():
        lines = ",\n".join(
            f"  {_ENCODE(number)}: {row if isinstance(row, str) else _ENCODE(row)}" for number, row in rows.items()
        )
        parts.append(f" {_ENCODE(name)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _by_lines(text: str) -> Tables | None:
    """The tables, if `text` has exactly the line format of `written`, else None. Does not look into the rows."""
    first, *lines = text.split("\n")
    if first != "{" or lines[-2:] != ["}", ""]:
        return None
    tables: Tables = {}
    rows: dict[str, Row] | None = None
    for line in lines[:-2]:
        bare = line.removesuffix(",")
        if rows is not None and (match := _ROW.fullmatch(bare)):
            if match[1] in rows or '}, "' in bare:  # maybe two rows in one line
                return None
            rows[match[1]] = match[2]
        elif (match := _TABLE.fullmatch(bare)) and json.loads(match[1]) not in tables:
            rows = tables[json.loads(match[1])] = {}
        elif bare == " }" and rows is not None:
            rows = None
        elif bare:
            return None
    return tables if rows is None else None
