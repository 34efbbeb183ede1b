"""What people on IRC write by hand, where others have edits and replies: `s/wrong/right/`, `alice: yes`. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.model.changes import COVER
from bridge.model.event import Edit, Event, Kind, Message
from bridge.model.outbox import Known
from bridge.model.text import addressed, lookalike, plain, words

RECENT_S = 300.0
"""Seconds after which nobody means an earlier message any more without saying so."""
RECENT = 30
"""Messages of a room that are looked through for the one that is meant."""
_LONGEST = 300
"""Characters of a correction at most."""
_CORRECTION = re.compile(r"s([/|#,!])((?:\\.|(?!\1)[^\\])+)\1((?:\\.|(?!\1)[^\\])*)(?:\1(g?))?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ADDRESSED = re.compile(r"\s*@?[^\s:,][^:,\n]{0,63}[:,](?:\s|$)")


@dataclass(frozen=True, slots=True)
class Correction:
    """`wrong` becomes `right`, wherever it stands if `everywhere`, else where it stands first."""

    wrong: str
    right: str
    everywhere: bool = False

    def of(self, text: str) -> str:
        """`text`, corrected; unchanged if nothing is wrong in it."""
        return text.replace(self.wrong, self.right, -1 if self.everywhere else 1)


def correction(text: str) -> Correction | None:
    """What `s/wrong/right/` says, with `\\/` for a slash; the last slash may be missing; `|`, `#`, `,` and `!` may take
    the place of slashes. The words are words, no pattern. None if `text` says something else."""
    text = text.strip()
    found = _CORRECTION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or (found[1] != "/" and found[4] is None):  # "s,a,b" is more likely a list
        return None
    wrong, right = (_ESCAPED.sub(r"\1", each) for each in (found[2], found[3]))
    return Correction(wrong, right, found[4] == "g") if wrong != right else None


def asks_for_earlier(event: Event, *, edits: bool, replies: bool) -> bool:
    """Whether `event`, said on IRC, may mean an earlier message: a correction, or an answer to somebody by name."""
    body = event.body
    if not isinstance(body, Message) or event.private or body.reply_to is not None or body.kind is not Kind.TEXT:
        return False
    text = plain(body.text)
    return (edits and correction(text) is not None) or (replies and _ADDRESSED.match(text) is not None)


def understood(event: Event, earlier: Sequence[Known], whole: int, *, edits: bool, replies: bool) -> Event:
    """`event` as the edit of its sender's last message, or as a reply to the last one of whom it addresses; as it is if
    `earlier`, the newest first, has no such message. `whole`: of messages with so many characters known, only the
    beginning is known, and they cannot be corrected; nor can those with spoilers, nor what would become longer."""
    assert isinstance(event.body, Message)
    text = plain(event.body.text)
    wanted = correction(text) if edits else None
    if wanted is not None:
        return _corrected(event, wanted, earlier, whole)
    if replies and (answered := _answered(event, text, earlier)) is not None:
        return replace(event, body=replace(event.body, reply_to=answered.source))
    return event


def _corrected(event: Event, wanted: Correction, earlier: Sequence[Known], whole: int) -> Event:
    for known in earlier:
        if known.source.room == event.room and known.who is not None and known.who.is_same_person(event.sender):
            said = wanted.of(known.excerpt)
            unknown = known.removed or len(said) > whole or len(known.excerpt) >= whole or COVER in known.excerpt
            if said == known.excerpt or not said.strip() or unknown:
                return event
            return replace(event, body=Edit(known.source, words(said), known.kind))
    return event


def _answered(event: Event, text: str, earlier: Sequence[Known]) -> Known | None:
    """The last message of the one person whom `text` addresses; None if nobody, or more than one, goes by that name."""
    named = [
        known
        for known in earlier
        if known.who is not None and not known.removed and addressed(text, (known.who.name,)) is not None
    ]
    others = [known for known in named if known.who is not None and not known.who.is_same_person(event.sender)]
    people = {(known.who.network, known.who.address) for known in others if known.who is not None}
    names = {lookalike(known.who.name) for known in others if known.who is not None}
    return others[0] if len(people) == 1 and len(names) == 1 else None
