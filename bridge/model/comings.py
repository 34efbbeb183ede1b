"""Who has joined, left and been renamed, in words: a crowd in one sentence."""

from collections.abc import Sequence
from itertools import groupby

from bridge.model.event import Change, Event, Membership
from bridge.model.text import REASON_LIMIT, one_line, shown_name

_NAMED = 3
"""Most people of a crowd who are named."""
_SENTENCES = 10
"""Most sentences; what is left is counted."""
_VERBS = {
    Change.JOINED: ("has joined", "have joined"),
    Change.LEFT: ("has left", "have left"),
    Change.KICKED: ("was removed", "were removed"),
    Change.BANNED: ("was banned", "were banned"),
}


def comings(events: Sequence[Event]) -> str:
    """One line about memberships, in order: "alice, bob and 30 others have joined; carol has left (good night)".
    Events of other types are left out; '' if there are no others."""
    told = [(event, event.body) for event in events if isinstance(event.body, Membership)]
    sentences: list[str] = []
    for change, group in groupby(told, key=lambda each: each[1].change):
        same = [*group]
        if change is Change.RENAMED:
            sentences += (f"{_name(body)} is now called {shown_name(body.detail, '?')}" for _, body in same)
        elif len(same) == 1:
            sentences.append(_one(*same[0]))
        else:
            people = dict.fromkeys(_name(body) for _, body in same)
            sentences.append(f"{_listed([*people])} {_VERBS[change][len(people) > 1]}")
    if len(sentences) > _SENTENCES:
        more = len(sentences) - _SENTENCES + 1
        sentences[_SENTENCES - 1 :] = [f"and {more} more changes"]
    return "; ".join(sentences)


def _one(event: Event, body: Membership) -> str:
    by_another = body.change in (Change.KICKED, Change.BANNED) and event.sender.address != body.person.address
    by = f" by {shown_name(event.sender.name, event.sender.address)}" if by_another else ""
    reason = one_line(body.detail, REASON_LIMIT).strip()
    return f"{_name(body)} {_VERBS[body.change][0]}{by}{f' ({reason})' if reason else ''}"


def _listed(people: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c", "a, b and 30 others"."""
    if len(people) <= _NAMED:
        *first, last = people
        return f"{', '.join(first)} and {last}" if first else last
    named = people[: _NAMED - 1]
    return f"{', '.join(named)} and {len(people) - len(named)} others"


def _name(body: Membership) -> str:
    return shown_name(body.person.name, body.person.address)
