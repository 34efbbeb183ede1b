"""Who came, went and changed their name, in one sentence: many at once after a netsplit. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bridge.model.attribution import told_as
from bridge.model.event import Change, Event, Membership
from bridge.model.people import Sender
from bridge.model.text import as_name, in_brackets, one_line, shown_name

_REASON = 80
"""Most characters of a reason."""
_NAMED = 5
"""Most people who are named of those to whom the same happened: of many, one less."""
_GROUPS = 6
_COMES = (Change.JOINED, Change.PRESENT)
_GONE = (Change.LEFT, Change.KICKED, Change.BANNED)
_VERBS = {
    Change.JOINED: ("has joined", "have joined"),
    Change.PRESENT: ("is there", "are there"),
    Change.LEFT: ("has left", "have left"),
    Change.KICKED: ("was kicked", "were kicked"),
    Change.BANNED: ("was banned", "were banned"),
    Change.RENAMED: ("is now known as", "are now known as"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to somebody in all. `name` is what they were called before, `detail` the reason in brackets
    or the new name; `by`: who kicked or banned them."""

    name: str
    change: Change
    detail: str = ""
    by: str = ""


def steps(
    events: Sequence[Event], called: Callable[[Sender], str] = told_as, written: Callable[[str], str] = str
) -> Sequence[Step]:
    """What happened to each person in all, in order: who came and left at once is left out, and who does it quietly.
    `called` names people; `written` makes reasons and new names fit to be shown."""
    found: dict[tuple[str, str], Step | None] = {}
    for event in events:
        if not isinstance(body := event.body, Membership) or body.quiet:
            continue
        person = body.person
        who = person.network, person.casemapping.fold(person.address)
        step = _then(found.pop(who, None), _step(event.sender, body, called, written))
        if body.change is Change.RENAMED and person.casemapping.fold(person.name) == who[1]:
            who = person.network, person.casemapping.fold(body.detail)  # the name is the address, as on IRC
        found[who] = step
    return [step for step in found.values() if step is not None]


def by_person(events: Sequence[Event]) -> Sequence[Sequence[Event]]:
    """`events` by the person to whom they happened, each in order."""
    found: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if not isinstance(body := event.body, Membership):
            continue
        person = body.person
        who = person.network, person.casemapping.fold(person.address)
        theirs = [*found.pop(who, ()), event]
        if body.change is Change.RENAMED and person.casemapping.fold(person.name) == who[1]:
            who = person.network, person.casemapping.fold(body.detail)
        found[who] = theirs
    return [*found.values()]


def net(events: Sequence[Event]) -> Step | None:
    """What happened to one person in all, quietly or not; None if all is as before."""
    found: Step | None = None
    for event in events:
        if isinstance(body := event.body, Membership):
            found = _then(found, _step(event.sender, body, told_as, str))
    return found


def told(happened: Sequence[Step], most: int = _NAMED, *, reasons: bool = True) -> str:
    """One line: "alice, bob and 30 others have joined; carol has left (good night)". Of more than `most` people to whom
    the same happened, one less is named; of many different reasons none is told, nor without `reasons`."""
    sentences = [*_sentences(happened, most, keep_reasons=reasons)]
    if reasons and len(sentences) > _GROUPS:
        sentences = [*_sentences(happened, most, keep_reasons=False)]
    return "; ".join(sentences)


def _step(by: Sender, body: Membership, called: Callable[[Sender], str], written: Callable[[str], str]) -> Step:
    is_other = (by.network, by.address) != (body.person.network, body.person.address)
    detail = ""
    if body.change is Change.RENAMED:
        detail = as_name(shown_name(body.detail, "?"))
    elif body.change not in _COMES and (reason := " ".join(one_line(body.detail, 8 * _REASON).split())):
        detail = in_brackets(_cut(reason))
    by_name = called(by) if is_other and body.change in (Change.KICKED, Change.BANNED) else ""
    return Step(called(body.person), body.change, written(detail), by_name)


def _cut(reason: str) -> str:
    return reason if len(reason) <= _REASON else reason[: _REASON - 1] + "…"


def _then(earlier: Step | None, later: Step) -> Step | None:
    """Two steps of one person as one; None if they cancel out."""
    if earlier is None:
        return later
    match earlier.change, later.change:
        case ((Change.JOINED | Change.PRESENT), Change.RENAMED):
            return replace(earlier, name=later.detail)
        case Change.RENAMED, Change.RENAMED:
            return replace(earlier, detail=later.detail) if earlier.name != later.detail else None
        case Change.RENAMED, change if change in _GONE:
            return replace(later, name=earlier.name)
        case (Change.JOINED, Change.LEFT) | (Change.LEFT, Change.JOINED):
            return None
        case _:
            return later


def _sentences(happened: Sequence[Step], most: int, *, keep_reasons: bool) -> Iterator[str]:
    groups: dict[Step, list[str]] = {}
    for step in happened:
        alike = replace(step, name="", detail=step.detail if keep_reasons else "")
        groups.setdefault(step if step.change is Change.RENAMED else alike, []).append(step.name)
    shown = [*groups.items()] if keep_reasons else [*groups.items()][:_GROUPS]
    for step, people in shown:
        verb = _VERBS[step.change][len(people) > 1]
        by = f" by {step.by}" if step.by else ""
        detail = f" {step.detail}" if step.detail else ""
        yield f"{_listed(people, most)} {verb}{by}{detail}"
    if others := sum(len(people) for people in [*groups.values()][len(shown) :]):
        yield f"and {others} others came, went or changed their names"


def _listed(people: Sequence[str], most: int) -> str:
    """ "a", "a and b", "a, b and c", "a, b and 30 others"."""
    if len(people) > most:
        return f"{', '.join(people[: most - 1])} and {len(people) - most + 1} others"
    *first, last = people
    return f"{', '.join(first)} and {last}" if first else last
