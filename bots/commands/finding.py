"""Finds the command that a text says. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from bots.commands import basics, calc, chance, clock, karma, polls, reminders, seen, tells, web
from bots.commands.command import Command

FAMILIES: Sequence[tuple[Command, ...]] = tuple(
    each.COMMANDS for each in (basics, chance, calc, clock, reminders, seen, tells, polls, karma, web)
)
ALL: Sequence[Command] = tuple(command for family in FAMILIES for command in family)
"""Every command, the optional ones too."""
NAMES = frozenset(name for command in ALL for name in command.names)
LONGEST = 1_000
"""Characters of a command at most: longer texts are none."""
_WORDS = 4  # of the longest name
_AROUND = "`,.:;?!"


def chosen(disabled: Sequence[str], aliases: Mapping[str, str], enabled: frozenset[str]) -> Mapping[str, Command]:
    """The commands by each of their names: without those `disabled`, and without those that need a setting that is not
    `enabled`. `aliases` are more names. Raises ValueError for names that there are not."""
    for place, names in (("disabled", disabled), ("aliases", aliases.values())):
        if (wrong := next((name for name in names if name not in NAMES), None)) is not None:
            there = ", ".join(each.name for each in ALL)
            raise ValueError(f"{place}: there is no command {wrong[:40]!r}; there are: {there}")
    more = {" ".join(alias.lower().split()): name for alias, name in aliases.items()}
    for alias in more:
        if alias in NAMES:
            raise ValueError(f"aliases: {alias!r} is a command already")
        if not 0 < len(alias.split()) <= _WORDS:
            raise ValueError(f"aliases: {alias[:40]!r} has not 1 to {_WORDS} words")
    found = {
        name: command
        for command in ALL
        if not set(command.names).intersection(disabled) and (not command.needs or command.needs in enabled)
        for name in command.names
    }
    return found | {alias: found[name] for alias, name in more.items() if name in found}


def candidates(text: str, prefix: str, known: Mapping[str, Command]) -> Iterator[tuple[Command, str]]:
    """The commands whose name `text` begins with, with what stands behind it, the longest name first."""
    text = text.strip()
    if len(text) > LONGEST or not text.lower().startswith(prefix.lower()) or "\n" in text:
        return
    words = text[len(prefix) :].strip("` ").split()
    for count in range(min(_WORDS, len(words)), 0, -1):
        name = " ".join(words[:count]).lower()
        found = known.get(name) or (known.get(name.rstrip(_AROUND)))
        if found is not None:
            yield found, " ".join(words[count:])
