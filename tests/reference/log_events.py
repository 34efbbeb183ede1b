"""docs/reference/log-events.md: every event of the log, found in the program's source."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from tests.reference import ROOT
from tests.reference._meanings import ALARMS, COMPOSED, MEANINGS

PATH = "docs/reference/log-events.md"

_HEAD = """\
# The lines of the log

Made from the program by `make page`. Each line has an `event`, a `level`, a time, and what the event is about:
`network=`, `room="libera/#pond"`, `reason=`, and often a `hint=` that says what to do. No line has the words of a
message, or a secret.

Set an alarm on the events that say **alarm**: somebody has to do something. What happens when, and what the bridge does
about it: [troubleshoot](../how-to/troubleshoot.md). How the log is written, and how repeated lines are folded:
[the daemon](../daemon.md#the-log).

| event | level | meaning | where |
|---|---|---|---|
"""
_LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
_LOGGERS = ("log", "_log", "logger", "bound")
_NOTABLE = "Notable"  # an effect of an IRC session that becomes a line of the log
_LEFT_OUT = ("demo",)


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A line that the program may write to its log. `event` is '' if the name is not a constant."""

    event: str
    level: str
    file: str


def page() -> str:
    """Every event with its level, meaning and place. Raises KeyError for an event without a meaning."""
    lines = sorted({line for line in found() if line.event} | {Line(name, *about) for name, about in COMPOSED.items()})
    rows = []
    for event, same in groupby(lines, key=lambda line: line.event):
        each = [*same]
        levels = ", ".join(dict.fromkeys(line.level for line in each))
        files = ", ".join(f"`{file}`" for file in dict.fromkeys(line.file for line in each))
        rows.append(f"| `{event}` | {levels}{' **alarm**' if event in ALARMS else ''} | {MEANINGS[event]} | {files} |")
    return _HEAD + "\n".join(rows) + "\n"


def found() -> Iterator[Line]:
    """Every line that the bridge and the bots write."""
    for folder in ("bridge", "bots"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.parent.name not in _LEFT_OUT:
                yield from in_source(path.read_text(), str(path.relative_to(ROOT)))


def in_source(source: str, file: str) -> Iterator[Line]:
    """The lines that a module writes."""
    tree = ast.parse(source)
    called = {
        target.id: levels
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (levels := _levels(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if isinstance(node.func, ast.Name) and node.func.id == _NOTABLE:
            at: tuple[str, ...] = ("info",)
        elif isinstance(node.func, ast.Name):
            at = called.get(node.func.id, ())
        else:
            at = _levels(node.func)
        for event in _names(node.args[0]):
            for level in at:
                yield Line(event, {"exception": "error"}.get(level, level), file)


def _levels(node: ast.expr) -> tuple[str, ...]:
    """The levels of an expression such as `log.info`, or `log.error if grave else log.warning`."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=level) if name in _LOGGERS and level in _LEVELS:
            return (level,)
        case ast.IfExp(body=body, orelse=orelse):
            return (*_levels(body), *_levels(orelse))
        case _:
            return ()


def _names(node: ast.expr) -> tuple[str, ...]:
    match node:
        case ast.Constant(value=str(name)):
            return (name,)
        case ast.IfExp(body=body, orelse=orelse):
            return (*_names(body), *_names(orelse))
        case _:
            return ("",)


def without_a_constant() -> Mapping[str, int]:
    """How many lines each file writes whose event is not a constant, by file."""
    files = [line.file for line in found() if not line.event]
    return {file: files.count(file) for file in dict.fromkeys(files)}
