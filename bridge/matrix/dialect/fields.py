"""Reads JSON that anybody may have written: a value of another type than expected counts as absent."""

from collections.abc import Iterator, Mapping, Sequence

Json = Mapping[str, object]
_NOTHING: Json = {}


def table(source: Json, *path: str) -> Json:
    """The object at `path`, or an empty one."""
    for key in path:
        inner = source.get(key)
        source = inner if isinstance(inner, dict) else _NOTHING
    return source


def word(source: Json, key: str) -> str:
    """The string under `key`, or an empty one. A lone surrogate, which has no UTF-8, becomes a question mark."""
    value = source.get(key)
    if not isinstance(value, str) or value.isascii():
        return value if isinstance(value, str) else ""
    return value.encode(errors="replace").decode()


def number(source: Json, key: str) -> int | None:
    """The whole number under `key`, if in the range that Matrix allows (spec, "Canonical JSON"), else None."""
    value = source.get(key)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if isinstance(value, int) and whole and abs(value) < 2**53 else None


def tables(source: Json, *path: str) -> Iterator[Json]:
    """The objects in the list at `path`."""
    for value in values(table(source, *path[:-1]), path[-1]):
        if isinstance(value, dict):
            yield value


def values(source: Json, key: str) -> Sequence[object]:
    """The list under `key`, or an empty one."""
    value = source.get(key)
    return value if isinstance(value, list) else ()
