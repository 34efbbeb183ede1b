"""Reads YAML as plain values, with the place of each and the environment variables filled in."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from bridge.config.problems import Problem

Path: TypeAlias = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""

BYTES = 1 << 20  # largest file; a thousand links take 200 kB
_VALUES = 100_000  # most values, with aliases expanded; a thousand links have some 10,000
_DEPTH = 32  # most levels; ours has 5
SECRETS = (
    "password",
    "password_file",
    "access_token",
    "access_token_file",
    "recovery_key",
    "recovery_key_file",
    "key",
    "key_file",
    "proxy",
    "proxy_file",
    "url",
    "url_file",
)
"""The keys whose values no error may quote, even if a mistake in the YAML turns a value into a key."""
_QUOTED = re.compile(r"(alias|anchor|tag handle) (?:'.*'|\".*\")", re.DOTALL)  # `password: *hunter2` is an alias
_VARIABLE = re.compile(r"(\$\$\{)|\$\{([^}]*)(\}?)")
_STRING = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(slots=True)
class Document:
    """A parsed YAML text. `places` maps each path to the line and column of its key or list item. `literal` holds the
    paths of the strings without environment variables. `unseen` holds the secrets that cannot be looked at here, by
    their places."""

    value: object = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    literal: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    unseen: dict[Path, object] = field(default_factory=dict)

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of `path`, or of the nearest value around it that exists."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def problem(self, path: Path, message: str) -> Problem:
        return Problem(*self.place(path), dotted(path), message)

    def strings(self) -> Iterator[tuple[Path, str]]:
        """Every string value with its path."""
        yield from _strings((), self.value)


def dotted(path: Path) -> str:
    """`("links", "pond", "rooms", 0)` as `links.pond.rooms[0]`. It ends at a secret's key, also if the space
    after the colon is missing (`password:hunter2`): what follows may be the secret."""
    shown = ""
    for depth, part in enumerate(path):
        if isinstance(part, int):
            shown += f"[{part}]"
        elif (key := part.partition(":")[0]) not in SECRETS:
            shown += f".{part}"
        else:
            shown += f".{key}"
            if depth > 1:  # at depth 1 it is a network's name
                break
    return shown.removeprefix(".")


def parse(content: bytes, environ: Mapping[str, str]) -> Document:
    """Parse `content`. Errors are in the document's `problems`; if there are any, its value may be incomplete."""
    document = Document()
    try:
        text = content.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        document.problems.append(_at(content[: error.start].decode(errors="replace"), "this is not UTF-8 text"))
    except yaml.reader.ReaderError as error:
        document.problems.append(_at(text[: error.position], "a character that YAML does not allow"))
    except yaml.MarkedYAMLError as error:
        document.problems.append(_marked(error))
    except RecursionError:
        document.problems.append(Problem(1, 1, "", f"nested deeper than {_DEPTH} levels"))
    else:
        if node is None:
            document.problems.append(Problem(1, 1, "", "the file is empty"))
        else:
            _Reader(document, environ).read(node)
    return document


class _TooMuch(Exception):
    """The document is too large or too deep: stop reading."""


class _Reader:
    """Reads the nodes of one document, once."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._scalars = yaml.constructor.SafeConstructor()
        self._values = 0

    def read(self, node: yaml.Node) -> None:
        try:
            self._document.value = self._value((), node)
        except _TooMuch as error:
            self._document.problems.append(self._problem((), node, str(error)))

    def _value(self, path: Path, node: yaml.Node) -> object:
        self._values += 1
        if self._values > _VALUES:
            raise _TooMuch(f"more than {_VALUES} values: do aliases repeat each other?")
        if len(path) > _DEPTH:
            raise _TooMuch(f"nested deeper than {_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(path, node)
        if isinstance(node, yaml.SequenceNode):
            return [self._item((*path, number), item) for number, item in enumerate(node.value)]
        return self._scalar(path, node)

    def _item(self, path: Path, node: yaml.Node) -> object:
        self._document.places[path] = _place(node)
        return self._value(path, node)

    def _mapping(self, path: Path, node: yaml.MappingNode) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self._key(path, key_node)
            if key is None:
                continue
            if key in values:
                first, _ = self._document.places[(*path, key)]
                message = f"this key is there twice; the first is in line {first}"
                self._document.problems.append(self._problem((*path, key), key_node, message))
                continue
            self._document.places[(*path, key)] = _place(key_node)
            values[key] = self._value((*path, key), value_node)
        return values

    def _key(self, path: Path, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == _STRING:
            return str(node.value)
        if node.tag == _MERGE:
            message = "merge keys (<<) are not supported; write the keys out"
        elif isinstance(node, yaml.ScalarNode):
            message = "a key here is not a string: put it in quotes"
        else:
            message = "a key must be a string"
        self._document.problems.append(self._problem(path, node, message))
        return None

    def _scalar(self, path: Path, node: yaml.Node) -> object:
        if node.tag == _STRING:
            return self._filled_in(path, node, str(node.value))
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError, LookupError, AttributeError):
            # an unknown tag, a date that does not exist; PyYAML itself fails on `!!bool x` and `!!timestamp x`
            self._document.problems.append(self._problem(path, node, "this value is not understood; put it in quotes"))
            return None

    def _filled_in(self, path: Path, node: yaml.Node, text: str) -> str:
        if "${" not in text:
            self._document.literal.add(path)
            return text

        def fill(match: re.Match[str]) -> str:
            escaped, name, closed = match.groups()
            if escaped:
                return "${"
            if not closed or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                message = "'${' begins the name of an environment variable, as in ${NAME}; a literal one is '$${'"
            elif name in self._environ:
                return self._environ[name]
            else:
                message = f"the environment variable {name} is not set"
            self._document.problems.append(self._problem(path, node, message))
            return match.group()

        return _VARIABLE.sub(fill, text)

    def _problem(self, path: Path, node: yaml.Node, message: str) -> Problem:
        return Problem(*_place(node), dotted(path), message)


def _strings(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, inner in value.items():
                yield from _strings((*path, key), inner)
        case list():
            for number, inner in enumerate(value):
                yield from _strings((*path, number), inner)


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _marked(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    message, quoted = _QUOTED.subn(r"\1", said)
    if quoted:
        message += ": a value that begins with *, & or ! goes in quotes"
    return Problem(line, column, "", message)


def _at(before: str, message: str) -> Problem:
    return Problem(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1, "", message)
