"""Adds an entry to a section of a config, and leaves every other character as it is: comments, order, quotes. Pure."""

from collections.abc import Iterator, Mapping

import yaml

from bridge.setup.answers import quoted

Value = str | bool | list[str] | Mapping[str, str]


def with_entry(text: str, section: str, name: str, entry: Mapping[str, Value]) -> str:
    """`text`, a config that loads, with `entry` under `name` in the top-level `section`, behind the entries there."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    pair = _section(text, section)
    if pair is None:
        return "".join([*lines, "\n", f"{section}:\n", *_block(name, entry, 2)])
    key, value = pair
    if isinstance(value, yaml.MappingNode) and value.value:
        if value.flow_style:
            at = value.end_mark.index - 1
            return f"{text[:at].rstrip()}, {quoted(name)}: {_flow(entry)}{text[at:]}"
        indent = value.value[0][0].start_mark.column
        last = max(_last_line(node) for pair in value.value for node in pair)
        return "".join([*lines[: last + 1], *_block(name, entry, indent), *lines[last + 1 :]])
    # Nothing there yet: `links:` or `links: {}`
    before, after = text[: value.start_mark.index].rstrip(" "), text[value.end_mark.index :]
    rest, newline, following = after.partition("\n")
    head = before if before.endswith(":") else before.rstrip()
    comment = f"  {rest.strip()}" if rest.strip() else ""
    indent = key.start_mark.column + 2
    return f"{head}{comment}\n{''.join(_block(name, entry, indent))}{following if newline else ''}"


def _section(text: str, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return next(((key, value) for key, value in root.value if key.value == name), None)


def _last_line(node: yaml.Node) -> int:
    """The last line with something of `node` in it: the end of a block is where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        inner = [each for pair in node.value for each in (pair if isinstance(pair, tuple) else (pair,))]
        return max(map(_last_line, inner))
    end = node.end_mark
    return end.line if end.column else end.line - 1


def _block(name: str, entry: Mapping[str, Value], indent: int) -> Iterator[str]:
    yield f"{' ' * indent}{quoted(name)}:\n"
    for key, value in entry.items():
        yield f"{' ' * (indent + 2)}{key}: {_inline(value)}\n"


def _flow(entry: Mapping[str, Value]) -> str:
    return "{" + ", ".join(f"{key}: {_inline(value)}" for key, value in entry.items()) + "}"


def _inline(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return _flow(value)
    return "[" + ", ".join(map(quoted, value)) + "]"
