"""Reads the answers of a rule: texts with weights, conditions and redirects. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from bots.rules import templates
from bots.rules.book import Group, Say, When
from bots.rules.document import Items, Node, Scalar, Table
from bots.rules.nodes import Failed, entries, keyed, number, scalar, switch, texts
from bots.rules.problems import Wrong
from bridge.model.people import Role

_KEYS = ("say", "redirect", "weight", "when")
_WHEN = ("role", "user", "link", "network", "private", "carried", "variables")
ROLES = (*(str(each) for each in Role), "guest")
"""What `role` may be in a file."""
MOST = 100
"""Group of a rule at most."""


def answers_of(node: Node, named: Mapping[str, Sequence[Group]], redirect: Node | None = None) -> tuple[Group, ...]:
    """The answers in `node`, or that to which a rule redirects. `named` has those that `@name` stands for.

    Those with a condition come first, in their order; those without one are one group, said if no condition holds.
    Raises Wrong.
    """
    if redirect is not None:
        return (Group((Say(_template(redirect), redirects=True),)),)
    found = [*_all(node, named)]
    if not found:
        raise Failed("there is no answer", node.line)
    if sum(len(each.says) for each in found) > MOST:
        raise Failed(f"more than {MOST} answers", node.line)
    last = tuple(say for each in found if each.when is None for say in each.says)
    return (*(each for each in found if each.when is not None), *((Group(last),) if last else ()))


def _all(node: Node, named: Mapping[str, Sequence[Group]]) -> Iterator[Group]:
    for each in node.values if isinstance(node, Items) else (node,):
        if isinstance(each, Table):
            yield _entry(each)
        elif isinstance(each, Scalar) and each.text.startswith("@"):
            if each.text[1:] not in named:
                raise Failed(f"there is no answer called {each.text[:40]!r} under `answers`", each.line)
            yield from named[each.text[1:]]
        else:
            yield Group((Say(_template(each)),))


def _entry(node: Table) -> Group:
    found = keyed(node, _KEYS)
    if ("say" in found) == ("redirect" in found):
        raise Failed("an answer has either `say` or `redirect`", node.line)
    weight = number(found["weight"], 1, 1000) if "weight" in found else 1
    when = _when(found["when"]) if "when" in found else None
    if "redirect" in found:
        return Group((Say(_template(found["redirect"]), weight, redirects=True),), when)
    said = found["say"]
    each = said.values if isinstance(said, Items) else (said,)
    if not each:
        raise Failed("the list is empty", said.line)
    return Group(tuple(Say(_template(one), weight) for one in each), when)


def _template(node: Node) -> templates.Template:
    try:
        return templates.parse(scalar(node).strip())
    except Failed:
        raise
    except Wrong as error:
        raise Failed(str(error), node.line) from error


def _when(node: Node) -> When:
    found = keyed(node, _WHEN)
    if "role" in found and scalar(found["role"]) not in ROLES:
        raise Failed(f"a role is one of {', '.join(ROLES)}", found["role"].line)
    return When(
        role=scalar(found["role"]) if "role" in found else None,
        user=_user(found["user"]) if "user" in found else None,
        link=tuple(texts(found["link"])) if "link" in found else None,
        network=tuple(texts(found["network"])) if "network" in found else None,
        private=switch(found["private"]) if "private" in found else None,
        carried=switch(found["carried"]) if "carried" in found else None,
        variables=tuple((key.text, _value(value)) for key, value in entries(found.get("variables"))),
    )


def _value(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else scalar(node)  # '' is a value here


def _user(node: Node) -> bool | str:
    is_switch = scalar(node).casefold() in ("true", "yes", "false", "no")
    return switch(node) if is_switch else scalar(node)
