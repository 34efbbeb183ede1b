"""The text of the database file: JSON with a row a line, for people, for diff, and so that what stayed the same need
not be read again."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

Row = str | Mapping[str, Any]
"""A document of TinyDB, or the JSON text of one that nobody has looked into: TinyDB passes it on as it is."""

Tables = dict[str, dict[str, Row]]

_TABLE = re.compile(r' ("[^"\\]*"): \{')
_ROW = re.compile(r'  "(\d+)": (\{.*\})')
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def parse(text: str) -> Tables:
    """The tables of `text`, each row as JSON text. ValueError (JSONDecodeError, with its place) where it is no JSON,
    TypeError where there are no tables in it."""
    tables = _by_lines(text)
    if tables is not None:
        return tables
    whole = json.loads(text, object_pairs_hook=_once_each)  # somebody has edited it by hand
    if not isinstance(whole, dict) or not all(isinstance(table, dict) for table in whole.values()):
        raise TypeError("this is not a user database")
    return {name: {number: _ENCODE(row) for number, row in table.items()} for name, table in whole.items()}


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As a dictionary; a key that is there twice is an error, since either may be meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"{twice[:40]!r} is there twice")
    return found


def written(tables: Mapping[str, Mapping[str, Row]]) -> str:
    """The text that `parse` takes."""
    parts = []
    for name, rows in tables.items():
        lines = ",\n".join(
            f"  {_ENCODE(number)}: {row if isinstance(row, str) else _ENCODE(row)}" for number, row in rows.items()
        )
        parts.append(f" {_ENCODE(name)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _by_lines(text: str) -> Tables | None:
    """The tables, where the lines of `text` are those of `written`, else None. What a row holds is not looked at."""
    first, *lines = text.split("\n")
    if first != "{" or lines[-2:] != ["}", ""]:
        return None
    tables: Tables = {}
    rows: dict[str, Row] | None = None
    for line in lines[:-2]:
        bare = line.removesuffix(",")
        if rows is not None and (match := _ROW.fullmatch(bare)):
            if match[1] in rows or '}, "' in bare:  # two rows in one line, it may be
                return None
            rows[match[1]] = match[2]
        elif (match := _TABLE.fullmatch(bare)) and json.loads(match[1]) not in tables:
            rows = tables[json.loads(match[1])] = {}
        elif bare == " }" and rows is not None:
            rows = None
        elif bare:
            return None
    return tables if rows is None else None
