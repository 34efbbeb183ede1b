"""Takes values out of YAML nodes; what does not fit is said with its line. Pure."""

from collections.abc import Sequence
from difflib import get_close_matches

from bots.rules.document import Items, Node, Scalar, Table
from bots.rules.problems import Wrong


class Failed(Wrong):
    """Something is wrong in `line`."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def line_of(node: Node | None) -> int:
    return 1 if node is None else node.line


def entries(node: Node | None) -> Sequence[tuple[Scalar, Node]]:
    """Keys and values of a mapping; none of None."""
    if node is None:
        return ()
    if not isinstance(node, Table):
        raise Failed("this must be a mapping (key: value)", node.line)
    return node.pairs


def keyed(node: Node, known: Sequence[str]) -> dict[str, Node]:
    """The values of a mapping by key, which must all be `known`."""
    for key, _ in entries(node):
        if key.text not in known:
            near = get_close_matches(key.text[:40], known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise Failed(f"there is no key {key.text[:40]!r} here; {hint}", key.line)
    return {key.text: value for key, value in entries(node)}


def scalar(node: Node) -> str:
    """A text that is not empty."""
    if not isinstance(node, Scalar):
        raise Failed("this must be a text: put it in quotes", node.line)
    if not node.text.strip():
        raise Failed("there is no text here", node.line)
    return node.text


def texts(node: Node) -> Sequence[str]:
    """One text, or a list of at least one."""
    if not isinstance(node, Items):
        return (scalar(node),)
    if not node.values:
        raise Failed("the list is empty", node.line)
    return tuple(scalar(each) for each in node.values)


def number(node: Node, least: int, most: int) -> int:
    text = scalar(node)
    if not text.lstrip("-").isdecimal() or len(text) > 9 or not least <= int(text) <= most:
        raise Failed(f"this must be a number from {least} to {most}", node.line)
    return int(text)


def switch(node: Node) -> bool:
    """True or false; yes and no will do."""
    text = scalar(node).casefold()
    if text not in ("true", "yes", "false", "no"):
        raise Failed("this must be true or false", node.line)
    return text in ("true", "yes")
