"""Reads YAML as nodes that know their line. Every scalar is text. No aliases, no tags: nothing grows, nothing runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from bots.rules.problems import Fault, RulesError

BYTES = 512 << 10
"""Largest file; a thousand rules take 200 kB."""
_VALUES = 50_000
_DEPTH = 12  # ours have 6


@dataclass(frozen=True, slots=True)
class Scalar:
    """`text` as it was written; `is_quoted` tells "null" from null."""

    text: str
    line: int
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    values: "tuple[Node, ...]"
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """Keys with their values, in the order of the file; no key is there twice."""

    pairs: "tuple[tuple[Scalar, Node], ...]"
    line: int


Node: TypeAlias = Scalar | Items | Table


def parse(content: bytes, file: str) -> Node:
    """The only document in `content`. Raises RulesError."""
    if len(content) > BYTES:
        raise RulesError(file, (Fault(0, "", f"is larger than {BYTES >> 10} kB: is this the right file?"),))
    try:
        text = content.decode("utf-8-sig")
        return _Reader(file, yaml.parse(text, Loader=yaml.SafeLoader)).read()
    except UnicodeDecodeError as error:
        raise RulesError(
            file, (Fault(content[: error.start].count(b"\n") + 1, "", "this is not UTF-8 text"),)
        ) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise RulesError(file, (Fault(line, "", "a character that YAML does not allow"),)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise RulesError(file, (Fault(mark.line + 1 if mark else 1, "", said),)) from error


class _Reader:
    """Makes nodes of the parser's events, and stops at the first that is too much."""

    def __init__(self, file: str, events: Iterator[yaml.Event]) -> None:
        self._file = file
        self._events = events
        self._values = 0

    def read(self) -> Node:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                found = self._node(next(self._events), 0)
                self._end()
                return found
        raise self._wrong(1, "the file is empty")

    def _end(self) -> None:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise self._wrong(_line(event), "a second document begins here (---): one file has one")

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._values += 1
        line = _line(event)
        if self._values > _VALUES:
            raise self._wrong(line, f"more than {_VALUES} values")
        if depth > _DEPTH:
            raise self._wrong(line, f"nested deeper than {_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._wrong(line, "anchors and aliases (&, *) are not supported: put a pattern with * in quotes")
        if getattr(event, "tag", None) not in (None, "!"):
            raise self._wrong(line, "tags (!) are not supported: put this in quotes")
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(tuple(self._items(depth)), line)
        if isinstance(event, yaml.MappingStartEvent):
            return Table(tuple(self._pairs(depth)), line)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._wrong(line, "a value is missing here")
        return Scalar(event.value, line, event.style is not None)

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _pairs(self, depth: int) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise self._wrong(key.line, "a key must be a word")
            if key.text in seen:
                raise self._wrong(key.line, f"{key.text!r} is there twice; the first is in line {seen[key.text]}")
            seen[key.text] = key.line
            yield key, self._node(next(self._events), depth + 1)

    def _wrong(self, line: int, message: str) -> RulesError:
        return RulesError(self._file, (Fault(line, "", message),))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
