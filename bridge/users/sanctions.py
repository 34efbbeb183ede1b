"""Mutes and bans in memory: looks up which one applies to a sender."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bridge.model.patterns import Pattern, is_pattern
from bridge.model.people import Role, Sender
from bridge.users.contract import Measure, Sanction, User, UsersError
from bridge.users.identities import same_name


class Sanctions:
    """Immutable snapshot of all sanctions."""

    def __init__(self, sanctions: Iterable[Sanction] = ()) -> None:
        self.all: Sequence[Sanction] = tuple(sanctions)
        self._by_name: dict[str, list[Sanction]] = {}
        self._patterns: list[tuple[Pattern, Sanction]] = []
        for sanction in self.all:
            if is_pattern(sanction.target):
                self._patterns.append((Pattern.parse(sanction.target), sanction))
            else:
                self._by_name.setdefault(same_name(sanction.target), []).append(sanction)

    def on(self, sender: Sender, user: User | None, link: str | None, now: float) -> Sanction | None:
        """The hardest sanction in force against `sender` in `link`; among equals the one that lasts longest."""
        named = self._by_name.get(same_name(user.name), []) if user and self._by_name else []
        # too wide a pattern must not silence the admins, who could fix it
        patterns = [] if user is not None and user.role is Role.ADMIN else self._patterns
        fitting = [sanction for pattern, sanction in patterns if pattern.fits(sender)]
        found = [each for each in (*named, *fitting) if in_force(each, now) and each.link in (None, link)]
        return max(found, key=_hardness, default=None)

    def with_(self, sanction: Sanction, now: float) -> "Sanctions":
        """A copy with `sanction`, which replaces one of the same target, measure and link; ended ones are left out."""
        kept = [each for each in self.all if in_force(each, now) and _place(each) != _place(sanction)]
        return Sanctions([*kept, sanction])

    def without(self, gone: Iterable[Sanction]) -> "Sanctions":
        dropped = {*gone}
        return Sanctions(each for each in self.all if each not in dropped)

    def on_network(self, old: str, new: str) -> "Sanctions":
        """A copy in which the patterns of people on the network `old` are of `new`."""
        return Sanctions(replace(each, target=_moved(each.target, old, new)) for each in self.all)

    def about(self, target: str) -> Sequence[Sanction]:
        """The sanctions against the user or pattern `target`."""
        return [each for each in self.all if _target(each.target) == _target(target)]


def checked_target(target: str) -> str:
    """Return `target` if it is a pattern of people or not a pattern (a user's name). Raises UsersError otherwise."""
    if not is_pattern(target):
        return target
    try:
        pattern = Pattern.parse(target)
    except ValueError as error:
        raise UsersError(str(error)) from error
    if target.lower().startswith("text:"):
        raise UsersError(f"{pattern} is about words; write it under `ignore` of a link in the config")
    return target


def in_force(sanction: Sanction, now: float) -> bool:
    """Whether `sanction` has not ended yet."""
    return sanction.until is None or now < sanction.until


def network_of(target: str) -> str:
    """The network of the people whom the pattern `target` fits; '' for Matrix ids, and for the name of a user."""
    return Pattern.parse(target).network if is_pattern(target) else ""


def _moved(target: str, old: str, new: str) -> str:
    return f"{new}{target.removeprefix(old)}" if network_of(target) == old else target


def _hardness(sanction: Sanction) -> tuple[bool, float]:
    return sanction.measure is Measure.BAN, float("inf") if sanction.until is None else sanction.until


def _place(sanction: Sanction) -> tuple[str, Measure, str | None]:
    return _target(sanction.target), sanction.measure, sanction.link


def _target(target: str) -> str:
    return target.lower() if is_pattern(target) else same_name(target)
