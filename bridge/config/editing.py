"""Changes the text of a config, and leaves every other character as it is: comments, order, quotes. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import yaml

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


def with_key(text: str, place: Sequence[str], old: str, new: str) -> str:
    """`text`, with the key `old` in the section at `place` called `new`. The section must be there."""
    node = _composed(text)
    for step in place:
        node = next(value for key, value in _pairs(node) if key.value == step)
    for key, _ in _pairs(node):
        if key.value == old:
            return f"{text[: key.start_mark.index]}{new}{text[key.end_mark.index :]}"
    return text


def _composed(text: str) -> yaml.Node:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None, "a config that loads is not empty"
    return node


def _pairs(node: yaml.Node) -> Sequence[tuple[yaml.Node, yaml.Node]]:
    assert isinstance(node, yaml.MappingNode)
    return [*node.value]


def _section(text: str, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = _pairs(_composed(text))
    return next(((key, value) for key, value in pairs if key.value == name), None)


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


def quoted(text: str) -> str:
    """`text` as a YAML string on one line. The config would take ${NAME} for a variable: it is escaped."""
    plain = text.replace("${", "$${")
    return yaml.safe_dump(plain, default_style='"', allow_unicode=True, width=float("inf")).strip()
