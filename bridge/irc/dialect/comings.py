"""Who came, went and changed their name, in one notice: many at once after a netsplit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bridge.irc.dialect.brief import clean, listed, shortened
from bridge.irc.dialect.names import Names
from bridge.irc.dialect.notes import notice
from bridge.irc.dialect.operations import Say
from bridge.irc.dialect.place import Limits
from bridge.model.event import Change, Membership
from bridge.model.outbox import Owed
from bridge.model.people import Sender
from bridge.model.text import as_name, in_brackets, shown_name

_REASON = 80
_GROUPS = 6
_GONE = (Change.LEFT, Change.KICKED, Change.BANNED)
_VERBS = {
    Change.JOINED: ("has joined", "have joined"),
    Change.LEFT: ("has left", "have left"),
    Change.KICKED: ("was kicked", "were kicked"),
    Change.BANNED: ("was banned", "were banned"),
    Change.RENAMED: ("is now known as", ""),
}


@dataclass(frozen=True, slots=True)
class _Step:
    """What happened to somebody in all. `name` is what they were called before; `by`: who kicked or banned them."""

    name: str
    change: Change
    detail: str = ""
    by: str = ""


def came_and_went(items: Sequence[Owed], names: Names, limits: Limits) -> Iterator[Say]:
    """One notice about all of `items`; none if everybody is there as before."""
    steps = _steps(items, names)
    if not steps:
        return
    for most, reasons in ((5, True), (5, False), (3, False)):
        said = "; ".join(_told(steps, most, keep_reasons=reasons))
        if len(said.encode()) <= limits.budget("NOTICE", items[0].room.id):
            break
    yield notice(items[0], said, limits)


def _steps(items: Sequence[Owed], names: Names) -> list[_Step]:
    """What happened to each person in all, in order."""
    steps: dict[tuple[str, str], _Step | None] = {}
    for item in items:
        if not isinstance(body := item.event.body, Membership):
            continue
        person = body.person
        who = person.network, person.casemapping.fold(person.address)
        earlier = steps.pop(who, None)
        step = _then(earlier, _step(item.event.sender, body, names))
        if body.change is Change.RENAMED and person.casemapping.fold(person.name) == who[1]:
            who = person.network, person.casemapping.fold(body.detail)  # the name is the address, as on IRC
        steps[who] = step
    return [step for step in steps.values() if step is not None]


def _step(by: Sender, body: Membership, names: Names) -> _Step:
    is_other = (by.network, by.address) != (body.person.network, body.person.address)
    detail = ""
    if body.change is Change.RENAMED:
        detail = as_name(shown_name(body.detail, "?"))
    elif body.change is not Change.JOINED and (reason := shortened(body.detail, _REASON)):
        detail = in_brackets(reason)
    by_name = names.plain(by) if is_other and body.change in (Change.KICKED, Change.BANNED) else ""
    return _Step(names.plain(body.person), body.change, names.guarded(clean(detail)), by_name)


def _then(earlier: _Step | None, later: _Step) -> _Step | None:
    """Two steps of one person as one; None if they cancel out."""
    if earlier is None:
        return later
    match earlier.change, later.change:
        case Change.JOINED, Change.RENAMED:
            return replace(earlier, name=later.detail)
        case Change.RENAMED, Change.RENAMED:
            return replace(earlier, detail=later.detail) if earlier.name != later.detail else None
        case Change.RENAMED, change if change in _GONE:
            return replace(later, name=earlier.name)
        case (Change.JOINED, Change.LEFT) | (Change.LEFT, Change.JOINED):
            return None
        case _:
            return later


def _told(steps: Sequence[_Step], most: int, *, keep_reasons: bool) -> Iterator[str]:
    groups: dict[_Step, list[str]] = {}
    for step in steps:
        alike = replace(step, name="", detail=step.detail if keep_reasons else "")
        if step.change is Change.RENAMED:
            alike = step
        groups.setdefault(alike, []).append(step.name)
    if len(groups) > _GROUPS and keep_reasons:
        yield from _told(steps, most, keep_reasons=False)
        return
    for step, people in [*groups.items()][:_GROUPS]:
        verb = _VERBS[step.change][len(people) > 1]
        by = f" by {step.by}" if step.by else ""
        detail = f" {step.detail}" if step.detail else ""
        yield f"{listed(people, most)} {verb}{by}{detail}"
    if others := sum(len(people) for people in [*groups.values()][_GROUPS:]):
        yield f"and {others} others came, went or changed their names"
