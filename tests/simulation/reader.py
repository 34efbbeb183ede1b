"""What a reader of a room sees in the end, and what was said there by people, as one value per message."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.model.event import Edit, EventKey, Membership, Message, Reaction, Redaction, Topic
from bridge.model.text import plain
from tests.simulation.speech import Ours, Said, in_lines, name_of, without_links


class Mark(NamedTuple):
    """A reaction: `key` of `who` to the message of that name."""

    message: str
    who: str
    key: str


@dataclass(slots=True)
class View:
    """A room as its server shows it. `parts`: by the id of an entry, the words of each message in it, None once removed
    or moved elsewhere by an edit. `marks`: reactions by the ids of their entries. Where a post came more than once, the
    `last` copy is what the store knows; the others are `stale`."""

    parts: dict[str, dict[str, str | None]] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    order: dict[str, None] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)
    answered: dict[str, set[str]] = field(default_factory=dict)
    misplaced: list[str] = field(default_factory=list)
    """What is about an entry that is not there, or not of that message."""
    needless: list[str] = field(default_factory=list)
    """Edits of ours to what was there already."""

    @classmethod
    def of(cls, entries: Sequence[Said]) -> "View":
        view = cls()
        last = {said.post: said.id for said in entries if said.post}
        view.stale = {said.id for said in entries if said.post and last[said.post] != said.id}
        for said in entries:
            if isinstance(said.act, Ours):
                view.copies[said.post] += 1
                view._ours(said, said.act)
            else:
                view._people(said)
        return view

    def words(self, name: str) -> str:
        """The words of the message, all that can be read of it but links; '' if nothing can."""
        return without_links(self.shown(name))

    def shown(self, name: str) -> str:
        """The words of the message with their links."""
        found = (parts.get(name) for entry, parts in self.parts.items() if entry not in self.stale)
        return "\n".join(text for text in found if text is not None)

    def reactions(self) -> Counter[Mark]:
        return Counter(mark for entry, mark in self.marks.items() if entry not in self.stale)

    def first(self, entry: str) -> str | None:
        """The first message in an entry."""
        return next(iter(self.parts.get(entry, ())), None)

    def _people(self, said: Said) -> None:
        match said.act:
            case Message() as body:
                self._say(said.id, name_of(said.key), in_lines(body))
            case Edit(target=target) as body:
                self._edit((target.id,), name_of(target), in_lines(body), said)
            case Redaction(target=target):
                self._remove((target.id,), None)
            case Reaction(target=target, key=key, removed=removed):
                name = self.first(target.id) or "nothing"
                self._mark(said.id, Mark(name, said.sender, key), removed=removed)
            case Ours() | Membership() | Topic():
                raise AssertionError(said)

    def _ours(self, said: Said, act: Ours) -> None:
        match act.verb:
            case "say":
                for line in act.lines:
                    self._say(said.id, line.message, line.text)
                    if line.answered:
                        self.answered.setdefault(line.message, set()).add(line.answered)
                        self._check(line.answers, line.answered, said)
            case "edit":
                self._edit(act.ids, act.message, act.words, said)
            case "redact":
                self._remove(act.ids, act.message)
            case "react" | "unreact":
                self._check(act.ids, act.message, said)
                self._mark(said.id, Mark(act.message, act.who, act.words), removed=act.verb == "unreact")

    def _say(self, entry: str, name: str, text: str) -> None:
        parts = self.parts.setdefault(entry, {})
        parts[name] = text if name not in parts else f"{parts[name]}\n{text}"
        self.order.setdefault(name)

    def _edit(self, entries: Sequence[str], name: str, text: str, said: Said) -> None:
        self._check(entries, name, said)
        if said.post and self.words(name) == without_links(text) and self.copies[said.post] == 1 and not self.stale:
            self.needless.append(str(said))
        shown: str | None = text
        for entry in entries:
            if name in self.parts.get(entry, {}):
                self.parts[entry][name], shown = shown, None

    def _remove(self, entries: Sequence[str], name: str | None) -> None:
        for entry in entries:
            self.marks.pop(entry, None)
            parts = self.parts.get(entry, {})
            parts.update(dict.fromkeys([name] if name in parts else [] if name is not None else [*parts]))

    def _mark(self, entry: str, mark: Mark, *, removed: bool) -> None:
        if removed:
            self.marks = {each: other for each, other in self.marks.items() if other != mark}
        else:
            self.marks[entry] = mark

    def _check(self, entries: Sequence[str], name: str, said: Said) -> None:
        if any(name not in self.parts.get(entry, ()) for entry in entries):
            self.misplaced.append(str(said))


GONE = ""
ABSENT = "never came"


class Step(NamedTuple):
    """A change of something; `sure`: it has to arrive."""

    value: str
    sure: bool


@dataclass(slots=True)
class Told:
    """What people said in a room: by message, its words in order, `GONE` after a removal; by reaction, "on" and
    "off"; what each message replies to."""

    words: dict[str, list[Step]] = field(default_factory=dict)
    marks: dict[Mark, list[Step]] = field(default_factory=dict)
    replies: dict[str, Step] = field(default_factory=dict)
    late: dict[str, list[Step]] = field(default_factory=dict)
    """What messages were edited to after they were removed."""

    @classmethod
    def of(cls, view: View, own: Sequence[tuple[Said, bool]], by_hand: Mapping[str, EventKey]) -> "Told":
        """`own`: what people said in the room of `view`, each with whether it is sure to arrive; `by_hand`: the message
        that an entry means to edit by hand."""
        told = cls()
        reactions: dict[str, Mark] = {}
        for said, sure in own:
            match said.act:
                case Message(text=text) if said.id in by_hand:
                    told.words[name_of(by_hand[said.id])].append(Step(plain(text).split("/")[2], sure))
                case Message(reply_to=reply_to) as body:
                    told.words[name_of(said.key)] = [Step(in_lines(body), sure)]
                    if reply_to is not None:
                        told.replies[name_of(said.key)] = Step(view.first(reply_to.id) or "nothing", sure)
                case Edit(target=target) as body:
                    is_late = told.words[name_of(target)][-1].value == GONE
                    steps = told.late if is_late else told.words
                    steps.setdefault(name_of(target), []).append(Step(in_lines(body), sure))
                case Redaction(target=target) if target.id in reactions:
                    told.marks[reactions[target.id]].append(Step("off", sure))
                case Redaction(target=target):
                    told.words[name_of(target)].append(Step(GONE, sure))
                case Reaction(target=target, key=key, removed=removed):
                    mark = reactions[said.id] = Mark(view.first(target.id) or "nothing", said.sender, key)
                    told.marks.setdefault(mark, []).append(Step("off" if removed else "on", sure))
        return told

    def ends(self, name: str) -> set[str]:
        """How the message may be seen elsewhere in the end."""
        first, *_ = steps = self.words[name]
        ends = set(_ends(steps))
        return ends | {ABSENT} if GONE in ends or not first.sure else ends

    def removed(self) -> Iterator[str]:
        """The messages that are surely removed."""
        yield from (name for name in self.words if self.words[name][0].sure and set(_ends(self.words[name])) == {GONE})

    def is_sure(self, name: str) -> bool:
        return name in self.words and self.words[name][0].sure and GONE not in _ends(self.words[name])


def ends_of(marks: Mapping[Mark, Sequence[Step]], mark: Mark) -> set[str]:
    steps = marks[mark]
    ends = set(_ends(steps))
    return ends if steps[0].sure else ends | {"off"}


def _ends(steps: Sequence[Step]) -> Iterator[str]:
    """The last sure one, and those after it."""
    for step in reversed(steps):
        yield step.value
        if step.sure:
            return
