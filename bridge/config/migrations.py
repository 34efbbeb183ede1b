"""Keys that have another name now. The old name goes on working for two minor releases, with a warning. Pure."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from bridge.config.document import Document, Path
from bridge.config.problems import Problem


@dataclass(frozen=True, slots=True)
class Renamed:
    """The key at `old` is at `new` in the same section; a `*` in `section` is a name of the operator's choice. The old
    name is refused from version `gone` on."""

    section: Path
    old: str
    new: str
    gone: str


RENAMED: Sequence[Renamed] = ()
"""None yet: 0.1.0 is the first release."""


def modernise(document: Document) -> Iterator[Problem]:
    """Give each key its present name, in place. Yields a warning for each; where both names are there, the new one
    counts."""
    for rename in RENAMED:
        for place, section in _sections((), document.value, rename.section):
            if rename.old not in section:
                continue
            value = section.pop(rename.old)
            old, new = (*place, rename.old), (*place, rename.new)
            if rename.new not in section:
                section[rename.new] = value
                _move(document, old, new)
            message = f"is called {rename.new} now; the old name works until {rename.gone}: see `migrate-config`"
            yield document.problem(old, message)


def renames(value: object) -> Iterator[tuple[Path, Mapping[str, object], Renamed]]:
    """The sections of a parsed file that have an old name in them, each with its place and the rename."""
    for rename in RENAMED:
        for place, section in _sections((), value, rename.section):
            if rename.old in section:
                yield place, section, rename


def _sections(at: Path, value: object, left: Path) -> Iterator[tuple[Path, MutableMapping[str, object]]]:
    if not isinstance(value, MutableMapping):
        return
    if not left:
        yield at, value
        return
    step, *rest = left
    for key in [*value] if step == "*" else [step]:
        if isinstance(key, str) and key in value:
            yield from _sections((*at, key), value[key], tuple(rest))


def _move(document: Document, old: Path, new: Path) -> None:
    """What is known of the places under `old` is known under `new`, too: problems are found there."""
    moved: Mapping[Path, tuple[int, int]] = {
        (*new, *place[len(old) :]): at for place, at in document.places.items() if place[: len(old)] == old
    }
    document.places.update(moved)
    document.literal.update({(*new, *place[len(old) :]) for place in document.literal if place[: len(old)] == old})
